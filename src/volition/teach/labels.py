"""The same action in the `joint` space: where the arms' joints would be sent if the `ee` action were carried out.

(state, ee action) -> JointLabels.label -> joint action; what the body's own inverse kinematics makes of it
"""

from __future__ import annotations

import numpy as np

from volition.body.arms import SIDES, Arms
from volition.transforms.rotation import from_rotvec
from volition.types import RobotSpec, RobotState


class JointLabels:
    """A pure function of state and action: it begins from the measured arms each time and keeps nothing."""

    def __init__(self, robot: RobotSpec) -> None:
        self._arms = Arms(robot)
        self._ticks = round(robot.control_rate_hz / robot.policy_rate_hz)
        ee, self.spec = robot.action("ee"), robot.action("joint")
        self._pose = {side: ee.index(f"{side}.x") for side in SIDES}
        arms = [joint.name for joint in robot.commanded if joint.group.endswith("_arm")]
        self._to = np.array([self.spec.index(name) for name in arms])
        same = [name for name in self.spec.names if name not in arms]  # grasps and base
        self._same = np.array([self.spec.index(name) for name in same])
        self._same_ee = np.array([ee.index(name) for name in same])

    def label(self, state: RobotState, action: np.ndarray) -> np.ndarray:
        """(17,) in `ee` to (19,) in `joint`: the solution after the control ticks of one policy period."""
        poses = {
            side: (action[first : first + 3], from_rotvec(action[first + 3 : first + 6]))
            for side, first in self._pose.items()
        }
        self._arms.reset(state)
        angles = self._arms.step(poses, state)
        for _ in range(self._ticks - 1):
            angles = self._arms.step(poses, state)
        values = np.empty(len(self.spec.dimensions))
        values[self._to] = angles
        values[self._same] = action[self._same_ee]
        return np.clip(values, self.spec.low, self.spec.high)
