"""A checkpoint at the hand: asked for a chunk, of which the first actions are carried out before it is asked again.

checkpoint folder -> Learned.load -> action(world, pictures, instruction) -> (4,)
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from volition.benchmarks.metaworld.robot import RATE
from volition.benchmarks.metaworld.world import World, observed
from volition.model.checkpoint import load
from volition.model.policy import LearnedPolicy
from volition.policy import Policy
from volition.types import RobotSpec


class Learned:
    """`took`: wall time of each decision since the last reset, s."""

    def __init__(self, policy: Policy, execute: int) -> None:
        self._policy, self._execute = policy, execute
        self._left: list[np.ndarray] = []
        self.took: list[float] = []

    @classmethod
    def load(cls, folder: Path, robot: RobotSpec, execute: int, *, device: str = "cpu") -> Learned:
        """Refuses a checkpoint that was taught on another robot, with other cameras or other pictures."""
        return cls(LearnedPolicy(load(folder), robot, device=device), execute)

    def reset(self, instruction: str) -> None:
        self._policy.reset(instruction)
        self._left, self.took = [], []

    @property
    def decides(self) -> bool:
        """Whether the next action needs a look."""
        return not self._left

    def action(self, world: World, pictures: dict[str, np.ndarray], instruction: str) -> np.ndarray:
        """`pictures` are looked at where it decides."""
        if self.decides:
            begin = time.perf_counter()
            chunk = self._policy.infer(observed(world.raw, pictures, instruction, world.steps / RATE))
            self.took.append(time.perf_counter() - begin)
            self._left = list(chunk.values[: self._execute])
        return self._left.pop(0)
