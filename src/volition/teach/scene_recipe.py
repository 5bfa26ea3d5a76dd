"""Everything that decides what a data set of scenes for the primitives holds, save how many.

SceneRecipe + episode number -> Job -> scene seed of each attempt -> Snapshots (snapshots.py) in each worker
"""

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import dataclass
from typing import Any

from volition.sim.randomise import Axes
from volition.teach.errors import TeachError
from volition.teach.recipe import EPISODES, Job, Maker

SKILL = "primitives"  # what these episodes are of, beside the skills
ATTEMPTS = 200  # scenes tried for an episode: about one in three is of training, one in four has a held-out place
# split -> whose scenes (`encounters.split_of`), whose words (`asks.ask`)
SPLITS: dict[str, tuple[str, str]] = {
    "train": ("train", "train"),
    "phrasings": ("train", "phrasings"),
    "layouts": ("layouts", "train"),
    "pairs": ("pairs", "train"),
    "held_out": ("layouts", "phrasings"),
}


@dataclass(frozen=True, kw_only=True)
class SceneRecipe:
    """Implements Plan."""

    seed: int = 0
    split: str = "train"
    frames: int = 8
    axes: Axes = dataclasses.field(default_factory=Axes)
    pixels: int = 128

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise TeachError(f"There is no split {self.split!r} of scenes; there are {', '.join(SPLITS)}.")

    def job(self, number: int) -> Job:
        return Job(number=number, skill=SKILL, index=number)

    def scene_seed(self, job: Job, attempt: int) -> int:
        """No two episodes share a scene, nor do two seeds or two splits."""
        split = list(SPLITS).index(self.split)
        return ((self.seed * len(SPLITS) + split) * EPISODES + job.index) * ATTEMPTS + attempt

    def stream(self, job: Job, attempt: int, use: str) -> tuple[int, ...]:
        """The seed of an episode's random numbers for one use."""
        return self.scene_seed(job, attempt), zlib.crc32(use.encode())

    def maker(self) -> Maker:
        from volition.teach.snapshots import Snapshots  # late: it needs the simulator

        return Snapshots(self)

    def to_json(self) -> dict[str, Any]:
        return {"skills": [SKILL], **dataclasses.asdict(self)}
