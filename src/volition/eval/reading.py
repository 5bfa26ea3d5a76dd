"""How well are sentences read, whatever there is to see? `python -m volition.eval.reading CHECKPOINT LOOKS`

    scenes of a data set of looks --say, in words of training and in held-out ones--> what each sentence says of the thing, the place
    and the landmark --> shares of sentences that are read right, and the words that are read wrong most often

For policies that read apart from seeing (fusion.kinds; recipe `places`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from volition.data.store import Dataset
from volition.errors import ContractError, said_plainly
from volition.eval.intervals import wilson
from volition.model.checkpoint import Checkpoint, load
from volition.model.fusion.spots import SpotsFusion
from volition.model.inputs import STANDS
from volition.sim.language.reference import Reference
from volition.sim.language.say import say
from volition.sim.language.words import SPLITS
from volition.sim.roles import calls_of
from volition.sim.scene import Goal, scene_from_json
from volition.sim.skills import SKILLS
from volition.sim.things import COLOURS, KINDS
from volition.train.truths import told_of

_BATCH = 64
PARTS = ("what is spoken of", "kinds", "colours", "how it stands", "all of it")


@dataclass(frozen=True, kw_only=True)
class Said:
    text: str
    calls: tuple[Reference | None, ...]  # the thing, the place, the landmark


def sentences(looks: Dataset, split: str, count: int, seed: int = 0) -> Iterator[Said]:
    """One of each scene, then another, until there are so many: any goal of the scene's skill, as somebody would say it."""
    random = np.random.default_rng([seed, SPLITS.index(split)])
    for number in range(count):
        info = looks.record(number % looks.episodes).info
        if "scene" not in info:
            raise ContractError(f"{looks.folder} does not know its scenes; make one with `volition data looks`.")
        scene, own = scene_from_json(info["scene"]), Goal(**info["goals"][0])
        goals = [goal for goal in SKILLS[own.skill].goals(scene) if goal.thing]
        goal = goals[int(random.integers(len(goals)))]
        said = say(scene, [goal], random, split)
        yield Said(text=said.text, calls=calls_of(scene, goal, said.references))


def read(checkpoint: Checkpoint, said: Sequence[Said]) -> tuple[np.ndarray, Counter[str]]:
    """Which parts of each are read right, (N, PARTS), and the words whose sense is missed."""
    model = checkpoint.model.eval()
    named = model.fusion.named if isinstance(model.fusion, SpotsFusion) else None
    if named is None:
        raise ContractError("This policy does not read apart from seeing; train the recipe `places`.")
    kinds, colours = list(KINDS), list(COLOURS)
    right, missed = list[list[bool]](), Counter[str]()
    for first in track(range(0, len(said), _BATCH), "Sentences", console=Console(stderr=True)):
        batch = said[first : first + _BATCH]
        with torch.inference_mode():
            read = model.read([one.text for one in batch])
            meant = named.meant(model.language(read))
        assert meant.told is not None
        guesses = [meant.kinds.argmax(-1).tolist(), meant.colours.argmax(-1).tolist(), (meant.told[:, :3] > 0).numpy()]
        for one, kind, colour, told in zip(batch, *guesses, strict=True):
            true = told_of(one.calls) > 0.5
            there = true[:, 0]
            same = [
                all(len(c.kinds) > 1 or kind[row] == kinds.index(c.kinds[0]) for row, c in enumerate(one.calls) if c),
                all(not c.colour or colour[row] == colours.index(c.colour) for row, c in enumerate(one.calls) if c)
                and bool((told[there, 2] == true[there, 2]).all()),
                bool((told[there, 3:] == true[there, 3:]).all()),
            ]
            parts = [bool((told[:, 0] == there).all()), *same]
            right.append([*parts, all(parts)])
            wrong = (told[there, 3:] != true[there, 3:]).any(axis=0)
            missed.update(name for name, off in zip(STANDS, wrong, strict=True) if off)
    return np.array(right), missed


def main(
    checkpoint: Annotated[Path, tyro.conf.Positional], looks: Annotated[Path, tyro.conf.Positional], count: int = 1000
) -> None:
    """Print how many sentences a policy reads right, in words of training and in held-out ones.

    Example: volition data looks --seed 99 --episodes 300 --out out/fresh && python -m volition.eval.reading out/words/last out/fresh

    Args:
        checkpoint: folder of a policy that reads apart from seeing.
        looks: folder of a data set of looks with another seed than the policy was taught by.
        count: sentences of each kind.
    """
    model, data = load(checkpoint), Dataset(looks)
    shown = Table(title=f"{checkpoint}: what it reads right, of {count} sentences each")
    for heading in ("words", *PARTS, "95 %"):
        shown.add_column(heading, justify="left" if heading == "words" else "right")
    for split in SPLITS:
        right, missed = read(model, list(sentences(data, split, count)))
        low, high = wilson(int(right[:, -1].sum()), len(right))
        shares = [f"{100 * share:.1f} %" for share in right.mean(axis=0)]
        shown.add_row("of training" if split == "train" else "held out", *shares, f"{100 * low:.0f}-{100 * high:.0f} %")
        shown.caption = "missed in held-out words: " + ", ".join(f"{name} {n}" for name, n in missed.most_common(6))
    Console().print(shown)


if __name__ == "__main__":
    with said_plainly():
        tyro.cli(main)
