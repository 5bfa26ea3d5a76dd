"""The suite's scripted expert, and the errors that are added to what it does while its label stays clean.

raw (39,) -> Expert.action -> label (4,);  label + Stray.next -> what is carried out (DART, Laskey et al. 2017)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from volition.benchmarks.metaworld.world import suite

KICKS, KICK, KICK_STEPS = 0.025, 0.7, 6  # a step; of the largest action; how long


class Expert:
    """Sees everything, object and goal too."""

    def __init__(self, task: str) -> None:
        self._policy = suite("policies").ENV_POLICY_MAP[f"{task}-v3"]()

    def action(self, raw: np.ndarray) -> np.ndarray:
        """(4,) within -1 to 1, as the suite would cut it."""
        return np.clip(np.asarray(self._policy.get_action(raw), dtype=np.float64), -1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class StrayConfig:
    spread: float = 0.25  # standard deviation of each axis, of the largest action; 0: none
    kicks: float = KICKS


class Stray:
    """Errors of the hand's motion over one episode; the gripper's are none."""

    def __init__(self, config: StrayConfig, random: np.random.Generator) -> None:
        self._config, self._random = config, random
        self._kick, self._left = np.zeros(3), 0

    def next(self) -> np.ndarray:
        """(4,)"""
        if not self._config.spread:
            return np.zeros(4)
        if self._left == 0 and self._random.random() < self._config.kicks:
            way = self._random.normal(size=3)
            self._kick, self._left = KICK * way / np.linalg.norm(way), KICK_STEPS
        off = self._random.normal(0.0, self._config.spread, 3) + (self._kick if self._left else 0.0)
        self._left = max(self._left - 1, 0)
        return np.array([*off, 0.0])
