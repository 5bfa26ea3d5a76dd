"""From 10 Hz chunks (K, A) to 50 Hz actions: samples the running chunk and joins it smoothly to the one before.

    ActionChunk (admitted by the shield) -> Executor -> ActionPoint -> Body

Step k of a chunk is meant for `stamp + (k + 1) * dt`, so a late chunk starts in its middle: steps whose time has
passed are skipped, never replayed. At a replacement the new curve is shifted by what separates it from the running
one (in value and in rate), and the shift fades to nothing over `blend` seconds. A fading shift, rather than a
mixture of both curves, needs no memory of earlier chunks, and on SO(3) it cannot flip when two curves drift
more than pi apart in the middle of a mixture. Other ways are named in `ways.py`.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace

import numpy as np

from volition.errors import ContractError
from volition.runtime.ensemble import Ensemble
from volition.runtime.trajectory import Kinds, Trajectory
from volition.transforms import rotation
from volition.types import ActionChunk, ActionPoint, ActionSpec, Ahead

Array = np.ndarray

_EPSILON = 1e-5  # s: step of the numeric rates
_SLACK = 1e-6  # s
_DELAYS = 10  # chunks whose age at arrival is remembered


class Executor:
    """`reset`, then `accept` chunks as they come and `sample` once a control tick. Time never goes back.

    `ensemble`: each chunk is first averaged with those before it. `continues`: whoever asks the policy tells it what is
    `ahead`. `waits`: only this share of a chunk is played, from when it came, and no chunk is asked for meanwhile.
    """

    def __init__(
        self,
        spec: ActionSpec,
        blend: float = 0.15,
        *,
        ensemble: Ensemble | None = None,
        continues: bool = False,
        waits: float | None = None,
    ) -> None:
        if not 0.01 <= blend <= 5.0:
            raise ContractError(f"Executor.blend is {blend}; it must be 0.01 to 5 s.")
        if waits is not None and not 0.0 < waits <= 1.0:
            raise ContractError(f"Executor.waits is {waits}; it must be a share of a chunk, above 0 and at most 1.")
        deltas = [dimension.name for dimension in spec.dimensions if dimension.meaning == "delta"]
        if deltas:
            raise ContractError(
                f"Executor got {spec.name!r} with delta dimensions {', '.join(deltas)}; "
                "turn them into absolute values in the policy's transforms, where the state they refer to is known."
            )
        self.spec, self.blend = spec, blend
        self._ensemble, self._continues, self._waits = ensemble, continues, waits
        self._kinds = Kinds(spec)
        self.reset()

    def reset(self, anchor: Array | None = None) -> None:
        """Forget all chunks. `anchor` (A,) is where the robot is in this action space, if the caller knows:
        the first chunk then starts from it without a jump; else from its own first value, with velocities at 0."""
        self._chunk: ActionChunk | None = None
        self._curve: Trajectory | None = None
        self._anchor: Array | None = None
        self._delays: deque[float] = deque(maxlen=_DELAYS)
        if self._ensemble is not None:
            self._ensemble.reset()
        if anchor is not None:
            anchor = np.array(anchor, dtype=np.float64)
            if anchor.shape != (self._kinds.width,) or not np.isfinite(anchor).all():
                raise ContractError(f"Executor.reset: anchor must be {self._kinds.width} finite numbers, got {anchor}.")
            self._anchor = anchor

    @property
    def chunk(self) -> ActionChunk | None:
        """The chunk that runs now."""
        return self._chunk

    @property
    def patient(self) -> bool:
        """Whether the policy is asked for one chunk at a time, after the one before has come."""
        return self._continues or self._waits is not None

    def asks(self, now: float) -> bool:
        """Whether it is time for another chunk, as far as the executor is concerned."""
        return self._waits is None or self._chunk is None or now >= self._chunk.end - _SLACK

    def waiting(self, now: float) -> bool:
        """Whether it stands still on purpose until the next chunk comes."""
        return self._waits is not None and self._chunk is not None and now >= self._chunk.end - _SLACK

    def ahead(self, stamp: float) -> Ahead | None:
        """What will be done from an observation of now on; None if nobody is to be told, or nothing is known.

        As fixed count the steps that begin before a chunk can be here, going by the slowest of the last few.
        """
        if not self._continues or self._chunk is None or self._curve is None:
            return None
        dt = self._chunk.dt
        steps = math.floor((self._curve.end - stamp) / dt + _SLACK)
        if steps < 1:
            return None
        values = np.empty((steps, self._kinds.width))
        for step in range(steps):
            values[step], quaternions = self._now(self._curve, stamp + (step + 1) * dt)
            values[step, self._kinds.rotations] = rotation.to_rotvec(quaternions)
        fixed = math.ceil(max(self._delays, default=0.0) / dt - _SLACK)
        return Ahead(values=values, dt=dt, spec=self.spec.name, fixed=min(fixed, steps))

    def accept(self, chunk: ActionChunk, now: float) -> bool:
        """Run this chunk from now on. False, and nothing changes, if all its steps have passed or a newer one runs."""
        self._check(chunk)
        if self._chunk is not None and chunk.stamp < self._chunk.stamp:
            return False
        if self._waits is not None:  # the robot has stood still since it was asked for: it begins now
            played = math.ceil(self._waits * len(chunk.values))
            chunk = replace(chunk, stamp=now, values=chunk.values[:played])
        elif now >= chunk.end:
            return False
        self._delays.append(now - chunk.stamp)
        if self._ensemble is not None:
            chunk = self._ensemble.mix(chunk)
        present = self._present(now)
        self._join(self._curve_of(chunk, present, now), chunk, present, now)
        self._chunk = chunk
        return True

    def sample(self, now: float) -> ActionPoint | None:
        """The action for this instant, None before the first chunk."""
        if self._chunk is None or self._curve is None:
            return None
        values, quaternions = self._now(self._curve, now)
        values[self._kinds.rotations] = rotation.to_rotvec(quaternions)
        return ActionPoint(
            stamp=now,
            values=values,
            spec=self.spec.name,
            chunk_stamp=self._chunk.stamp,
            exhausted=max(0.0, now - self._curve.end),
        )

    def _check(self, chunk: ActionChunk) -> None:
        if chunk.spec != self.spec.name or chunk.values.shape[1] != self._kinds.width:
            raise ContractError(
                f"Executor for {self.spec.name!r} ({self._kinds.width} dimensions) got a chunk of {chunk.spec!r} "
                f"with {chunk.values.shape[1]}."
            )
        if not np.isfinite(chunk.values).all():
            raise ContractError("Executor got a chunk that is not finite; the shield must admit chunks before.")

    def _present(self, now: float) -> tuple[Array, Array, Array, Array] | None:
        """What is commanded now: values (A,), rotations (R, 4) and the rates of both. None: nothing is known."""
        if self._curve is not None:
            values, quaternions = self._now(self._curve, now)
            return values, quaternions, *_rates(values, quaternions, self._now(self._curve, now + _EPSILON))
        if self._anchor is None:
            return None
        quaternions = rotation.from_rotvec(self._anchor[self._kinds.rotations])
        return self._anchor, quaternions, np.zeros(self._kinds.width), np.zeros((len(quaternions), 3))

    def _curve_of(self, chunk: ActionChunk, present: tuple[Array, ...] | None, now: float) -> Trajectory:
        """The chunk as a curve from its stamp on. Before step 0 it is extended backwards at the rate on which the
        present motion and the chunk's first way agree, the smaller of the two, so that a policy that goes on along
        its old way is followed exactly, be it moving or standing.

        A line from what is commanded now to step 0 would do so too, but a chunk that disagrees would then be obeyed
        in the little time that is left until step 0, rather than in `blend`.
        """
        kinds, values = self._kinds, chunk.values
        start = values[0].copy()
        if present is not None:
            second = values[min(1, len(values) - 1)]
            first, after = (rotation.from_rotvec(step[kinds.rotations]) for step in (values[0], second))
            way = _common((second - start)[:, None], chunk.dt * present[2][:, None])[:, 0]
            start[kinds.absolute] -= way[kinds.absolute]
            turn = _common(rotation.between(first, after), chunk.dt * present[3])
            start[kinds.rotations] = rotation.to_rotvec(rotation.multiply(first, rotation.from_rotvec(-turn)))
            start[kinds.discrete] = present[0][kinds.discrete]  # about this stretch the chunk says nothing
        times = chunk.stamp + chunk.dt * np.arange(len(values) + 1)
        return Trajectory(kinds, times, np.concatenate([start[None], values]), moving=chunk.stamp <= now)

    def _join(self, curve: Trajectory, chunk: ActionChunk, present: tuple[Array, ...] | None, now: float) -> None:
        """Let `curve` run, shifted to go on from the present value and rate."""
        value, turned = curve.value(now)
        rate, turning = _rates(value, turned, curve.value(now + _EPSILON))
        if present is None:  # start where the chunk is, with the base at rest
            standing = value.copy()
            standing[self._kinds.velocity] = 0.0
            present = standing, turned, rate, turning
        shift, shift_rate = present[0] - value, present[2] - rate
        shift[self._kinds.discrete] = 0.0  # a discrete action switches with the curve, whole
        still = np.concatenate([self._kinds.discrete, self._kinds.velocity])
        shift_rate[still] = 0.0  # velocities are straight lines: only their value is continuous
        self._shift, self._shift_rate = shift, shift_rate
        # R(t) = curve(t) Exp(shift(t)): the rate of R is Exp(-shift) rate(curve) + J_r(shift) rate(shift).
        self._turn = rotation.between(turned, present[1])
        self._turn_rate = rotation.jacobian_inverse(
            self._turn, present[3] - rotation.rotate_inverse(rotation.from_rotvec(self._turn), turning)
        )
        # A rate that runs on while it fades may overshoot a little: never out of the action's bounds.
        self._low = np.minimum(self.spec.low, np.minimum(present[0], chunk.values.min(axis=0)))
        self._high = np.maximum(self.spec.high, np.maximum(present[0], chunk.values.max(axis=0)))
        self._curve, self._since = curve, now

    def _now(self, curve: Trajectory, now: float) -> tuple[Array, Array]:
        """Values (A,), and the rotations as quaternions (R, 4), of the running curve with its fading shift."""
        values, quaternions = curve.value(now)
        s = min(max((now - self._since) / self.blend, 0.0), 1.0)
        if s < 1.0:
            fade = 1.0 - s * s * (3.0 - 2.0 * s)
            lead = s * (1.0 - s) ** 2 * self.blend
            values += fade * self._shift + lead * self._shift_rate
            np.clip(values, self._low, self._high, out=values)
            quaternions = rotation.multiply(
                quaternions, rotation.from_rotvec(fade * self._turn + lead * self._turn_rate)
            )
        return values, quaternions


def _common(one: Array, other: Array) -> Array:
    """The shorter of two vectors where they point the same way, else zero. (..., D), (..., D) -> (..., D)"""
    size = np.linalg.norm(one, axis=-1, keepdims=True), np.linalg.norm(other, axis=-1, keepdims=True)
    shorter = np.where(size[0] <= size[1], one, other)
    return np.where(np.sum(one * other, axis=-1, keepdims=True) > 0, shorter, 0.0)


def _rates(values: Array, quaternions: Array, later: tuple[Array, Array]) -> tuple[Array, Array]:
    """Rates (A,) and angular velocities (R, 3) from two instants `_EPSILON` apart."""
    return (later[0] - values) / _EPSILON, rotation.between(quaternions, later[1]) / _EPSILON
