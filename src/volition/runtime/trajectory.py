"""One chunk as a curve in time: a smooth path through its steps, which the executor samples and joins to the next.

Absolute dimensions follow a monotone cubic (no overshoot between two steps), rotations its like on SO(3),
velocities straight lines, discrete dimensions steps. All but the velocities' slope and the discrete are
continuous in value and rate, to the end of the chunk and beyond it.
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from volition.transforms import rotation
from volition.types import ActionSpec

Array = np.ndarray

VELOCITY_STOP = 0.2  # s: after the end of a chunk velocities ramp to zero within this


class Kinds:
    """Which columns of an action are interpolated how."""

    def __init__(self, spec: ActionSpec) -> None:
        self.width = len(spec.dimensions)
        meanings = np.array([dimension.meaning for dimension in spec.dimensions])
        self.rotations = np.array([[first, first + 1, first + 2] for first in spec.rotations], dtype=np.intp).reshape(
            -1, 3
        )
        self.discrete = np.flatnonzero(meanings == "discrete")
        self.velocity = np.flatnonzero(meanings == "velocity")
        turning = np.isin(np.arange(self.width), self.rotations)
        self.absolute = np.flatnonzero((meanings == "absolute") & ~turning)


class Trajectory:
    """A curve through knots (N,), (N, A); constant before the first. After the last: held, velocities let down.

    `moving`: the curve leaves its first knot with the slope towards the second; else from rest, as one that is
    sampled before its first knot has to.
    """

    def __init__(self, kinds: Kinds, times: Array, values: Array, *, moving: bool) -> None:
        self.kinds, self.times, self.values = kinds, times, values
        self._moments: list[float] = times.tolist()
        gaps = np.diff(times)[:, None]
        self._places, self._velocities = values[:, kinds.absolute], values[:, kinds.velocity]
        slopes = _slopes(np.diff(self._places, axis=0) / gaps, moving)
        self._leave, self._arrive = gaps * slopes[:-1], gaps * slopes[1:]
        # Rotations: (N, R, 4). The way from each knot to the next, as a rotation vector in the knot's own frame.
        self._knots = rotation.from_rotvec(values[:, kinds.rotations])
        self._ways = rotation.between(self._knots[:-1], self._knots[1:])
        rates = _rotation_slopes(self._ways / gaps[..., None], moving)
        self._turn_leave = gaps[..., None] * rates[:-1]
        self._turn_arrive = gaps[..., None] * rotation.jacobian_inverse(self._ways, rates[1:])

    @property
    def end(self) -> float:
        return self._moments[-1]

    def value(self, now: float) -> tuple[Array, Array]:
        """All columns (A,), of which the rotations are left to the second: their quaternions (R, 4)."""
        kinds, moments = self.kinds, self._moments
        after = bisect_right(moments, now + 1e-9)  # knots up to and at now
        knot = max(after - 1, 0)
        out = self.values[knot].copy()  # right for the discrete, and outside the knots
        quaternions = self._knots[knot]
        if 0 < after < len(moments):
            s = min(max((now - moments[knot]) / (moments[after] - moments[knot]), 0.0), 1.0)
            leave, arrive = self._leave[knot], self._arrive[knot]
            out[kinds.absolute] = _hermite(s, self._places[knot], self._places[after], leave, arrive)
            out[kinds.velocity] = (1 - s) * self._velocities[knot] + s * self._velocities[after]
            if len(kinds.rotations):
                bend = _hermite(s, 0.0, self._ways[knot], self._turn_leave[knot], self._turn_arrive[knot])
                quaternions = rotation.multiply(quaternions, rotation.from_rotvec(bend))
        elif after == len(moments):
            out[kinds.velocity] *= max(0.0, 1.0 - max(0.0, now - self.end) / VELOCITY_STOP)
        return out, quaternions


def _hermite(s: float, start: Array | float, end: Array, leave: Array, arrive: Array) -> Array:
    """The cubic from `start` to `end`; `leave` and `arrive` are its slopes over the unit interval."""
    t = s * s * (3.0 - 2.0 * s)
    return (1 - t) * start + t * end + s * (1 - s) ** 2 * leave - s * s * (1 - s) * arrive


def _slopes(secants: Array, moving: bool) -> Array:
    """Slopes at the knots that keep each cubic monotone: the harmonic mean of both sides, 0 at a turn.

    Fritsch and Butland, "A method for constructing local monotone piecewise cubic interpolants" (1984). At the
    end it comes to rest, since after the last step the value is held.
    """
    slopes = np.zeros((len(secants) + 1, secants.shape[1]))
    before, after = secants[:-1], secants[1:]
    product, total = before * after, before + after
    same = product > 0
    slopes[1:-1] = np.where(same, 2.0 * product / np.where(same, total, 1.0), 0.0)
    if moving and len(secants):
        slopes[0] = secants[0]
    return slopes


def _rotation_slopes(rates: Array, moving: bool) -> Array:
    """Angular velocities at the knots (N, R, 3) from those between them: the same harmonic mean for vectors.

    Each rate is the same vector in the frames of both knots it joins (a rotation leaves its own axis where it
    is), so two neighbours can be compared in the frame of the knot between them.
    """
    slopes = np.zeros((len(rates) + 1, *rates.shape[1:]))
    before, after = rates[:-1], rates[1:]
    dot = np.sum(before * after, axis=-1, keepdims=True)
    size = np.linalg.norm(before, axis=-1, keepdims=True), np.linalg.norm(after, axis=-1, keepdims=True)
    weight = size[0] + size[1]
    # 2 / (1/a + 1/b) along the mean direction; in one dimension exactly Fritsch and Butland's.
    mean = (size[1] * before + size[0] * after) / np.where(weight > 0, weight, 1.0)
    slopes[1:-1] = np.where(dot > 0, mean, 0.0)
    if moving and len(rates):
        slopes[0] = rates[0]
    return slopes
