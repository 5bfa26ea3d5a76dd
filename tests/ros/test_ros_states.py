"""The robot's state from messages: joints by name, in parts, with odometry; and what is missing said in words."""

from __future__ import annotations

import numpy as np
from ros_tools import SPEC

from volition.ros.states import States

NAMES = list(SPEC.joint_names)
ANGLES = np.linspace(-1.0, 1.0, len(NAMES))


def odometry(states: States, stamp: float, xyzw: tuple[float, ...] = (0.0, 0.0, 0.6, 0.8)) -> None:
    states.odometry(stamp, (1.0, 2.0, 0.8), xyzw, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))


def test_joints_are_matched_by_name() -> None:
    states, order = States(SPEC), np.random.default_rng(0).permutation(len(NAMES))
    odometry(states, 1.0)
    found = states.joints(1.0, [*(NAMES[one] for one in order), "a_gripper"], [*ANGLES[order], 9.0], [], [])
    assert found is not None
    assert np.array_equal(found.position, ANGLES)
    assert not found.velocity.any()  # empty in the message
    assert np.allclose(found.base_quaternion, [0.8, 0.0, 0.0, 0.6])  # ours is wxyz
    assert found.base_velocity.tolist() == [0.1, 0.2, 0.3]
    assert found.base_angular_velocity.tolist() == [0.4, 0.5, 0.6]


def test_joints_may_come_in_parts_and_the_oldest_part_dates_them() -> None:
    states = States(SPEC)
    odometry(states, 1.0)
    assert states.joints(1.0, NAMES[:20], ANGLES[:20], ANGLES[:20], ANGLES[:20]) is None
    assert "23 of 43 joints are in no joint state" in states.problem
    found = states.joints(1.05, NAMES[20:], ANGLES[20:], [], [])
    assert found is not None
    assert found.stamp == 1.0
    assert np.array_equal(found.position, ANGLES)
    assert np.array_equal(found.velocity[:20], ANGLES[:20])
    assert states.problem == ""


def test_without_odometry_there_is_no_state() -> None:
    states = States(SPEC, odometry_age_s=0.2)
    assert states.joints(1.0, NAMES, ANGLES, [], []) is None
    assert states.problem == "no odometry has come"
    odometry(states, 1.0)
    assert states.joints(1.1, NAMES, ANGLES, [], []) is not None
    assert states.joints(1.3, NAMES, ANGLES, [], []) is None
    assert "0.30 s older" in states.problem


def test_positions_must_be_as_many_as_names() -> None:
    states = States(SPEC)
    odometry(states, 1.0)
    assert states.joints(1.0, NAMES, ANGLES[:-1], [], []) is None
    assert "43 names and 42 positions" in states.problem


def test_a_driver_that_does_not_know_its_orientation_gives_no_finite_state() -> None:
    states = States(SPEC)
    odometry(states, 1.0, (0.0, 0.0, 0.0, 0.0))
    found = states.joints(1.0, NAMES, ANGLES, [], [])
    assert found is not None
    assert not found.is_finite()  # the shield answers that with the safe action
