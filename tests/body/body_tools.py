"""States to give a body without physics: home posture, upright, at the origin, changed where a test says."""

from __future__ import annotations

import math

import numpy as np

from volition.body.proprioception import Proprioception
from volition.robots.g1 import g1
from volition.types import RobotSpec, RobotState

ROBOT = g1()
TICK = 1.0 / ROBOT.control_rate_hz
NAMES = Proprioception(ROBOT).names


def state(
    robot: RobotSpec = ROBOT,
    *,
    position=None,
    velocity=None,
    place: tuple[float, float] = (0.0, 0.0),
    heading: float = 0.0,
    stamp: float = 0.0,
) -> RobotState:
    joints = len(robot.joints)
    return RobotState(
        stamp=stamp,
        position=robot.home_position if position is None else position,
        velocity=np.zeros(joints) if velocity is None else velocity,
        effort=np.zeros(joints),
        base_position=[*place, 0.75],
        base_quaternion=[math.cos(heading / 2), 0, 0, math.sin(heading / 2)],
        base_velocity=np.zeros(3),
        base_angular_velocity=np.zeros(3),
    )


def smooth(share: float) -> float:
    """The minimum-jerk curve from 0 to 1."""
    share = min(max(share, 0.0), 1.0)
    return share**3 * (10 - 15 * share + 6 * share**2)


def felt(**numbers: float) -> np.ndarray:
    """What it feels: `left_x=0.3` is the number left.x; the rest is 0 but for the height."""
    state = np.zeros(len(NAMES))
    for name, value in ({"base_height": 0.75} | numbers).items():
        state[NAMES.index(name.replace("_", ".", 1))] = value
    return state
