"""One action for one policy tick: its Gymnasium space, and the chunk that it stands for in the loop."""

from __future__ import annotations

import math

import numpy as np
from gymnasium.spaces import Box

from volition.types import ActionChunk, ActionSpec


def action_box(spec: ActionSpec, horizon: int) -> Box:
    """(A,), or (horizon, A), in physical units. The bounds are the float32 numbers just inside the spec's own."""
    low, high = spec.low.astype(np.float32), spec.high.astype(np.float32)
    low = np.where(low < spec.low, np.nextafter(low, np.float32(np.inf)), low)
    high = np.where(high > spec.high, np.nextafter(high, np.float32(-np.inf)), high)
    if horizon > 1:
        low, high = np.tile(low, (horizon, 1)), np.tile(high, (horizon, 1))
    return Box(low, high, dtype=np.float32)


def held(action: np.ndarray, spec: ActionSpec, *, stamp: float, dt: float, latency_s: float) -> ActionChunk:
    """A chunk from a single action: due a policy tick after its observation, then held until the next one arrives.

    The executor leads the arms there within its blend, 0.15 s. A guess where the actions are going, from the last
    two, would save that lag, but it overshoots whenever they stop: the shield then trims twice as much, and experts
    take longer and fail more (docs/gym.md).
    """
    steps = 2 + math.ceil(latency_s / dt)
    return ActionChunk(stamp=stamp, values=np.repeat(action[None], steps, axis=0), dt=dt, spec=spec.name)
