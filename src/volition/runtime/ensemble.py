"""Temporal ensembling: each step of a new chunk becomes the mean of what the latest chunks say for its time.

    ActionChunk, the chunks before it -> Ensemble.mix -> ActionChunk with the same stamp -> Executor

Weights are exp(-decay * i), i = 0 for the oldest chunk: above 0 the older ones count more, which is the smoother, below 0
the newer ones. A discrete choice is the newest chunk's. Source: Zhao et al. 2023 (ACT), arXiv:2304.13705.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np

from volition.errors import ContractError
from volition.runtime.trajectory import Kinds, Trajectory
from volition.transforms import rotation
from volition.types import ActionChunk, ActionSpec

_SLACK = 1e-9  # s


class Ensemble:
    """`reset`, then `mix` every chunk in the order of their stamps. `most`: chunks that are remembered."""

    def __init__(self, spec: ActionSpec, *, decay: float = 0.01, most: int = 16) -> None:
        if not -5.0 <= decay <= 5.0:
            raise ContractError(f"Ensemble.decay is {decay}; it must be -5 to 5 a chunk.")
        if not 1 <= most <= 100:
            raise ContractError(f"Ensemble.most is {most}; it must be 1 to 100 chunks.")
        self._kinds, self._decay = Kinds(spec), decay
        self._curves: deque[Trajectory] = deque(maxlen=most)  # oldest first, as the policy gave them

    def reset(self) -> None:
        self._curves.clear()

    def mix(self, chunk: ActionChunk) -> ActionChunk:
        times = chunk.stamp + chunk.dt * np.arange(len(chunk.values) + 1)
        self._curves.append(
            Trajectory(self._kinds, times, np.concatenate([chunk.values[:1], chunk.values]), moving=True)
        )
        values = np.array([self._mean(time) for time in times[1:]])
        values[:, self._kinds.discrete] = chunk.values[:, self._kinds.discrete]
        return replace(chunk, values=values)

    def _mean(self, time: float) -> np.ndarray:
        """(A,)"""
        known = [curve.value(time) for curve in self._curves if time <= curve.end + _SLACK]
        weights = np.exp(-self._decay * np.arange(len(known)))
        weights /= weights.sum()
        mean = weights @ np.array([values for values, _ in known])
        if len(self._kinds.rotations):
            newest = known[-1][1]  # (R, 4)
            turns = np.array([rotation.between(newest, turned) for _, turned in known])
            middle = rotation.multiply(newest, rotation.from_rotvec(np.tensordot(weights, turns, axes=1)))
            mean[self._kinds.rotations] = rotation.to_rotvec(middle)
        return mean
