"""The border where a policy's chunks come in: what is wrong with a chunk, and the chunk clipped to its bounds. Used by the shield."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from volition.errors import ContractError
from volition.safety import reasons
from volition.types import ActionChunk, ActionSpec, Intervention, RobotSpec

_SAME = 1e-9  # s: stamps this near are the same


def admit(
    robot: RobotSpec, chunk: ActionChunk, now: float, last_stamp: float | None, *, stale_after: float, future: float
) -> tuple[ActionChunk | None, tuple[Intervention, ...]]:
    """The chunk to use, or None and why not. Continuous values outside their bounds are clipped and reported."""

    def refuse(reason: str, where: str, detail: str, before: float | None = None) -> tuple[None, tuple[Intervention]]:
        return None, (Intervention(stamp=now, reason=reason, where=where, before=before, detail=detail),)

    age = now - chunk.stamp
    if not np.isfinite(age):
        return refuse(reasons.BAD_CHUNK, "stamp", f"stamp {chunk.stamp} at time {now}")
    if age < -future:
        return refuse(reasons.FUTURE, "stamp", f"stamped {-age:.3f} s ahead of the clock", chunk.stamp)
    if last_stamp is not None and abs(chunk.stamp - last_stamp) <= _SAME:
        return refuse(reasons.REPEATED, "stamp", "this stamp was taken already", chunk.stamp)
    if last_stamp is not None and chunk.stamp < last_stamp:
        return refuse(
            reasons.OUT_OF_ORDER, "stamp", f"{last_stamp - chunk.stamp:.3f} s older than the last", chunk.stamp
        )
    if age > stale_after:
        return refuse(reasons.LATE, "stamp", f"{age:.3f} s old; allowed is {stale_after:.3f} s", chunk.stamp)
    try:
        spec = robot.action(chunk.spec)
    except ContractError as error:
        return refuse(reasons.BAD_CHUNK, "spec", str(error))
    values = chunk.values
    if values.ndim != 2 or values.shape[0] == 0 or values.shape[1] != len(spec.dimensions):
        return refuse(reasons.BAD_CHUNK, "values", f"shape {values.shape}; {spec.name} has (K, {len(spec.dimensions)})")
    return _check_values(chunk, spec, now)


def _check_values(
    chunk: ActionChunk, spec: ActionSpec, now: float
) -> tuple[ActionChunk | None, tuple[Intervention, ...]]:
    values = chunk.values
    for step, column in np.argwhere(~np.isfinite(values)).tolist():
        detail = f"step {step} is {values[step, column]}"
        return None, (Intervention(stamp=now, reason=reasons.NOT_FINITE, where=spec.names[column], detail=detail),)
    inside = np.clip(values, spec.low, spec.high)
    wrong = spec.discrete & ((values != np.round(values)) | (values != inside))
    for step, column in np.argwhere(wrong).tolist():
        dimension, value = spec.dimensions[column], float(values[step, column])
        detail = f"step {step} is {value:g}; ids are whole, {dimension.low:g} to {dimension.high:g}"
        where = dimension.name
        return None, (Intervention(stamp=now, reason=reasons.BAD_CHUNK, where=where, before=value, detail=detail),)
    if (values == inside).all():
        return chunk, ()
    found: list[Intervention] = []
    excess = np.abs(values - inside)
    for column in np.flatnonzero(excess.any(axis=0)).tolist():
        step, dimension = int(np.argmax(excess[:, column])), spec.dimensions[column]
        found.append(
            Intervention(
                stamp=now,
                reason=reasons.BOUNDS,
                where=dimension.name,
                before=float(values[step, column]),
                after=float(inside[step, column]),
                detail=f"step {step} in {dimension.unit}, the worst of {int((excess[:, column] > 0).sum())}",
            )
        )
    return replace(chunk, values=inside), tuple(found)
