"""How well do eyes point at what words mean, while skills are under way? `python -m volition.eval.pointing CHECKPOINT LOOKS`

    a data set of looks that the policy has not seen (`volition data looks --seed`) --> where its spots are, and the truth
    --> a line for the thing, the place and what they are told by: pixels off in each camera, centimetres off
    --> a line for each way to tell a thing from its like: by its colour, its place among them, another thing

For policies that look for things themselves (fusion `spots`). `grounding.py` asks of scenes as they begin, and says which words fail.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from volition.data.feature import TRUTH_THINGS
from volition.data.loader import LoaderConfig
from volition.data.store import Dataset
from volition.errors import ContractError, said_plainly
from volition.eval.intervals import wilson
from volition.model.checkpoint import Checkpoint, load
from volition.model.inputs import PLACES, RELATIONS, SIZES, STANDS, TOLD
from volition.sim.sight import ROLES
from volition.train.batch_config import BatchConfig
from volition.train.batches import Batches

WHAT = (*ROLES, "beside")
TOLD_BY = ("colour", "kind alone", "size or shape", "place among its like", "another thing")
ASTRAY = 6 / 128  # of a picture's side: another cell than the thing's, or the one beside it
FAR = 0.03  # m: a hand that goes there misses a button or a can
_BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Pointed:
    """Of N pictures sets: how far off, and nan where there is no such thing, or it is not in that picture."""

    pictures: np.ndarray  # (N, V, G) shares of a picture's side
    places: np.ndarray  # (N, G) m; nan where the model knows no places
    told: np.ndarray  # (N, TOLD) what the words say of the thing; nan where nobody knows
    cameras: tuple[str, ...]


def point(checkpoint: Checkpoint, looks: Dataset, windows: int) -> Pointed:
    """Each of so many windows is told one thing that may be asked of its scene."""
    if TRUTH_THINGS not in {feature.name for feature in looks.features}:
        raise ContractError(f"{looks.folder} does not know where all things are; make one with `volition data looks`.")
    model, shapes = checkpoint.model.eval(), checkpoint.design.shapes
    view = BatchConfig(
        cameras=shapes.cameras, history=shapes.history, history_step=checkpoint.design.history_step, chunk=shapes.chunk,
        before=shapes.before, phrases=4, ask=1, frame=checkpoint.codec.frame,
    )  # fmt: skip
    loader = LoaderConfig(batch=min(_BATCH, windows), workers=1)
    batches = Batches(looks, view, checkpoint.codec, model.read, loader)
    pictures, places, told = list[np.ndarray](), list[np.ndarray](), list[np.ndarray]()
    count = min(-(-windows // loader.batch), len(batches))
    for (inputs, targets), _ in zip(
        batches.epoch(0), track(range(count), "Looks", console=Console(stderr=True)), strict=False
    ):
        with torch.inference_mode():
            spots = model.think(inputs).context.spots
        truth = targets.truth
        if spots is None:
            raise ContractError("This policy does not look for things itself; train a recipe whose fusion is `spots`.")
        assert truth.points is not None
        assert truth.positions is not None
        assert truth.visible is not None
        assert truth.present is not None
        off = (spots.points[:, -len(shapes.cameras) :] - truth.points).norm(dim=-1)
        pictures.append(torch.where(truth.visible, off, torch.nan).numpy())
        away = torch.full(truth.present.shape, torch.nan)
        if spots.places is not None:
            away = torch.where(truth.present, (spots.places - truth.positions).norm(dim=-1), torch.nan)
        places.append(away.numpy())
        told.append(
            torch.full((len(away), TOLD), torch.nan).numpy() if truth.told is None else truth.told[:, 0].numpy()
        )
    return Pointed(
        pictures=np.concatenate(pictures), places=np.concatenate(places), told=np.concatenate(told), cameras=shapes.cameras
    )  # fmt: skip


def table(found: Pointed, title: str) -> Table:
    shown = Table(title=title)
    for heading in ("what", "where", "looks", "median off", "astray", "95 %"):
        shown.add_column(heading, justify="left" if heading in ("what", "where") else "right")
    for role, what in enumerate(WHAT):
        for number, camera in enumerate(found.cameras):
            _line(shown, what, camera, 128 * found.pictures[:, number, role], 128 * ASTRAY, "px of 128")
        _line(shown, what, "in metres", 100 * found.places[:, role], 100 * FAR, "cm")
    return shown


def by_words(found: Pointed) -> Table:
    """How far off the first camera's thing is, by how it is told."""
    shown = Table(title=f"the thing in the {found.cameras[0]}'s picture, by how it is told")
    for heading in ("told by", "looks", "median off", "astray", "95 %"):
        shown.add_column(heading, justify="left" if heading == "told by" else "right")
    for told_by in TOLD_BY:
        rows = [told_by == _told_by(told) for told in found.told]
        _line(shown, told_by, None, 128 * found.pictures[rows, 0, 0], 128 * ASTRAY, "px of 128")
    return shown


def _told_by(told: np.ndarray) -> str:
    """One of TOLD_BY, the hardest; empty where there is no such thing, or nobody knows."""
    said = {name for name, one in zip(("there", "kind", "colour", *STANDS), told, strict=True) if one > 0.5}
    for told_by, names in (("another thing", RELATIONS), ("place among its like", PLACES), ("size or shape", SIZES)):
        if said & set(names):
            return told_by
    return "" if "there" not in said else "colour" if "colour" in said else "kind alone"


def _line(shown: Table, what: str, where: str | None, off: np.ndarray, most: float, unit: str) -> None:
    off = off[np.isfinite(off)]
    if len(off):
        astray = int((off > most).sum())
        low, high = wilson(astray, len(off))
        shown.add_row(
            what, *([] if where is None else [where]), str(len(off)), f"{np.median(off):.1f} {unit}", f"{100 * astray / len(off):.0f} % over {most:.0f}",
            f"{100 * low:.0f}-{100 * high:.0f} %",
        )  # fmt: skip


def main(
    checkpoint: Annotated[Path, tyro.conf.Positional],
    looks: Annotated[Path, tyro.conf.Positional],
    windows: int = 1500,
) -> None:
    """Print how far off a policy's eyes are in pictures of skills under way.

    Example: volition data looks --seed 99 --episodes 300 --out out/fresh && python -m volition.eval.pointing out/quick/last out/fresh

    Args:
        checkpoint: folder of a policy whose fusion is `spots`.
        looks: folder of a data set of looks with another seed than the policy was taught by.
        windows: how many looks.
    """
    found = point(load(checkpoint), Dataset(looks), windows)
    Console().print(table(found, f"{checkpoint}: where its eyes point"))
    Console().print(by_words(found))


if __name__ == "__main__":
    with said_plainly():
        tyro.cli(main)
