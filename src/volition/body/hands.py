"""Fingers from one number a hand: 0 is open, 1 is closed around an object. Angles from grasp trials of the three-finger hand."""

from __future__ import annotations

import numpy as np

from volition.types import RobotSpec

# Right hand, rad: thumb opposed and back to let an object in; wrapped around it. The left hand's angles are mirrored.
_OPEN = {
    "thumb_0": 0.0,
    "thumb_1": 0.7,
    "thumb_2": 0.0,
    "index_0": 0.0,
    "index_1": 0.0,
    "middle_0": 0.0,
    "middle_1": 0.0,
}
_CLOSED = {
    "thumb_0": 0.0,
    "thumb_1": -1.0,
    "thumb_2": -1.0,
    "index_0": 1.3,
    "index_1": 1.5,
    "middle_0": 1.3,
    "middle_1": 1.5,
}


class Hand:
    """One hand: `targets(grasp)` are the angles of its joints, in the robot's order."""

    def __init__(self, robot: RobotSpec, side: str) -> None:
        joints = robot.group(f"{side}_hand")
        mirror = 1.0 if side == "right" else -1.0
        fingers = [joint.name.removeprefix(f"{side}_hand_").removesuffix("_joint") for joint in joints]
        self._open = np.array([mirror * _OPEN[finger] for finger in fingers])
        self._closed = np.array([mirror * _CLOSED[finger] for finger in fingers])

    def targets(self, grasp: float) -> np.ndarray:
        share = min(max(grasp, 0.0), 1.0)
        return self._open + share * (self._closed - self._open)
