"""What the robot feels of itself, as the one vector that training and serving share: `observation.state`.

    RobotState (measured) -> Proprioception.vector -> (S,), its numbers named by `names`

Only what a real robot measures: encoders, forward kinematics, IMU and the odometry's velocity and height. No position
or heading in the world: neither is known well on a robot, and a policy that knew them would learn the room by heart.
"""

from __future__ import annotations

import numpy as np

from volition.body.arms import Arms
from volition.body.hands import Hand
from volition.transforms.rotation import to_rotvec
from volition.types import RobotSpec, RobotState

SIDES = ("left", "right")
SPEEDS = ("base.forward", "base.left", "base.turn")
_BASE = (*SPEEDS, "base.roll", "base.pitch", "base.height")


class Proprioception:
    """For each commanded joint its angle (rad); for each hand the grasp centre (m) and rotation vector (rad) in the
    pelvis frame, and how closed it is (0 to 1); the torso's place and rotation vector in that frame; of the pelvis the velocity forward and left (m/s, its own frame), the
    rate of turn (rad/s), roll and pitch (rad) and the height (m). Of a robot without a left arm, as other people's
    benchmarks have them, the commanded joints alone."""

    def __init__(self, robot: RobotSpec) -> None:
        self._commanded = robot.commanded_index
        self._fingers: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
        self.names: tuple[str, ...] = tuple(joint.name for joint in robot.commanded)
        self._arms = Arms(robot) if robot.group("left_arm") else None
        if self._arms is None:
            return
        for side in SIDES:
            hand, names = Hand(robot, side), [joint.name for joint in robot.group(f"{side}_hand")]
            begin = hand.targets(0.0)
            way = hand.targets(1.0) - begin
            self._fingers[side] = (np.array([robot.joint_names.index(name) for name in names]), begin, way)
        hands = [f"{side}.{part}" for side in SIDES for part in ("x", "y", "z", "rx", "ry", "rz", "closed")]
        torso = [f"torso.{part}" for part in ("x", "y", "z", "rx", "ry", "rz")]
        self.names += (*hands, *torso, *_BASE)

    def vector(self, state: RobotState) -> np.ndarray:
        """(S,) float64"""
        parts = [state.position[self._commanded]]
        if self._arms is None:
            return parts[0]
        for side in SIDES:
            position, quaternion = self._arms.hand(side, state)
            parts += [position, to_rotvec(quaternion), [self.closed(side, state)]]
        position, quaternion = self._arms.torso(state)
        parts += [position, to_rotvec(quaternion)]
        roll, pitch = roll_and_pitch(state.base_quaternion)
        forward, left, _ = state.base_velocity
        parts.append(np.array([forward, left, state.base_angular_velocity[2], roll, pitch, state.base_position[2]]))
        return np.concatenate(parts)

    def closed(self, side: str, state: RobotState) -> float:
        """How far the fingers are on their way from open to closed; less than 1 around a thing."""
        index, begin, way = self._fingers[side]
        return float(np.clip((state.position[index] - begin) @ way / (way @ way), 0.0, 1.0))


def roll_and_pitch(quaternion: np.ndarray) -> tuple[float, float]:
    """Leaning to the right and forwards, rad: the first two of roll, pitch, yaw about fixed x, y, z."""
    w, x, y, z = quaternion
    roll = np.arctan2(2.0 * (w * x + y * z), 1.0 - 2.0 * (x * x + y * y))
    return float(roll), float(np.arcsin(np.clip(2.0 * (w * y - z * x), -1.0, 1.0)))
