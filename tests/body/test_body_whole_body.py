"""Every action space to a Command, by the names of dimensions and joints."""

from __future__ import annotations

import numpy as np
import pytest
from body_tools import ROBOT, TICK, state

from volition.body.hands import Hand
from volition.body.whole_body import WholeBody
from volition.errors import ContractError
from volition.robots.primitives import NAMES
from volition.transforms.rotation import to_rotvec
from volition.types import ActionPoint

HOME = ROBOT.home_position[ROBOT.commanded_index]
JOINTS = [joint.name for joint in ROBOT.commanded]


@pytest.fixture
def body():
    body = WholeBody(ROBOT)
    body.reset(state())
    return body


def point(space: str, values, stamp: float = 1.0) -> ActionPoint:
    return ActionPoint(stamp=stamp, values=values, spec=space, chunk_stamp=0.9)


def test_joint_targets_go_to_the_joints_of_their_names(body):
    spec, random = ROBOT.action("joint"), np.random.default_rng(1)
    values = random.uniform(spec.low, spec.high)
    command = body.resolve(point("joint", values), state())
    assert (command.stamp, command.chunk_stamp) == (1.0, 0.9)
    assert command.position.shape == (28,)
    for name, value in zip(spec.names, values, strict=True):
        if name in JOINTS:
            assert command.position[JOINTS.index(name)] == value
    for side in ("left", "right"):
        grasp = values[spec.index(f"{side}.grasp")]
        fingers = [JOINTS.index(joint.name) for joint in ROBOT.group(f"{side}_hand")]
        assert command.position[fingers] == pytest.approx(Hand(ROBOT, side).targets(grasp))
    assert command.base_velocity == pytest.approx(
        [values[spec.index(f"base.{way}")] for way in ("forward", "left", "turn")]
    )


def test_ee_moves_the_hands_to_their_poses(body):
    spec = ROBOT.action("ee")
    goal = {"left": np.array([0.3, 0.2, 0.15]), "right": np.array([0.28, -0.15, 0.2])}
    values = np.zeros(len(spec.dimensions))
    for side, place in goal.items():
        for axis, value in zip("xyz", place, strict=True):
            values[spec.index(f"{side}.{axis}")] = value
    values[spec.index("right.grasp")] = 1.0
    values[spec.index("base.left")] = 0.25
    position = ROBOT.home_position.copy()
    for tick in range(150):
        command = body.resolve(point("ee", values, tick * TICK), state(position=position))
        position[ROBOT.commanded_index] = command.position
    for side, place in goal.items():
        found, turned = body.arms.hand(side, state(position=position))
        assert np.linalg.norm(found - place) < 0.005
        assert np.linalg.norm(to_rotvec(turned)) < 0.35
    fingers = {side: [JOINTS.index(joint.name) for joint in ROBOT.group(f"{side}_hand")] for side in goal}
    assert command.position[fingers["left"]] == pytest.approx(Hand(ROBOT, "left").targets(0.0))
    assert command.position[fingers["right"]] == pytest.approx(Hand(ROBOT, "right").targets(1.0))
    assert command.base_velocity == pytest.approx([0.0, 0.25, 0.0])


def test_a_primitive_speeds_the_base_up_and_down_within_its_limits(body):
    def run(name, ticks):
        values = [float(NAMES.index(name))]
        return np.array([body.resolve(point("primitive", values), state()).base_velocity for _ in range(ticks)])

    path = np.vstack([np.zeros(3), run("move_forward", 60), run("turn_left", 60), run("stop", 60)])
    assert path[60] == pytest.approx([0.5, 0, 0])
    assert path[120] == pytest.approx([0, 0, 0.5])
    assert path[180] == pytest.approx([0, 0, 0])
    assert (np.abs(np.diff(path, axis=0)).max(axis=0) / TICK <= ROBOT.base.acceleration).all()


def test_a_primitive_moves_the_arms_by_its_gesture(body):
    for _ in range(100):
        command = body.resolve(point("primitive", [float(NAMES.index("raise_left_arm"))]), state())
    pitch = JOINTS.index("left_shoulder_pitch_joint")
    assert command.position[pitch] < -2.0
    right = [number for number, name in enumerate(JOINTS) if name.startswith("right")]
    assert command.position[right] == pytest.approx(HOME[right], abs=1e-6)
    assert not np.any(command.base_velocity)


def test_reset_forgets_the_base_and_the_gesture(body):
    for _ in range(50):
        body.resolve(point("primitive", [float(NAMES.index("move_forward"))]), state())
        body.resolve(point("primitive", [float(NAMES.index("raise_left_arm"))]), state())
    body.reset(state())
    command = body.resolve(point("primitive", [float(NAMES.index("stop"))]), state())
    assert not np.any(command.base_velocity)
    assert command.position == pytest.approx(HOME, abs=1e-6)


def test_a_finger_a_hair_outside_its_range_is_brought_inside(body):
    position = ROBOT.home_position.copy()
    index = ROBOT.commanded_index
    low, high = np.array([joint.position for joint in ROBOT.commanded]).T
    position[index] = np.where(np.arange(28) % 2, high + 0.01, low - 0.01)
    body.reset(state(position=position))
    command = body.resolve(point("primitive", [0.0]), state(position=position))
    assert (command.position >= low).all()
    assert (command.position <= high).all()


def test_an_unknown_action_space_is_refused_with_those_it_takes(body):
    with pytest.raises(ContractError, match=r"'dance'.*ee, joint, primitive"):
        body.resolve(point("dance", [0.0]), state())
