"""What a generated data set says of itself in meta/volition_generation.json: its recipe, its runs, and figures by skill.

begin: recipe -> file, or refused if the folder has another one; end: Dataset + runs -> figures -> file and table
"""

from __future__ import annotations

import statistics
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import volition
from volition.data import layout
from volition.data.atomic import read_json, write_json
from volition.data.store import Dataset
from volition.teach.errors import TeachError
from volition.teach.recipe import Plan

LEDGER = "meta/volition_generation.json"


class Ledger:
    """Opening it refuses a folder that this recipe must not be added to."""

    def __init__(self, folder: Path, recipe: Plan) -> None:
        self._path, self._folder = folder / LEDGER, folder
        wanted = recipe.to_json()
        if self._path.exists():
            self._content: dict[str, Any] = read_json(self._path)
            found = self._content.get("recipe", {})
            other = [
                f"{name} {found.get(name)!r}" for name in {**wanted, **found} if found.get(name) != wanted.get(name)
            ]
            if other:
                raise TeachError(
                    f"{folder} was begun with {', '.join(other)}; use the same arguments to go on, or another folder."
                )
            return
        info = folder / layout.INFO
        if info.exists() and read_json(info).get("total_episodes", 0) > 0:
            raise TeachError(f"{folder} holds a data set that was not generated here; give a new or empty folder.")
        self._content = {"recipe": wanted, "version": volition.__version__, "runs": []}

    def begin(self) -> None:
        """The folder is this recipe's from now on."""
        write_json(self._path, self._content)

    def add_run(self, **run: Any) -> None:
        """episodes, frames, seconds, workers, backend of one call."""
        if run["episodes"]:
            self._content["runs"].append(run)
        self._content |= figures(self._folder, self._content["runs"])
        write_json(self._path, self._content)

    def print(self) -> None:
        table = Table(title=f"{self._folder}: {self._content['episodes']} episodes, {self._content['frames']} frames")
        headings = ("skill", "kept", "failed", "why", "frames", "median s", "longest s")
        for number, heading in enumerate(headings):
            table.add_column(heading, justify="left" if number in (0, 3) else "right")
        for name, of in self._content["skills"].items():
            why = ", ".join(f"{count} {word}" for word, count in of["why"].items())
            seconds = (f"{of['median_s']:.1f}", f"{of['longest_s']:.1f}")
            table.add_row(name, str(of["kept"]), str(of["failed"]), why, str(of["frames"]), *seconds)
        console = Console()
        console.print(table)
        rate = self._content["episodes_per_hour"]
        pace = f"{rate:.0f} episodes an hour, {self._content['frames_per_s']:.1f} frames/s, " if rate else ""
        console.print(
            f"{pace}{self._content['bytes_per_frame']:.0f} bytes a frame. All of it: {self._path}", soft_wrap=True
        )


def figures(folder: Path, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Of the whole data set; the speeds over all runs that were not killed."""
    skills: dict[str, dict[str, Any]] = {}
    with Dataset(folder) as dataset:
        for name in sorted({record.info["skill"] for record in dataset.metadata.episodes}):
            records = [record for record in dataset.metadata.episodes if record.info["skill"] == name]
            lengths = [record.length / dataset.fps for record in records]
            why = Counter(word for record in records for word in record.info["failed"])
            skills[name] = {
                "kept": len(records),
                "failed": why.total(),
                "why": dict(why.most_common()),
                "frames": sum(record.length for record in records),
                "median_s": round(statistics.median(lengths), 2),
                "longest_s": round(max(lengths), 2),
            }
        episodes, frames = dataset.episodes, len(dataset)
    seconds = sum(run["seconds"] for run in runs)
    size = sum(path.stat().st_size for kind in ("data", "videos") for path in (folder / kind).rglob("*.*"))
    return {
        "episodes": episodes,
        "frames": frames,
        "skills": skills,
        "episodes_per_hour": round(3600 * sum(run["episodes"] for run in runs) / seconds, 1) if seconds else None,
        "frames_per_s": round(sum(run["frames"] for run in runs) / seconds, 2) if seconds else None,
        "bytes_per_frame": round(size / frames, 1) if frames else None,
    }
