"""Trims the walking command: velocity and change of velocity of the base. The shield's second, simpler limiter."""

from __future__ import annotations

import numpy as np

from volition.safety import reasons
from volition.types import BaseLimits

AXES = ("base.forward", "base.left", "base.turn")


class BaseLimiter:
    """Pure: (wanted velocity, velocity sent last) -> velocity to send and which limit trimmed which axis."""

    def __init__(self, limits: BaseLimits, dt: float) -> None:
        self._velocity = np.array(limits.velocity)
        self._change = np.array(limits.acceleration) * dt

    def step(self, wanted: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, tuple[tuple[int, str], ...]]:
        allowed = np.clip(wanted, -self._velocity, self._velocity)
        change = allowed - last
        # Unchanged where it is allowed, bit for bit; `last + change` would round.
        sent = np.where(np.abs(change) <= self._change, allowed, last + np.clip(change, -self._change, self._change))
        trimmed = tuple(
            (axis, reasons.BASE_VELOCITY if allowed[axis] != wanted[axis] else reasons.BASE_ACCELERATION)
            for axis in np.flatnonzero(sent != wanted).tolist()
        )
        return sent, trimmed
