"""The arms' part of the primitives: smooth from anything to anything, and meaning what the primitives say."""

from __future__ import annotations

import itertools
from typing import get_args

import mujoco
import numpy as np
import pytest
from body_tools import ROBOT, TICK

from volition.body.gestures import Gestures
from volition.robots.g1_assets import light_g1
from volition.robots.primitives import Gesture

GESTURES: tuple[Gesture, ...] = get_args(Gesture)
HOME = ROBOT.home_position[ROBOT.commanded_index]
NAMES = [joint.name for joint in ROBOT.commanded]
LOW, HIGH = np.array([joint.position for joint in ROBOT.commanded]).T
MOST = {
    order: np.array([getattr(joint, name) for joint in ROBOT.commanded])
    for order, name in ((1, "velocity"), (2, "acceleration"), (3, "jerk"))
}


def play(*parts: tuple[Gesture, float]) -> np.ndarray:
    """Targets of all ticks from rest at home, (T, C)."""
    gestures = Gestures(ROBOT)
    return np.array([gestures.step(gesture) for gesture, seconds in parts for _ in range(round(seconds / TICK))])


@pytest.fixture(scope="module")
def height():
    """How high a hand is over its shoulder for commanded angles, the robot upright."""
    model = mujoco.MjModel.from_xml_path(str(light_g1()))
    data = mujoco.MjData(model)
    data.qpos[3] = 1.0
    places = [model.joint(name).qposadr[0] for name in ROBOT.joint_names]

    def measure(targets: np.ndarray, side: str) -> float:
        position = ROBOT.home_position.copy()
        position[ROBOT.commanded_index] = targets
        data.qpos[places] = position
        mujoco.mj_kinematics(model, data)
        return float(data.site(f"{side}_grasp").xpos[2] - data.body(f"{side}_shoulder_pitch_link").xpos[2])

    return measure


@pytest.mark.parametrize(("first", "second"), list(itertools.product(GESTURES, GESTURES)))
def test_any_gesture_after_any_other_is_smooth(first, second):
    for switch in (0.1, 0.4, 1.0, 2.26):  # in the middle of a motion too
        path = np.vstack([HOME, HOME, HOME, play((first, switch), (second, 1.2), (first, 1.0), ("rest", 2.0))])
        assert (path >= LOW - 1e-9).all()
        assert (path <= HIGH + 1e-9).all()
        for order, most in MOST.items():
            rate = np.abs(np.diff(path, order, axis=0)).max(axis=0) / TICK**order
            worst = int(np.argmax(rate / most))
            assert (rate <= most).all(), (order, switch, NAMES[worst], rate[worst], most[worst])


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_raised_arm_is_up_and_stays_up_while_the_robot_walks(height, side):
    up: Gesture = "raise_left" if side == "left" else "raise_right"
    other = "right" if side == "left" else "left"
    path = play((up, 2.0), ("keep", 5.0))
    for targets in path[100::25]:
        assert height(targets, side) > 0.25
        assert height(targets, other) < -0.1
    assert play((up, 2.0), ("keep", 5.0), ("rest", 4.0))[-1] == pytest.approx(HOME, abs=1e-3)


def test_both_arms_may_be_up(height):
    end = play(("raise_left", 2.0), ("raise_right", 2.0))[-1]
    assert height(end, "left") > 0.25
    assert height(end, "right") > 0.25


def test_a_wave_swings_and_ends_lowered_when_the_next_moves(height):
    path = play(("wave", 4.0), ("keep", 4.0))
    yaw = path[100:200, NAMES.index("right_shoulder_yaw_joint")]
    assert np.ptp(yaw) > 0.7
    assert np.sum(np.diff(np.sign(yaw - yaw.mean())) != 0) in (3, 4, 5)  # 2 s at 1 Hz
    assert all(height(targets, "right") > 0 for targets in path[100:200:10])
    assert all(height(targets, "left") < -0.1 for targets in path[::25])
    assert path[-1] == pytest.approx(HOME, abs=1e-3)


def test_a_wave_keeps_a_raised_left_arm_up(height):
    end = play(("raise_left", 2.0), ("wave", 3.0), ("keep", 3.0))[-1]
    assert height(end, "left") > 0.25
    assert height(end, "right") < -0.1


def test_left_and_right_are_mirrored():
    left, right = play(("raise_left", 2.0))[-1], play(("raise_right", 2.0))[-1]
    mirrored = ("shoulder_roll", "shoulder_yaw", "wrist_roll", "wrist_yaw", "hand")
    for name, angle in zip(NAMES, left, strict=True):
        if name.startswith("left"):
            joint = name.removeprefix("left_")
            sign = -1 if joint.startswith(mirrored) and joint != "hand_thumb_0_joint" else 1
            assert right[NAMES.index(f"right_{joint}")] == pytest.approx(sign * angle, abs=1e-9)


def test_reset_starts_from_where_the_arms_are():
    gestures = Gestures(ROBOT)
    away = np.clip(HOME + 0.3, LOW, HIGH)
    gestures.reset(away)
    assert np.abs(gestures.step("rest") - away).max() < 0.01


def test_keep_leaves_arms_where_a_reset_found_them_or_brings_them_home_smoothly():
    gestures = Gestures(ROBOT)
    away = np.clip(HOME + 0.3, LOW, HIGH)
    gestures.reset(away)
    path = np.vstack([away, away, away, [gestures.step("keep") for _ in range(150)]])
    for order, most in MOST.items():
        assert (np.abs(np.diff(path, order, axis=0)).max(axis=0) / TICK**order <= most).all()
