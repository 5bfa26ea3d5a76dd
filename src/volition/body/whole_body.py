"""The body: one instant of an action in any of the robot's action spaces to a Command. Between the executor and the shield."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from volition.body.arms import Arms
from volition.body.gestures import Gestures
from volition.body.hands import Hand
from volition.errors import ContractError
from volition.robots.primitives import PRIMITIVES
from volition.transforms.rotation import from_rotvec
from volition.types import ActionPoint, Command, RobotSpec, RobotState

SIDES = ("left", "right")


class WholeBody:
    """Arms by inverse kinematics or joint targets, fingers by grasp scalars, the base by its velocity."""

    def __init__(self, robot: RobotSpec) -> None:
        self.robot = robot
        self.arms = Arms(robot)
        self.gestures = Gestures(robot)
        self._hands = {side: Hand(robot, side) for side in SIDES}
        self._low, self._high = np.array([joint.position for joint in robot.commanded]).T
        groups = [joint.group for joint in robot.commanded]
        self._arm_slots = np.flatnonzero([group.endswith("_arm") for group in groups])
        self._hand_slots = {side: np.flatnonzero([group == f"{side}_hand" for group in groups]) for side in SIDES}
        ee = robot.action("ee")
        self._pose = {side: ee.index(f"{side}.x") for side in SIDES}
        joint = robot.action("joint")
        arm_names = [robot.commanded[slot].name for slot in self._arm_slots]
        self._joint_columns = np.array([joint.index(name) for name in arm_names])
        self._joint_grasp = {side: joint.index(f"{side}.grasp") for side in SIDES}
        self._resolvers: dict[str, Callable[[np.ndarray, RobotState], tuple[np.ndarray, np.ndarray]]] = {
            "ee": self._from_ee,
            "joint": self._from_joint,
            "primitive": self._from_primitive,
        }

    def reset(self, state: RobotState) -> None:
        """Start from where the robot is."""
        self.arms.reset(state)
        measured = state.position[self.robot.commanded_index]
        self._base = np.zeros(3)
        self.gestures.reset(
            np.clip(measured, self._low, self._high)
        )  # a finger at rest may sit a hair outside its range

    def resolve(self, point: ActionPoint, state: RobotState) -> Command:
        if point.spec not in self._resolvers:
            raise ContractError(
                f"WholeBody cannot move {self.robot.name} by {point.spec!r}; it takes {', '.join(self._resolvers)}."
            )
        position, base_velocity = self._resolvers[point.spec](point.values, state)
        return Command(stamp=point.stamp, position=position, base_velocity=base_velocity, chunk_stamp=point.chunk_stamp)

    def _from_ee(self, values: np.ndarray, state: RobotState) -> tuple[np.ndarray, np.ndarray]:
        poses, grasps = {}, {}
        for side, first in self._pose.items():
            poses[side] = (values[first : first + 3], from_rotvec(values[first + 3 : first + 6]))
            grasps[side] = values[first + 6]
        return self._join(self.arms.step(poses, state), grasps), values[-3:]

    def _from_joint(self, values: np.ndarray, state: RobotState) -> tuple[np.ndarray, np.ndarray]:
        grasps = {side: values[column] for side, column in self._joint_grasp.items()}
        return self._join(values[self._joint_columns], grasps), values[-3:]

    def _from_primitive(self, values: np.ndarray, state: RobotState) -> tuple[np.ndarray, np.ndarray]:
        """A primitive starts and ends at once; the base speeds up and slows down at 0.8 of what it may."""
        primitive = PRIMITIVES[int(values[0])]
        most = 0.8 * np.array(self.robot.base.acceleration) / self.robot.control_rate_hz
        self._base = self._base + np.clip(np.array(primitive.base_velocity) - self._base, -most, most)
        return self.gestures.step(primitive.gesture), self._base

    def _join(self, arms: np.ndarray, grasps: dict[str, float]) -> np.ndarray:
        position = np.empty(len(self.robot.commanded))
        position[self._arm_slots] = arms
        for side, slots in self._hand_slots.items():
            position[slots] = self._hands[side].targets(grasps[side])
        return position
