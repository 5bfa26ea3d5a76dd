"""Measures how things are mentioned in the scenes that the skills lay out, and how many of those are held out.

python -m volition.sim.language.shares --scenes 200
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track

from volition.errors import ContractError, said_plainly
from volition.sim.chain import chain
from volition.sim.language.held_out import split_of
from volition.sim.language.mention import WEIGHTS
from volition.sim.language.say import say
from volition.sim.language.words import ONE, check_split
from volition.sim.randomise import Draw
from volition.sim.scene import Scene
from volition.sim.skills import SKILLS

SPLITS = ("train", "pairs", "layouts")
CHAIN_STEPS = 3


@dataclass
class Shares:
    """Counts over scenes and over the mentions in an instruction of each."""

    splits: Counter[str] = field(default_factory=Counter)
    tags: Counter[str] = field(default_factory=Counter)
    ones: int = 0  # mentions without a noun of their own: "the red one"

    def add(self, scene: Scene, split: str) -> None:
        """One instruction for the scene's goals, always the same one."""
        self.splits[split_of(scene)] += 1
        for reference in say(scene, scene.goals, np.random.default_rng(scene.seed), split).references:
            self.tags[reference.tag] += 1
            self.ones += reference.noun == ONE

    def __add__(self, other: Shares) -> Shares:
        return Shares(self.splits + other.splits, self.tags + other.tags, self.ones + other.ones)

    def row(self) -> list[str]:
        mentions, scenes = self.tags.total(), self.splits.total()
        shares = [self.tags[tag] / mentions if mentions else None for tag in WEIGHTS]
        shares += [self.ones / mentions if mentions else None]
        shares += [self.splits[split] / scenes for split in SPLITS]
        return [str(mentions), *("" if share is None else f"{100 * share:.0f} %" for share in shares)]


def measure(scenes: Iterable[Scene], split: str = "train") -> Shares:
    shares = Shares()
    for scene in scenes:
        shares.add(scene, split)
    return shares


def scenes_of(name: str, count: int) -> list[Scene]:
    """What a skill lays out with the seeds from 0; "chain": several steps along a table."""
    if name == "chain":
        return [chain(Draw(seed), CHAIN_STEPS) for seed in range(count)]
    return [SKILLS[name].layout(Draw(seed)) for seed in range(count)]


def main(scenes: int = 200, split: str = "train") -> None:
    """Print the table of shares. Example: python -m volition.sim.language.shares --scenes 200

    Args:
        scenes: how many of each skill.
        split: the phrasings, "train" or "phrasings".
    """
    check_split(split)
    if scenes < 1:
        raise ContractError(f"--scenes is {scenes}; it must be 1 or more.")
    print(f"{scenes} scenes of each skill, seeds from 0, phrasings {split!r}\n")
    print("| scenes | mentions |", " | ".join((*WEIGHTS, "“one”", *(f"in {name}" for name in SPLITS))), "|")
    print(f"|---|{'---|' * (len(WEIGHTS) + len(SPLITS) + 2)}")
    everything = Shares()
    for name in track((*SKILLS, "chain"), description="Saying", console=Console(stderr=True), transient=True):
        shares = measure(scenes_of(name, scenes), split)
        everything += shares
        print(f"| {name} |", " | ".join(shares.row()), "|")
    print("| all |", " | ".join(everything.row()), "|")


if __name__ == "__main__":
    with said_plainly():
        tyro.cli(main)
