"""How near a checkpoint's next actions are to those of the expert, frame by frame: `python -m volition.eval.imitation CHECKPOINT DATA`.

    Checkpoint, demonstrations -> an answer for every frame -> how much of the walking it follows, how far off hands are; by skill

Open loop: it says what a policy has not learned at all, minutes before trials in closed loop do; not how often it succeeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from volition.data.store import Dataset
from volition.errors import ContractError, said_plainly
from volition.model.checkpoint import load
from volition.sim.stage import SIDES
from volition.train.answers import answers

WALKS = 0.05  # m/s
STANDS = 0.01  # m/s


@dataclass(frozen=True, kw_only=True)
class Line:
    """Of one skill, or all. Shares are nan where there is nothing to share."""

    skill: str
    frames: int
    walking: int  # frames in which the expert walks
    followed: float  # share of those in which the policy goes at least half as fast along the same way
    strayed: float  # share of the frames in which the expert stands and the policy walks
    hands_mm: float  # mean distance of a hand's target


def compared(said: np.ndarray, right: np.ndarray, names: Sequence[str], skills: Sequence[str]) -> list[Line]:
    """`said`, `right`: (N, A) in units, `skills`: (N,)."""
    base = [names.index(f"base.{way}") for way in ("forward", "left")]
    hands = [[names.index(f"{side}.{axis}") for axis in "xyz"] for side in SIDES]
    speed = np.linalg.norm(right[:, base], axis=1)
    along = (said[:, base] * right[:, base]).sum(axis=1) / np.maximum(speed, 1e-9)
    follows, strays = along > speed / 2, np.linalg.norm(said[:, base], axis=1) > WALKS
    off = np.mean([np.linalg.norm(said[:, hand] - right[:, hand], axis=1) for hand in hands], axis=0)
    of, lines = np.asarray(skills), []
    for skill in (*sorted(set(skills)), "all"):
        these = (of == skill) | (skill == "all")
        walking, standing = these & (speed > WALKS), these & (speed < STANDS)
        lines.append(
            Line(
                skill=skill,
                frames=int(these.sum()),
                walking=int(walking.sum()),
                followed=float(follows[walking].mean()) if walking.any() else float("nan"),
                strayed=float(strays[standing].mean()) if standing.any() else float("nan"),
                hands_mm=float(1000 * off[these].mean()),
            )
        )
    return lines


def imitated(checkpoint: Path, folder: Path, *, batch: int = 64) -> list[Line]:
    loaded = load(checkpoint)
    if loaded.codec.spec.name != "ee" or loaded.codec.frame != "absolute":
        raise ContractError(
            f"{checkpoint} acts in {loaded.codec.spec.name!r} with {loaded.codec.frame} targets; this is for policies of the "
            "action space 'ee' with absolute ones."
        )
    with Dataset(folder) as dataset:
        said, right = answers(loaded, dataset, batch=batch)
        skills = [str(one.info.get("skill", "")) for one in dataset.metadata.episodes for _ in range(one.length)]
    return compared(said, right, list(loaded.codec.spec.names), skills)


def main(
    checkpoint: Annotated[Path, tyro.conf.Positional],
    data: Annotated[tuple[Path, ...], tyro.conf.Positional],
    batch: int = 64,
) -> None:
    """Print how near a checkpoint's next actions are to those of the expert.

    Example: python -m volition.eval.imitation out/quick/last out/data

    Args:
        checkpoint: folder of a policy.
        data: data sets of `volition data generate`, each with a table of its own.
        batch: frames at a time.
    """
    for folder in data:
        shown = Table(title=str(folder))
        for heading in ("skill", "frames", "expert walks", "followed", "walks where it stands", "hands off, mm"):
            shown.add_column(heading)
        for one in imitated(checkpoint, folder, batch=batch):
            shown.add_row(
                one.skill, str(one.frames), str(one.walking), f"{one.followed:.2f}", f"{one.strayed:.2f}", f"{one.hands_mm:.1f}"
            )  # fmt: skip
        Console().print(shown)


if __name__ == "__main__":
    with said_plainly():
        tyro.cli(main)
