"""Standing still on purpose: what the loop commands before the first chunk and after the last, when no policy is asked.

It goes through the shield as any command does, but needs nothing of it: a run that begins and ends well shows no
shield stop. (Where something went wrong the loop sends no command, and the shield stops the robot its own way.)
"""

from __future__ import annotations

import numpy as np

from volition.types import Command, RobotSpec

_ARMS = 0.3  # s: joints run out as velocity (1 - s)^2, gentle against acceleration and jerk limits alike
_BASE = 0.5  # s: the base ramps down in a straight line, 0.6 m/s at 1.2 m/s^2


class Rest:
    """From the motion at `now` to rest: a third of `_ARMS` of each joint's velocity further on, base at 0."""

    def __init__(
        self, robot: RobotSpec, position: np.ndarray, velocity: np.ndarray, base_velocity: np.ndarray, now: float
    ) -> None:
        self._position, self._velocity, self._base, self._now = position, velocity, base_velocity, now
        self._low, self._high = np.array([joint.position for joint in robot.commanded]).T

    def command(self, now: float) -> Command:
        passed = max(0.0, now - self._now)
        left = max(0.0, 1.0 - passed / _ARMS)
        position = self._position + self._velocity * (_ARMS / 3.0) * (1.0 - left**3)
        return Command(
            stamp=now,
            position=np.clip(position, self._low, self._high),
            base_velocity=self._base * max(0.0, 1.0 - passed / _BASE),
        )
