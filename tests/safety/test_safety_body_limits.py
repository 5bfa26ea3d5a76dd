"""Effort, force on the hands, balance and the slow start: what the shield reads from the robot's own measurements."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from safety_tools import DT, HIGH, HOME, ROBOT, broken_limits, command, state

from volition.robots.g1_assets import GRASP_CENTRE, light_g1
from volition.safety import reasons
from volition.safety.check import broken_limits as judge
from volition.safety.collision import CollisionModel
from volition.safety.config import ShieldConfig
from volition.safety.guard import Guard
from volition.safety.obstacles import Obstacles
from volition.safety.pace import RAMP_FROM
from volition.safety.shield import Shield
from volition.sim.session import session
from volition.transforms.rotation import rotate_inverse

ELBOW = [joint.name for joint in ROBOT.commanded].index("left_elbow_joint")
RIGHT = [joint.group.startswith("right") for joint in ROBOT.commanded]  # bent so far, the hip is in the left hand's way
ELBOW_OF_ALL = ROBOT.joint_names.index("left_elbow_joint")


@pytest.fixture(scope="module")
def model() -> CollisionModel:
    return CollisionModel(ROBOT, light_g1())


def play(shield, targets, *, measure=lambda tick: {}, base=(0.0, 0.0, 0.0), around=None):
    """Sent positions and bases (with the rest before), and the events."""
    memory, events = shield.start(state()), []
    positions, bases = [HOME] * 3, [np.zeros(3)] * 3
    for tick, target in enumerate(targets):
        now = tick * DT
        measured = replace(state(now=now), **measure(tick))
        made = command(target, now, base)
        sent, memory, found = shield.limit(made, measured, memory, now, around=around)
        positions.append(sent.position)
        bases.append(sent.base_velocity)
        events += found
    assert broken_limits(np.array(positions), np.array(bases)) == []
    return np.array(positions), np.array(bases), events


def test_a_joint_at_its_effort_limit_is_not_driven_on_but_may_ease_off():
    shield = Shield(ROBOT, config=ShieldConfig(effort_share=0.95))

    def strained(tick):
        effort = np.zeros(len(ROBOT.joints))
        effort[ELBOW_OF_ALL] = 25.0 if tick >= 8 else 0.0
        return {"effort": effort}

    up, down = HOME.copy(), HOME.copy()
    up[ELBOW] += 1.0
    down[ELBOW] -= 0.3
    sent, _, events = play(shield, [up] * 60 + [down] * 60, measure=strained)
    assert sent[25:60, ELBOW].max() < HOME[ELBOW] + 0.95, "it stopped on its way"
    assert np.ptp(sent[50:60, ELBOW]) == 0
    assert sent[-1, ELBOW] == down[ELBOW]
    efforts = [event for event in events if event.reason == reasons.EFFORT]
    assert {event.where for event in efforts} == {"left_elbow_joint"}
    assert (efforts[0].before, efforts[0].after) == (25.0, pytest.approx(23.75))


def test_the_start_is_slow_and_so_is_the_start_after_an_emergency_stop():
    guard = Guard(Shield(ROBOT, config=ShieldConfig(ramp_s=2.0)))
    guard.start(state(), 0.0)
    sent, bases = [HOME] * 3, []
    for tick in range(500):
        now = tick * DT
        if tick == 300:
            guard.estop.press()
        if tick == 340:
            guard.estop.reset()
        # There and back again, so that speed and not place is the limit.
        target = HIGH if (tick // 60) % 2 == 0 else HOME
        made = guard.apply(command(target, now, (0.6, 0, 0)), state(now=now), now)
        sent.append(made.position)
        bases.append(made.base_velocity[0])
    speed = np.abs(np.diff(np.array(sent)[2:], axis=0)) / DT
    top = np.array([joint.velocity for joint in ROBOT.commanded])
    shares = (speed / top).max(axis=1)
    assert shares[:20].max() < RAMP_FROM + 0.2
    assert shares[100:300].max() > 0.95
    assert shares[341:361].max() < RAMP_FROM + 0.2
    assert max(bases[:10]) < 0.6 * (RAMP_FROM + 0.1)
    assert bases[299] == 0.6
    assert guard.counts()[reasons.RAMP] > 10
    assert broken_limits(np.array(sent), np.zeros((2, 3))) == []


def leaning_reach() -> np.ndarray:
    """Both arms stretched forward."""
    wanted = HOME.copy()
    for at, joint in enumerate(ROBOT.commanded):
        if joint.name.endswith("shoulder_pitch_joint"):
            wanted[at] = -1.4
        if joint.name.endswith("elbow_joint"):
            wanted[at] = 1.5
    return wanted


def bent_forward(degrees: float):
    """The waist bent forward: what a reach adds to may tip the robot."""
    position = ROBOT.home_position.copy()
    position[ROBOT.joint_names.index("waist_pitch_joint")] = np.radians(degrees)
    return position


def test_a_reach_that_would_tip_the_robot_is_stopped(model):
    targets = [leaning_reach()] * 150
    free = Shield(ROBOT, config=ShieldConfig(), collision=model)
    kept = Shield(ROBOT, config=ShieldConfig(balance_margin=0.05), collision=model)
    survey = kept._foresight.survey

    def over(positions):
        posture = bent_forward(25)
        posture[ROBOT.commanded_index] = positions[-1]
        return survey.begin(state(), posture, None, 0.0).balance

    measure = lambda tick: {"position": bent_forward(25)}  # noqa: E731
    far, _, _ = play(free, targets, measure=measure)
    near, _, events = play(kept, targets, measure=measure, base=(0.5, 0, 0))
    assert over(far) < 0.04
    assert over(near) >= 0.05 - 1e-4
    assert any(event.where == "centre_of_mass" for event in events)
    back, _, _ = play(kept, targets + [HOME] * 100, measure=measure)
    assert (back[-1, RIGHT] == HOME[RIGHT]).all(), "it may come back"


def test_a_leaning_robot_is_not_told_to_walk(model):
    shield = Shield(ROBOT, config=ShieldConfig(balance_margin=0.001), collision=model)
    upright, _, _ = (play(shield, [HOME] * 60, base=(0.5, 0, 0))[part] for part in (1, 0, 2))
    tilted = {"base_quaternion": np.array([np.cos(0.25), 0, np.sin(0.25), 0])}  # 0.5 rad
    _, leaning, events = play(shield, [HOME] * 60, base=(0.5, 0, 0), measure=lambda tick: tilted)
    assert upright[-1, 0] == 0.5
    assert (leaning == 0).all()
    assert {event.reason for event in events} == {reasons.BALANCE}


def test_a_hand_that_is_pressed_too_hard_may_only_give_way(model):
    shield = Shield(ROBOT, config=ShieldConfig(hand_force=50.0), collision=model)
    pressed = Obstacles(stamp=0.0, lasting=True, forces={"left": (-80.0, 0.0, 0.0)})
    onward, _, events = play(shield, [leaning_reach()] * 80, around=pressed)
    left = np.array([joint.group.startswith("left") for joint in ROBOT.commanded])
    assert (onward[-1, left] == HOME[left]).all()
    assert (onward[-1, ~left] != HOME[~left]).any(), "the other arm goes on"
    assert {event.where for event in events if event.reason == reasons.FORCE} == {"left_hand"}
    giving = Obstacles(stamp=0.0, lasting=True, forces={"left": (80.0, 0.0, 0.0)})
    yielding, _, _ = play(shield, [leaning_reach()] * 80, around=giving)
    assert (yielding[-1, left] != HOME[left]).any()


def test_the_force_on_a_hand_is_estimated_in_physics(model):
    """Up to 30 N on a hand in three directions, estimated from the motors' efforts of a standing robot."""
    scene = session(ROBOT)
    shield = Shield(ROBOT, config=ShieldConfig(hand_force=200.0), collision=model)
    estimate = shield._force.estimate
    world, robot = scene.world, scene.robot
    body = world.model.body("left_wrist_yaw_link").id
    for newtons in (np.zeros(3), np.array([-15.0, 0, 0]), np.array([0, 30.0, 0]), np.array([0, 0, -20.0])):
        scene.restart(0)
        forces: dict[str, np.ndarray] = {}
        for tick in range(60):
            at = world.data.xpos[body] + world.data.xmat[body].reshape(3, 3) @ np.array(GRASP_CENTRE["left"])
            world.data.xfrc_applied[body, :3] = newtons
            world.data.xfrc_applied[body, 3:] = np.cross(at - world.data.xipos[body], newtons)
            forces, _ = estimate(robot.read(), {}, forces)
            scene.clock.sleep_until((tick + 1) * DT)
        world.data.xfrc_applied[body] = 0
        felt = rotate_inverse(robot.read().base_quaternion, newtons)  # the push turns the robot
        assert np.linalg.norm(forces["left"] - felt) < 12, (felt, forces)
        assert np.linalg.norm(forces["right"]) < 12


def test_the_judge_sees_what_is_broken():
    still = np.repeat(HOME[None], 8, axis=0)
    assert judge(ROBOT, still, np.zeros((8, 3))) == []
    jump = still.copy()
    jump[5:, ELBOW] += 0.2
    assert [text.split()[0] for text in judge(ROBOT, jump, np.zeros((8, 3)))] == ["velocity", "acceleration", "jerk"]
    assert judge(ROBOT, still + 9, np.zeros((8, 3)))[0] == "position"
    assert judge(ROBOT, still * np.nan, np.zeros((8, 3))) == ["not finite"]
    assert judge(ROBOT, still, np.full((8, 3), 0.9)) == ["base velocity"]
