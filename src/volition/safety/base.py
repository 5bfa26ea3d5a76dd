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
        # np.clip does the same and takes three times as long for three numbers.
        allowed = np.minimum(np.maximum(wanted, -self._velocity), self._velocity)
        change = allowed - last
        less = np.minimum(np.maximum(change, -self._change), self._change)
        # Unchanged where it is allowed, bit for bit; `last + change` would round.
        sent = np.where(change == less, allowed, last + less)
        if (sent == wanted).all():
            return sent, ()
        trimmed = tuple(
            (axis, reasons.BASE_VELOCITY if allowed[axis] != wanted[axis] else reasons.BASE_ACCELERATION)
            for axis in np.flatnonzero(sent != wanted).tolist()
        )
        return sent, trimmed
