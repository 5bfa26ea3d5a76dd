"""Which limits a sequence of sent commands breaks, by finite differences: the judge of tests and of the fault harness."""

from __future__ import annotations

import numpy as np

from volition.types import RobotSpec

_FULL = 1 + 1e-6


def broken_limits(robot: RobotSpec, positions: np.ndarray, bases: np.ndarray) -> list[str]:
    """`positions` (T, C) and `bases` (T, 3), one row a control tick; one text for each kind of limit that is broken."""
    dt = 1.0 / robot.control_rate_hz
    low, high = np.array([joint.position for joint in robot.commanded]).T
    found: list[str] = []
    if not (np.isfinite(positions).all() and np.isfinite(bases).all()):
        return ["not finite"]
    if (positions < low).any() or (positions > high).any():
        found.append("position")
    rates = positions
    for name in ("velocity", "acceleration", "jerk"):
        rates = np.diff(rates, axis=0) / dt
        limit = np.array([getattr(joint, name) for joint in robot.commanded])
        if rates.size and (worst := float((np.abs(rates) / limit).max())) > _FULL:
            tick, at = np.unravel_index(int((np.abs(rates) / limit).argmax()), rates.shape)
            found.append(f"{name} {worst:.2f} of {robot.commanded[at].name} at tick {tick}")
    top, change = np.array(robot.base.velocity), np.array(robot.base.acceleration) * dt
    if (np.abs(bases) > top * _FULL).any():
        found.append("base velocity")
    if (np.abs(np.diff(bases, axis=0)) > change * _FULL).any():
        found.append("base acceleration")
    return found
