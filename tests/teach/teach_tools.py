"""Workers of one process that stage small made-up episodes at once, in an odd order: the orchestra without the music."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from volition.body.proprioception import Proprioception
from volition.data.stage import EpisodeStage
from volition.data.store import Dataset
from volition.robots.g1 import g1
from volition.teach.configs import GenerateConfig
from volition.teach.demonstrate import Made, features_of
from volition.teach.recipe import Job, Recipe
from volition.teach.workers import folder_of


class QuickWorkers:
    """Implements Workers. `stop_after` episodes it is as if somebody pressed Ctrl-C."""

    made: list[int] = []  # noqa: RUF012 -- of all of them, for the tests to look at

    def __init__(self, recipe: Recipe, folder: Path, count: int, stop_after: int = -1) -> None:
        robot = g1(recipe.pixels)
        self._folder, self._count, self._stop = folder, count, stop_after
        self._features = features_of(robot, Proprioception(robot))
        self._jobs: list[Job] = []
        self._done = 0

    @property
    def idle(self) -> int:
        return self._count - len(self._jobs)

    def give(self, job: Job) -> None:
        self._jobs.append(job)

    def take(self, timeout_s: float) -> list[Made]:
        if self._done == self._stop:
            raise KeyboardInterrupt
        job = self._jobs.pop()  # the latest first
        random = np.random.default_rng(job.number)
        stage = EpisodeStage(folder_of(self._folder, job), self._features, 10.0)
        for _ in range(3 + job.number):
            frame = {
                f.name: random.integers(0, 255, f.shape).astype(np.uint8)
                if f.kind == "image"
                else random.normal(size=f.shape).astype(f.dtype)
                for f in self._features
            }
            stage.add_frame(frame, f"do {job.skill}")
        stage.finish(success=True, info={"skill": job.skill, "failed": ["time"] * (job.number == 1)})
        self._done += 1
        self.made.append(job.number)
        return [Made(number=job.number, folder=str(folder_of(self._folder, job)), failed=("time",) * (job.number == 1))]

    def close(self) -> None:
        self._jobs.clear()


def config(folder: Path, **options: object) -> GenerateConfig:
    given = {"skill": "press_button", "episodes": 3, "workers": 2, "pixels": 32, "out": folder} | options
    return GenerateConfig(**given)  # pyright: ignore[reportArgumentType]


def same(one: Path, other: Path) -> None:
    """Equal numbers, words, infos and pictures, so equal fingerprints."""
    with Dataset(one) as a, Dataset(other) as b:
        assert a.episodes == b.episodes
        for index in range(a.episodes):
            left, right = a.episode(index), b.episode(index)
            assert (left.info, left.tasks, left.success) == (right.info, right.tasks, right.success)
            for name, values in left.arrays.items():
                np.testing.assert_array_equal(values, right.arrays[name], err_msg=f"episode {index}, {name}")
            for name in left.cameras:
                frames = range(len(left))
                np.testing.assert_array_equal(a.images(index, name, frames), b.images(index, name, frames))
        assert a.fingerprint() == b.fingerprint()
