"""How often a checkpoint picks the right one of the ten primitives: `python -m volition.eval.primitive_accuracy CHECKPOINT DATA`.

Checkpoint, data sets of `volition data scenes` -> an answer for every frame -> rates with intervals, who is taken for whom
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from volition.data.store import Dataset
from volition.errors import ContractError, said_plainly
from volition.eval.intervals import wilson
from volition.model.checkpoint import load
from volition.robots.primitives import NAMES
from volition.train.answers import answers


@dataclass(frozen=True, kw_only=True)
class Answer:
    """To one frame. `deed` and `decided` are what the data set's episodes say of it, "" if they do not."""

    right: str
    said: str
    deed: str
    decided: str  # "picture": the same words can mean another primitive elsewhere


def answered(checkpoint: Path, folder: Path, *, batch: int = 64) -> list[Answer]:
    loaded = load(checkpoint)
    if loaded.codec.spec.name != "primitive":
        raise ContractError(
            f"{checkpoint} acts in {loaded.codec.spec.name!r}; this is for policies trained with --action primitive."
        )
    with Dataset(folder) as dataset:
        said, right = answers(loaded, dataset, batch=batch)
        asked = [one for record in dataset.metadata.episodes for one in _asked(record.info, record.length)]
    ids = np.clip(np.rint(np.stack([right[:, 0], said[:, 0]])).astype(int), 0, len(NAMES) - 1)
    return [
        Answer(right=NAMES[truth], said=NAMES[guess], deed=one.get("deed", ""), decided=one.get("decided", ""))
        for truth, guess, one in zip(*ids, asked, strict=True)
    ]


def _asked(info: Mapping[str, Any], frames: int) -> list[dict[str, str]]:
    asked = info.get("asked") or []
    return asked if len(asked) == frames else [{}] * frames


def blind(found: list[Answer]) -> float:
    """The most that could be right by the words alone, if each deed were answered by its commonest primitive here."""
    deeds: dict[str, Counter[str]] = defaultdict(Counter)
    for one in found:
        deeds[one.right if one.deed in ("", "plain") else one.deed][one.right] += 1
    return sum(max(counts.values()) for counts in deeds.values()) / max(len(found), 1)


def table(found: list[Answer]) -> str:
    """Rates with 95 % Wilson intervals, then the confusions, as Markdown."""
    lines = ["| what | right | of | rate | 95 % interval |", "|---|---|---|---|---|"]

    def row(name: str, group: list[Answer]) -> None:
        right = sum(one.right == one.said for one in group)
        low, high = wilson(right, len(group))
        lines.append(f"| {name} | {right} | {len(group)} | {right / max(len(group), 1):.1%} | {low:.1%} - {high:.1%} |")

    for name in NAMES:
        row(f"`{name}`", [one for one in found if one.right == name])
    for deed in sorted({one.deed for one in found if one.deed}):
        row(f"asked as {deed}", [one for one in found if one.deed == deed])
    for decided in sorted({one.decided for one in found if one.decided}):
        row(f"**decided by the {decided}**", [one for one in found if one.decided == decided])
    row("**all**", found)
    lines += ["", f"By words alone at most {blind(found):.1%}.", "", "| right \\ said | " + " | ".join(NAMES) + " |"]
    lines.append("|---" * (len(NAMES) + 1) + "|")
    counts = Counter((one.right, one.said) for one in found)
    lines += [f"| {name} | " + " | ".join(str(counts[name, other] or "") for other in NAMES) + " |" for name in NAMES]
    return "\n".join(lines)


def main(
    checkpoint: Annotated[Path, tyro.conf.Positional],
    data: Annotated[tuple[Path, ...], tyro.conf.Positional],
    batch: int = 64,
) -> None:
    """Print how often a checkpoint picks the right primitive.

    Example: python -m volition.eval.primitive_accuracy out/run/best out/held_out

    Args:
        checkpoint: folder of a policy trained with --action primitive.
        data: data sets of `volition data scenes`, each with a table of its own.
        batch: frames at a time.
    """
    for folder in data:
        found = answered(checkpoint, folder, batch=batch)
        print(f"{folder}: {len(found)} frames\n\n{table(found)}\n")


if __name__ == "__main__":
    with said_plainly():
        tyro.cli(main)
