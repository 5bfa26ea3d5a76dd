"""The simulated G1 below our Command: motors, watchdog, limits, and the same run from the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from volition.errors import ContractError
from volition.robots.g1 import g1
from volition.transforms.rotation import tilt, yaw
from volition.types import Command

SPEC = g1(32)
HOME = SPEC.home_position[SPEC.commanded_index]
JOINTS = [joint.name for joint in SPEC.commanded]
LOW, HIGH = np.array([joint.position for joint in SPEC.commanded]).T


def tell(scene, position=HOME, base=(0.0, 0.0, 0.0), seconds: float = 0.02, each=None) -> None:
    """The same command every tick for a time."""
    for _ in range(round(seconds * SPEC.control_rate_hz)):
        now = scene.clock.now()
        scene.robot.command(Command(stamp=now, position=position, base_velocity=base))
        scene.clock.sleep_until(now + 0.02)
        if each is not None:
            each(scene.robot.read())


def standing(state) -> bool:
    return bool(state.base_position[2] > 0.65 and tilt(state.base_quaternion) < 0.3)


def test_the_clock_moves_the_world_in_control_ticks(scene):
    assert scene.clock.now() == 0
    scene.clock.sleep_until(0.1)
    assert scene.clock.now() == pytest.approx(0.1)
    scene.clock.sleep_until(0.05)  # the past does not come back
    assert scene.clock.now() == pytest.approx(0.1)
    assert scene.robot.read().stamp == pytest.approx(0.1)


def test_the_state_is_in_the_frames_it_says(scene):
    """Walking forward with some heading is +x in the pelvis frame, along the heading in the world."""
    scene.restart(3)
    heading = float(yaw(scene.robot.read().base_quaternion))
    assert abs(heading) > 0.3
    velocities, start = [], scene.robot.read().base_position
    tell(scene, base=(0.4, 0.0, 0.0), seconds=3.0, each=lambda state: velocities.append(state.base_velocity))
    mean = np.mean(velocities[50:], axis=0)
    assert mean[0] == pytest.approx(0.4, abs=0.1)
    assert abs(mean[1]) < 0.1
    moved = scene.robot.read().base_position - start
    along = np.array([np.cos(heading), np.sin(heading)])
    assert moved[:2] @ along > 0.8


@pytest.mark.parametrize(
    "name", ["right_hand_thumb_1_joint", "right_hand_index_0_joint", "right_hand_middle_1_joint", "left_elbow_joint"]
)
def test_a_target_moves_its_own_joint_and_no_other(scene, name):
    """The right hand's actuators are in another order than its joints: by index, another finger would move."""
    tell(scene, seconds=0.5)
    slot = JOINTS.index(name)
    target = HOME.copy()
    target[slot] = HOME[slot] + 0.5 * max(HIGH[slot] - HOME[slot], LOW[slot] - HOME[slot], key=abs)
    tell(scene, position=target, seconds=1.5)
    found = scene.robot.read().position[SPEC.commanded_index]
    assert found[slot] == pytest.approx(target[slot], abs=0.06)
    others = np.arange(len(JOINTS)) != slot
    assert np.abs(found - HOME)[others].max() < 0.06


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_target_that_is_not_finite_is_refused_and_the_last_one_stays(scene, bad):
    tell(scene, seconds=0.1)
    position = HOME.copy()
    position[3] = bad
    with pytest.raises(ContractError, match="not finite"):
        scene.robot.command(Command(stamp=0.1, position=position, base_velocity=np.zeros(3)))
    with pytest.raises(ContractError, match="28"):
        scene.robot.command(Command(stamp=0.1, position=HOME[:-1], base_velocity=np.zeros(3)))
    scene.clock.sleep_until(0.5)
    assert standing(scene.robot.read())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_base_velocity_that_is_not_finite_is_refused(scene, bad):
    with pytest.raises(ContractError, match="not finite"):
        scene.robot.command(Command(stamp=0.0, position=HOME, base_velocity=np.array([0.0, bad, 0.0])))


def test_without_commands_the_base_stops_and_the_robot_stands(scene):
    """The stop comes at full speed, so the robot overshoots and walks back before it keeps its place."""
    tell(scene, base=(0.5, 0.0, 0.0), seconds=2.0)
    cut = scene.robot.read()
    assert cut.base_position[0] > 0.6
    places = []
    for _ in range(100):  # nobody commands for 5 s
        scene.clock.sleep_until(scene.clock.now() + 0.05)
        places.append(scene.robot.read().base_position[:2])
        assert standing(scene.robot.read())
    away = np.linalg.norm(np.array(places) - cut.base_position[:2], axis=1)
    assert away.max() < 0.5
    assert away[-1] < 0.3
    assert np.ptp(places[-30:], axis=0).max() < 0.08


@pytest.mark.slow
@pytest.mark.parametrize(
    "base", [(0.5, 0, 0), (-0.5, 0, 0), (0, 0, 0.5), (0.2, 0, 0)], ids=["ahead", "back", "turn", "slow"]
)
def test_after_walking_it_comes_to_stand_on_both_feet(scene, base):
    """It must not march on the spot for ever, some centimetres from its reference: 8 s are plenty to come to rest."""
    for seed in (0, 1, 2):
        scene.restart(seed)
        tell(scene, base=base, seconds=2.0)
        tell(scene, seconds=8.0)
        steps = []
        tell(scene, seconds=1.0, each=lambda state, steps=steps: steps.append(state.velocity[:12]))
        assert np.abs(steps).max() < 1.0, seed  # rad/s of the legs; they swing at 3 and more in a stride


def test_a_robot_that_never_hears_a_command_stands(scene):
    scene.restart(4)
    start = scene.robot.read()
    scene.clock.sleep_until(3.0)
    end = scene.robot.read()
    assert standing(end)
    assert np.linalg.norm(end.base_position[:2] - start.base_position[:2]) < 0.1
    assert end.position[SPEC.commanded_index] == pytest.approx(start.position[SPEC.commanded_index], abs=0.05)


def test_effort_never_exceeds_the_joints_limits_and_legs_and_waist_stay_in_range(scene):
    """Walking in a curve, the arms told to jump from one end of their range towards the other."""
    most = np.array([joint.effort for joint in SPEC.joints])
    low, high = np.array([joint.position for joint in SPEC.joints]).T
    balanced = np.array([joint.group in ("legs", "waist") for joint in SPEC.joints])
    states = []
    far = HOME + 0.4 * (HIGH - HOME)
    for position, base in (
        (HOME, (0.5, 0.0, 0.5)),
        (far, (0.5, 0.0, 0.5)),
        (HOME, (-0.5, 0.2, -0.5)),
        (HOME, (0, 0, 0)),
    ):
        tell(scene, position=position, base=base, seconds=1.0, each=states.append)
    effort = np.array([state.effort for state in states])
    assert (np.abs(effort) <= most + 1e-9).all()
    assert (np.abs(effort).max(axis=0) >= 0.99 * most).any(), "no motor was at its limit, so this proves nothing"
    position = np.array([state.position for state in states])[:, balanced]
    assert (position >= low[balanced] - 0.01).all()  # limits are soft in physics
    assert (position <= high[balanced] + 0.01).all()
    assert all(standing(state) for state in states)


def test_gravity_and_an_unknown_load_do_not_pull_the_arms_from_their_targets(scene):
    """Forearms level: the self-model holds the arm, the integral makes up for a kilogram that it does not know of."""
    position = HOME.copy()
    position[JOINTS.index("left_elbow_joint")] = 0.0
    tell(scene, position=position, seconds=2.0)
    data = scene.world.data
    wrist = scene.world.model.body("left_wrist_yaw_link").id

    def off() -> float:
        found = scene.robot.read().position[SPEC.commanded_index]
        return float(np.abs(found - position)[:14].max())

    assert off() < 0.02
    data.xfrc_applied[wrist, 2] = -9.81
    tell(scene, position=position, seconds=3.0)
    data.xfrc_applied[wrist, 2] = 0.0
    assert off() < 0.08


def test_the_same_seed_gives_the_same_run_bit_for_bit(scene):
    runs = []
    for other in (0, 9):
        scene.restart(other)
        tell(scene, position=HOME + 0.1, base=(0.3, 0.1, 0.2), seconds=0.3)  # what came before must not matter
        scene.restart(5)
        states = []
        tell(scene, base=(0.4, 0.0, 0.3), seconds=2.0, each=states.append)
        runs.append(
            np.array(
                [np.concatenate([s.position, s.velocity, s.effort, s.base_position, s.base_quaternion]) for s in states]
            )
        )
    assert np.array_equal(*runs)
    scene.restart(6)
    states = []
    tell(scene, base=(0.4, 0.0, 0.3), seconds=0.1, each=states.append)
    assert not np.array_equal(states[-1].position, runs[0][4][:43])


def test_a_robot_without_a_renderer_sees_nothing(scene):
    assert scene.robot.look() == {}
