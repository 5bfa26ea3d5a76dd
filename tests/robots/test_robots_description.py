"""A robot as JSON beside a policy: the same robot has no differences, and every difference that matters is named."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from volition.errors import ContractError
from volition.robots.description import action_from, describe, differences
from volition.robots.g1 import g1
from volition.types import RobotSpec

G1 = g1(32)
SEES = ("head", "left_wrist")
ELBOW = "left_elbow_joint"


def through_a_file(robot: RobotSpec) -> Any:
    return json.loads(json.dumps(describe(robot), allow_nan=False))


def found(robot: RobotSpec, *, action: str = "ee", cameras: tuple[str, ...] = SEES) -> list[str]:
    """What differs between the taught G1, read from a file, and this robot."""
    return differences(through_a_file(G1), robot, action=action, cameras=cameras)


def with_joint(name: str, **changes: Any) -> RobotSpec:
    return replace(G1, joints=tuple(replace(one, **changes) if one.name == name else one for one in G1.joints))


def with_camera(name: str, **changes: Any) -> RobotSpec:
    return replace(G1, cameras=tuple(replace(one, **changes) if one.name == name else one for one in G1.cameras))


def with_bound(action: str, dimension: str, **changes: Any) -> RobotSpec:
    def change(spec: Any) -> Any:
        dimensions = tuple(replace(one, **changes) if one.name == dimension else one for one in spec.dimensions)
        return replace(spec, dimensions=dimensions) if spec.name == action else spec

    return replace(G1, actions=tuple(change(spec) for spec in G1.actions))


@pytest.mark.parametrize("action", ["ee", "joint", "primitive"])
def test_the_same_robot_has_no_differences_also_after_a_file(action: str) -> None:
    assert found(g1(32), action=action) == []
    assert differences(describe(G1), G1, action=action, cameras=("head", "left_wrist", "right_wrist")) == []


def test_joints_in_another_order_are_told() -> None:
    assert found(replace(G1, joints=G1.joints[::-1])) == ["joints come in another order"]


def test_a_missing_joint_and_one_too_many_are_named() -> None:
    fewer = replace(
        G1,
        joints=tuple(one for one in G1.joints if one.name != ELBOW),
        home={name: angle for name, angle in G1.home.items() if name != ELBOW},
    )
    assert found(fewer) == [f"joints differ: {ELBOW}"]
    more = replace(
        G1, joints=(*G1.joints, replace(G1.joints[-1], name="tail")), home={**G1.home, "tail": G1.home_position[-1]}
    )
    assert found(more) == ["joints differ: tail"]


@pytest.mark.parametrize(
    ("robot", "says"),
    [
        (replace(G1, name="h1"), ["the robot is h1, not unitree_g1"]),
        (with_joint(ELBOW, position=(-1.0, 1.5)), [f"{ELBOW}: position is [-1.0, 1.5], not [-1.0472, 2.0944]"]),
        (with_joint("waist_yaw_joint", group="legs"), ["waist_yaw_joint: group is legs, not waist"]),
        (replace(G1, policy_rate_hz=20.0), ["policy_rate_hz is 20, not 10.0"]),
        (replace(G1, control_rate_hz=100.0), ["control_rate_hz is 100, not 50.0"]),
        (with_camera("head", height=64), ["camera head: height is 64, not 32"]),
        (with_camera("head", pitch=0.5), ["camera head: pitch is 0.5, not 0.8308"]),
        (with_camera("left_wrist", position=(0.0, 0.0, 0.1)), ["camera left_wrist: position is [0.0, 0.0, 0.1], not"]),
        (replace(G1, cameras=G1.cameras[1:]), ["there is no camera head; there are left_wrist, right_wrist"]),
        (replace(G1, cameras=()), ["no camera head; there are none", "no camera left_wrist; there are none"]),
        (with_bound("ee", "left.x", high=0.6), ["the action space ee has other dimensions, units, meanings or bounds"]),
        (with_bound("ee", "left.x", unit="mm"), ["the action space ee has other"]),
        (replace(G1, actions=G1.actions[1:]), ["it takes no actions 'ee'; it takes joint, primitive"]),
        (
            replace(G1, commanded_groups=("left_arm", "right_arm")),
            ["commands set left_arm, right_arm"],
        ),
    ],
)
def test_each_difference_is_found_and_named_and_nothing_else(robot: RobotSpec, says: list[str]) -> None:
    told = found(robot)
    assert len(told) == len(says), told
    for one, wanted in zip(told, says, strict=True):
        assert wanted in one


@pytest.mark.parametrize(
    "robot",
    [
        with_camera("right_wrist", pitch=0.1),  # not one that it looks at
        with_bound("joint", ELBOW, high=1.0),  # not the action space that it speaks
        with_joint(ELBOW, velocity=1.0),  # the shield's business
        with_camera("head", source="measured again"),
        replace(G1, home={**G1.home, ELBOW: 0.5}),
    ],
)
def test_what_a_policy_does_not_notice_is_no_difference(robot: RobotSpec) -> None:
    assert found(robot) == []


def test_several_differences_are_all_told() -> None:
    robot = replace(with_camera("head", width=64), name="h1", policy_rate_hz=5.0)
    assert len(found(robot)) == 3


def test_action_spaces_come_back_as_they_were() -> None:
    description = through_a_file(G1)
    for action in G1.actions:
        assert action_from(description, action.name) == action
    with pytest.raises(ContractError, match="no action space 'fly'; it has ee, joint, primitive"):
        action_from(description, "fly")


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d["actions"][0].pop("dimensions"),
        lambda d: d["actions"][0]["dimensions"][0].update(colour="red"),
        lambda d: d.pop("actions"),
        lambda d: d.update(actions=None),
    ],
)
def test_a_damaged_description_of_actions_is_refused_in_one_sentence(damage: Any) -> None:
    description = through_a_file(G1)
    damage(description)
    with pytest.raises(ContractError, match="This is not a robot's description"):
        action_from(description, "ee")


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d["joints"][0].pop("name"),
        lambda d: d["joints"][0].pop("position"),
        lambda d: d.update(cameras=[{"body": "torso"}]),
        lambda d: d.update(actions=[None]),
        lambda d: d.update(joints=3),
    ],
)
def test_a_damaged_description_is_not_compared(damage: Any) -> None:
    description = through_a_file(G1)
    damage(description)
    with pytest.raises(ContractError, match="This is not a robot's description"):
        differences(description, G1, action="ee", cameras=SEES)
