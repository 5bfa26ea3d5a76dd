"""The G1's spec with small pictures, a body of a few lines, and blocks of actions for it."""

from __future__ import annotations

import numpy as np

from volition.robots.g1 import g1
from volition.types import ActionPoint, Command, RobotState

ROBOT = g1(16)
JOINT = ROBOT.action("joint")
ARMS = [name for name in JOINT.names if name.endswith("_joint")]
COLUMNS = [JOINT.index(name) for name in ARMS]
SLOTS = [[joint.name for joint in ROBOT.commanded].index(name) for name in ARMS]
HOME = ROBOT.home_position[ROBOT.commanded_index]


class JointBody:
    """The arms' joints as they are told, hands at home."""

    def __init__(self) -> None:
        self.fails_at: float | None = None
        self.resets = 0

    def reset(self, state: RobotState) -> None:
        self.resets += 1

    def resolve(self, point: ActionPoint, state: RobotState) -> Command:
        if self.fails_at is not None and abs(point.stamp - self.fails_at) < 0.05:
            raise ArithmeticError("no solution")
        position = HOME.copy()
        position[SLOTS] = point.values[COLUMNS]
        return Command(
            stamp=point.stamp, position=position, base_velocity=point.values[-3:], chunk_stamp=point.chunk_stamp
        )


def block(steps: int = 8, *, forward: float = 0.0, elbow: float = 0.0) -> np.ndarray:
    """K steps at home, walking, with the left elbow further by `elbow` radians at the end."""
    values = np.zeros((steps, len(JOINT.dimensions)))
    values[:, COLUMNS] = HOME[SLOTS]
    values[:, JOINT.index("left_elbow_joint")] += elbow
    values[:, JOINT.index("base.forward")] = forward
    return values


def anchor(state: RobotState) -> np.ndarray:
    return block(1)[0]
