"""The contracts: a wrong field raises and the message names the field, the value and what is allowed."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from volition.errors import ContractError, VolitionError
from volition.robots.g1 import g1
from volition.types import (
    ActionChunk,
    ActionDimension,
    ActionSpec,
    BaseLimits,
    CameraSpec,
    Command,
    JointSpec,
    Observation,
    RobotSpec,
    RobotState,
)

G1 = g1()
GOOD: dict[type, dict[str, Any]] = {
    JointSpec: {
        "name": "elbow",
        "group": "left_arm",
        "position": (-1.0, 2.0),
        "velocity": 4.0,
        "acceleration": 40.0,
        "jerk": 1000.0,
        "effort": 25.0,
        "source": "test",
    },
    CameraSpec: {
        "name": "head",
        "body": "torso",
        "position": (0.0, 0.0, 0.4),
        "pitch": 0.8,
        "yaw": 0.0,
        "field_of_view": 1.2,
        "height": 128,
        "width": 128,
        "rate_hz": 10.0,
        "source": "test",
    },
    ActionDimension: {"name": "x", "unit": "m", "meaning": "absolute", "low": -1.0, "high": 1.0},
    BaseLimits: {"velocity": (0.6, 0.4, 0.8), "acceleration": (1.5, 1.5, 3.0), "source": "test"},
    RobotState: {
        "stamp": 1.0,
        "position": np.zeros(43),
        "velocity": np.zeros(43),
        "effort": np.zeros(43),
        "base_position": np.zeros(3),
        "base_quaternion": np.array([1.0, 0, 0, 0]),
        "base_velocity": np.zeros(3),
        "base_angular_velocity": np.zeros(3),
    },
    ActionChunk: {"stamp": 1.0, "values": np.zeros((4, 17)), "dt": 0.1, "spec": "ee"},
    Command: {"stamp": 1.0, "position": np.zeros(28), "base_velocity": np.zeros(3)},
}
# type, field, wrong value, what the message must say beside the field's name
WRONG = [
    (JointSpec, "group", "tail", ("'tail'", "left_arm", "legs")),
    (JointSpec, "position", (2.0, -1.0), ("(2.0, -1.0)", "low < high")),
    (JointSpec, "position", (-math.inf, 1.0), ("-inf", "low < high")),
    (JointSpec, "velocity", 0.0, ("0.0", "above 0")),
    (JointSpec, "acceleration", math.nan, ("nan", "finite")),
    (JointSpec, "jerk", -5.0, ("-5.0", "above 0")),
    (JointSpec, "effort", math.inf, ("inf", "finite")),
    (CameraSpec, "field_of_view", 69.0, ("69.0", "0.1 to 3 rad")),
    (CameraSpec, "height", 4, ("4", "8 to 4096")),
    (CameraSpec, "width", 128.0, ("128.0", "8 to 4096")),
    (CameraSpec, "rate_hz", 0, ("0", "above 0")),
    (ActionDimension, "meaning", "torque", ("'torque'", "absolute", "discrete")),
    (ActionDimension, "low", 1.0, ("(1.0, 1.0)", "low must be below high")),
    (BaseLimits, "velocity", (0.6, 0.0, 0.8), ("0.0", "above 0")),
    (RobotState, "stamp", -0.5, ("-0.5", "at least 0")),
    (RobotState, "velocity", np.zeros(42), ("(42,)", "length 43")),
    (RobotState, "base_quaternion", np.zeros(3), ("(3,)", "length 4")),
    (RobotState, "position", "straight", ("'straight'", "numbers")),
    (ActionChunk, "stamp", math.nan, ("nan", "finite")),
    (ActionChunk, "values", np.zeros(17), ("(17,)", "(K, A)")),
    (ActionChunk, "values", np.zeros((0, 17)), ("(0, 17)", "at least 1 x 1")),
    (ActionChunk, "dt", 0.0, ("0.0", "0.001 to 10")),
    (ActionChunk, "status", "maybe", ("'maybe'", "running, done or failed")),
    (Command, "base_velocity", np.zeros(2), ("(2,)", "length 3")),
]


@pytest.mark.parametrize(
    ("kind", "field", "value", "said"), WRONG, ids=[f"{k.__name__}.{f}-{i}" for i, (k, f, _, _) in enumerate(WRONG)]
)
def test_a_wrong_field_is_named_with_its_value_and_range(
    kind: type, field: str, value: object, said: tuple[str, ...]
) -> None:
    kind(**GOOD[kind])
    with pytest.raises(ContractError) as raised:
        kind(**(GOOD[kind] | {field: value}))
    message = str(raised.value)
    assert kind.__name__ in message
    assert field in message or (field == "low" and "bounds" in message)
    for part in said:
        assert part in message
    assert isinstance(raised.value, VolitionError)


def observation(**changes: Any) -> Observation:
    images = {"head": np.zeros((128, 128, 3), dtype=np.uint8)}
    state = RobotState(**GOOD[RobotState])
    return Observation(**({"stamp": 1.0, "state": state, "images": images, "instruction": "wave"} | changes))


@pytest.mark.parametrize(
    "image", [np.zeros((128, 128, 3)), np.zeros((3, 128, 128), np.uint8), np.zeros((8, 8), np.uint8)]
)
def test_images_are_uint8_and_channels_last(image: np.ndarray) -> None:
    with pytest.raises(ContractError, match=r"images\['head'\].*uint8 of shape \(H, W, 3\)"):
        observation(images={"head": image})


def test_an_observation_is_checked_against_the_robot() -> None:
    observation().check(G1)
    with pytest.raises(ContractError, match=r"64x64.*128x128"):
        observation(images={"head": np.zeros((64, 64, 3), np.uint8)}).check(G1)
    with pytest.raises(ContractError, match=r"no camera 'tail'"):
        observation(images={"tail": np.zeros((128, 128, 3), np.uint8)}).check(G1)
    short = RobotState(**(GOOD[RobotState] | {name: np.zeros(29) for name in ("position", "velocity", "effort")}))
    with pytest.raises(ContractError, match=r"29 joints.*43"):
        observation(state=short).check(G1)
    with pytest.raises(ContractError, match=r"instruction"):
        observation(instruction=None)


def test_what_was_given_is_copied_and_cannot_be_changed() -> None:
    position = np.zeros(28)
    command = Command(stamp=0.0, position=position, base_velocity=np.zeros(3))
    position[0] = 9.0
    assert command.position[0] == 0.0
    with pytest.raises(ValueError, match=r"read-only"):
        command.position[0] = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        command.stamp = 2.0  # type: ignore[misc]


def test_a_command_may_hold_wrong_numbers_because_the_shield_comes_after_it() -> None:
    assert np.isnan(Command(stamp=0.0, position=np.full(28, np.nan), base_velocity=np.zeros(3)).position).all()


def test_a_chunk_ends_after_its_last_step() -> None:
    assert ActionChunk(**GOOD[ActionChunk]).end == pytest.approx(1.4)


def test_actions_out_of_bounds_are_named() -> None:
    action = G1.action("ee")
    good = np.clip(np.zeros((2, 17)), action.low, action.high)
    action.check(good)
    bad = good.copy()
    bad[1, action.index("left.grasp")] = 1.5
    with pytest.raises(ContractError, match=r"step 1, left\.grasp is 1\.5 1; allowed is 0 to 1"):
        action.check(bad)
    bad[0, 0] = np.nan
    with pytest.raises(ContractError, match=r"step 0, left\.x is nan; it must be finite \(and 1 more\)"):
        action.check(bad)
    with pytest.raises(ContractError, match=r"shape is \(2, 16\); ee has \(K, 17\)"):
        action.check(np.zeros((2, 16)))
    with pytest.raises(ContractError, match=r"primitive is 1.5; it must be a whole number"):
        G1.action("primitive").check(np.array([[1.5]]))
    with pytest.raises(ContractError, match=r"primitive is 10 id; allowed is 0 to 9"):
        G1.action("primitive").check(np.array([[10.0]]))
    with pytest.raises(ContractError, match=r"no dimension 'left.tail'"):
        action.index("left.tail")


def test_an_action_space_needs_dimensions_with_their_own_names() -> None:
    one = ActionDimension(**GOOD[ActionDimension])
    with pytest.raises(ContractError, match=r"no dimensions"):
        ActionSpec(name="empty", dimensions=())
    with pytest.raises(ContractError, match=r"names x more than once"):
        ActionSpec(name="twice", dimensions=(one, one))
    with pytest.raises(ContractError, match=r"rotation at 0 is outside its 1 dimensions"):
        ActionSpec(name="short", dimensions=(one,), rotations=(0,))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"joints": (*G1.joints, G1.joints[0])}, "left_hip_pitch_joint more than once"),
        ({"commanded_groups": ("left_arm", "wings")}, "'wings' is unknown"),
        (
            {"home": {**G1.home, "left_knee_joint": 9.0}},
            r"home\[left_knee_joint\] is 9.0; allowed is -0.087267 to 2.8798",
        ),
        ({"home": dict.fromkeys(G1.joint_names[:-1], 0.0)}, "differ in right_hand_index_1_joint"),
        ({"control_rate_hz": 0.0}, "control_rate_hz is 0.0"),
    ],
)
def test_a_robot_that_contradicts_itself_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ContractError, match=said):
        dataclasses.replace(G1, **changes)


# --- the G1 -----------------------------------------------------------------------------------------------------


def test_the_g1_has_43_joints_in_their_groups() -> None:
    assert len(G1.joints) == 43
    sizes = {
        "left_arm": 7,
        "right_arm": 7,
        "left_hand": 7,
        "right_hand": 7,
        "legs": 12,
        "waist": 3,
        "head": 0,
        "base": 0,
    }
    assert {group: len(G1.group(group)) for group in sizes} == sizes
    assert len(G1.commanded) == 28
    assert [G1.joint_names[i] for i in G1.commanded_index] == [joint.name for joint in G1.commanded]
    with pytest.raises(ContractError, match=r"'tail' is unknown"):
        G1.group("tail")


def test_the_g1s_home_is_inside_its_limits_and_every_limit_has_a_source() -> None:
    for joint in G1.joints:
        low, high = joint.position
        assert low <= G1.home[joint.name] <= high
        assert "position and effort:" in joint.source
        assert "velocity" in joint.source
    assert G1.home_position.shape == (43,)


def test_left_and_right_mirror_each_other() -> None:
    by_name = {joint.name: joint for joint in G1.joints}
    pairs = [(joint, by_name[joint.name.replace("left_", "right_")]) for joint in G1.joints if "left" in joint.name]
    assert len(pairs) == 20
    turned = {"roll", "yaw"}
    for left, right in pairs:
        low, high = left.position
        same, mirrored = right.position == (low, high), right.position == (-high, -low)
        assert same or mirrored, left.name
        if "hand" in left.name:
            assert same if "thumb_0" in left.name else mirrored, left.name
        elif turned & set(left.name.split("_")):
            assert mirrored, left.name
        else:
            assert same, left.name
        sign = -1.0 if not same else 1.0
        if low != -high:  # a symmetric range does not tell the two apart
            assert G1.home[right.name] == pytest.approx(sign * G1.home[left.name])
        assert (left.velocity, left.acceleration, left.jerk, left.effort) == (
            right.velocity,
            right.acceleration,
            right.jerk,
            right.effort,
        )
    assert G1.home["left_shoulder_roll_joint"] == -G1.home["right_shoulder_roll_joint"] > 0


def test_the_g1s_action_spaces() -> None:
    assert {action.name: len(action.dimensions) for action in G1.actions} == {"ee": 17, "joint": 19, "primitive": 1}
    ee = G1.action("ee")
    assert [ee.names[i] for i in ee.rotations] == ["left.rx", "right.rx"]
    assert ee.names[-3:] == ("base.forward", "base.left", "base.turn")
    for action in G1.actions[:2]:
        assert (action.high[-3:] <= np.array(G1.base.velocity) + 1e-12).all()
    assert G1.action("primitive").discrete.all()
    with pytest.raises(ContractError, match=r"no action space 'torque'.*ee, joint, primitive"):
        G1.action("torque")


def test_the_g1_looks_and_fails_safely() -> None:
    assert [camera.name for camera in G1.cameras] == ["head", "left_wrist", "right_wrist"]
    assert g1(pixels=224).camera("head").height == 224
    assert G1.safe_action.balance
    assert set(G1.safe_action.hold) == {"left_arm", "right_arm", "left_hand", "right_hand"}
    assert isinstance(G1, RobotSpec)
