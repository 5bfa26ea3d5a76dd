"""Everything that decides what a data set of demonstrations holds, save how many: which scene each episode is of.

    Recipe + episode number -> Job(skill, index) -> scene seed of each attempt

Episode n is the same whoever makes it and whenever: workers, kills and later additions leave it untouched.
"""

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from volition.sim.choices import CHAIN
from volition.sim.randomise import Axes
from volition.sim.skills import SKILLS
from volition.teach.errors import TeachError

EPISODES, ATTEMPTS = 1_000_000, 50  # the most episodes of a skill, and scenes tried for one of them
SLOWEST = 2.0  # strength of the latency axis at which an expert's answer is still in time for the next frame


@dataclass(frozen=True, kw_only=True)
class Job:
    """One episode: its number in the data set, its skill, and which of this skill's episodes it is."""

    number: int
    skill: str
    index: int


@dataclass(frozen=True, kw_only=True)
class Made:
    """An episode that lies in its folder, plain enough to send between processes."""

    number: int
    folder: str
    failed: tuple[str, ...]  # why each attempt before it was not kept


class Maker(Protocol):
    def episode(self, job: Job, folder: Path) -> Made: ...


class Plan(Protocol):
    """What a data set is to hold: `Recipe` for demonstrations of skills, `SceneRecipe` (scenes.py) for the primitives."""

    def job(self, number: int) -> Job: ...

    def to_json(self) -> dict[str, Any]:
        """What must be the same to go on with a data set."""
        ...

    def maker(self) -> Maker:
        """What a worker builds once."""
        ...


@dataclass(frozen=True, kw_only=True)
class Recipe:
    skills: tuple[str, ...]
    seed: int = 0
    axes: Axes = dataclasses.field(default_factory=Axes)
    noise: float = 0.0
    recoveries: float = 0.0
    seconds: float = 0.0  # of each episode, from its beginning; 0: until its goals are reached
    pixels: int = 128
    split: str = "train"  # of the words
    policy: str = ""  # folder of a checkpoint that acts while the expert corrects it; empty: the expert acts
    weights: str = ""  # sha256 of its weights
    expert: float = 0.0  # share of the time that the expert leads all the same

    def __post_init__(self) -> None:
        for name in self.skills:
            if name not in (*SKILLS, CHAIN):
                raise TeachError(f"There is no skill {name!r}; there are all, {', '.join((*SKILLS, CHAIN))}.")
        if not self.skills or len(set(self.skills)) != len(self.skills):
            raise TeachError(f"The skills are {', '.join(self.skills) or 'none'}; name one or more, each once.")
        if self.axes.latency > SLOWEST:
            raise TeachError(
                f"The axis latency is {self.axes.latency:g}; demonstrations take at most {SLOWEST:g}, so that the "
                "expert answers before the next frame."
            )

    def job(self, number: int) -> Job:
        """Skills take turns, so that any first part of the data set has equal shares too."""
        return Job(number=number, skill=self.skills[number % len(self.skills)], index=number // len(self.skills))

    def scene_seed(self, job: Job, attempt: int) -> int:
        """No two episodes of a skill share a scene, nor do two seeds."""
        return (self.seed * EPISODES + job.index) * ATTEMPTS + attempt

    def stream(self, job: Job, attempt: int, use: str) -> tuple[int, ...]:
        """The seed of an episode's random numbers for one use: words, noise ..."""
        return self.scene_seed(job, attempt), zlib.crc32(job.skill.encode()), zlib.crc32(use.encode())

    def maker(self) -> Maker:
        from volition.teach.demonstrate import Teacher  # late: it needs the simulator

        return Teacher(self)

    def to_json(self) -> dict[str, Any]:
        """A policy is known by its weights, wherever they lie. Whole episodes need no word about it."""
        without = ("policy",) if self.seconds else ("policy", "seconds")
        values = {name: value for name, value in dataclasses.asdict(self).items() if name not in without}
        return values | {"skills": list(self.skills)}
