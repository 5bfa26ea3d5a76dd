"""Everything that decides what a data set of the suite holds: whose episode each number is, and by which seed.

    Recipe + episode number -> Job(task, index) -> seed of each attempt

Tasks take turns in runs of five, so that the first 10 or 25 demonstrations of each task are a data set of their own.
"""

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from volition.benchmarks.metaworld.camera import CAMERAS
from volition.benchmarks.metaworld.errors import MetaWorldError
from volition.benchmarks.metaworld.tasks import TIER
from volition.benchmarks.metaworld.world import FIRST
from volition.teach.recipe import Job

RUN = 5  # episodes of a task in a row: a worker keeps its world for them
MOST = 1000  # demonstrations a task
ATTEMPTS = 30
_BEGIN = 1_000_000  # seeds of training begin here; those of evaluations end long before
assert FIRST + 100_000 < _BEGIN


@dataclass(frozen=True, kw_only=True)
class Recipe:
    tasks: tuple[str, ...]
    seed: int = 0
    cameras: tuple[str, ...] = ("corner2",)
    pixels: int = 128
    noisy: float = 0.75  # share of the episodes in which what is carried out strays
    spread: float = 0.25
    hold: int = 25  # steps more, after the task is done
    policy: str = ""  # folder of a checkpoint that acts while the expert labels; empty: the expert acts
    weights: str = ""  # sha256 of its weights
    expert: float = 0.0  # share of the time that the expert leads all the same
    execute: int = 5  # actions of the policy's chunk that are carried out

    def __post_init__(self) -> None:
        unknown = [name for name in self.tasks if name not in TIER]
        if unknown or not self.tasks:
            raise MetaWorldError(f"The tasks are {', '.join(self.tasks) or 'none'}; there is no {', '.join(unknown)}.")
        if not self.cameras or [name for name in self.cameras if name not in CAMERAS]:
            raise MetaWorldError(
                f"The cameras are {', '.join(self.cameras) or 'none'}; there are {', '.join(CAMERAS)}."
            )

    def job(self, number: int) -> Job:
        turn, place = divmod(number, RUN * len(self.tasks))
        which, one = divmod(place, RUN)
        return Job(number=number, skill=self.tasks[which], index=turn * RUN + one)

    def scene_seed(self, job: Job, attempt: int) -> int:
        """No two episodes of a task share one, nor do two seeds, nor a training and an evaluation."""
        return _BEGIN + (self.seed * MOST + job.index) * ATTEMPTS + attempt

    def random(self, job: Job, attempt: int, use: str) -> np.random.Generator:
        """For one use: words, noise ..."""
        return np.random.default_rng(
            [self.scene_seed(job, attempt), zlib.crc32(job.skill.encode()), zlib.crc32(use.encode())]
        )

    def maker(self) -> Any:
        from volition.benchmarks.metaworld.demonstrate import Demonstrator  # late: it needs the suite

        return Demonstrator(self)

    def to_json(self) -> dict[str, Any]:
        """A policy is known by its weights, wherever they lie."""
        values = {name: value for name, value in dataclasses.asdict(self).items() if name != "policy"}
        return values | {"suite": "metaworld", "tasks": list(self.tasks), "cameras": list(self.cameras)}
