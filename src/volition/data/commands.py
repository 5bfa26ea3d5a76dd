"""`volition data convert`, `check` and `show`: their settings, read by the command line and checked when built, and the functions that do it.

Only the standard library and tyro are imported at first, so that `volition --help` is quick.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from volition.data.errors import DataError

if TYPE_CHECKING:
    from volition.data.lint import Report
    from volition.data.lint_finding import Finding
    from volition.data.store import Dataset

Format = Literal["auto", "manifest", "demos", "calvin", "lerobot"]
_SHOWN = 20  # findings of a kind that are printed; JSON has all


@dataclass(frozen=True, kw_only=True)
class ConvertConfig:
    """Convert a data set of another format to LeRobot v3, episode by episode.

    Example: volition data convert recordings/ data/converted --format demos --fps 10
    """

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """What to convert: a folder, or a manifest.json."""
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """New or empty folder for the converted data set."""
    format: Format = "auto"
    """Format of SOURCE; `auto` looks at its files."""
    fps: float | None = None
    """Frames a second where the source does not say, 0.1 to 1000; default 10 (CALVIN: 30)."""

    def __post_init__(self) -> None:
        if self.fps is not None and not (math.isfinite(self.fps) and 0.1 <= self.fps <= 1000):
            raise DataError(f"ConvertConfig.fps is {self.fps}; it must be 0.1 to 1000 frames a second.")


@dataclass(frozen=True, kw_only=True)
class CheckConfig:
    """Find what is wrong with a data set: episode and frame, what it does to training, what to do.

    Exits with 1 when there are errors. Example: volition data check data/skills --json
    """

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
    """The data set: LeRobot v3.0, v2.1 or v2.0."""
    json: bool = False
    """Print JSON instead of text."""
    pictures: bool = True
    """Decode every picture, which takes longest; --no-pictures leaves it out."""


@dataclass(frozen=True, kw_only=True)
class ShowConfig:
    """Show one episode: contact sheet, film, plots of actions and states, and a recording for the Rerun viewer.

    Example: volition data show data/skills --episode 3 --rerun out/show/episode.rrd
    """

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
    """The data set: LeRobot v3.0, v2.1 or v2.0."""
    episode: int = 0
    """Which episode, from 0."""
    out: Path = Path("out/show")
    """Folder for the files; those of the same episode are replaced."""
    frames: int = 8
    """Frames of the contact sheet, 2 to 100."""
    rerun: Path | None = None
    """Write a recording for the Rerun viewer there (.rrd)."""
    open: bool = False
    """Start the Rerun viewer with the episode in it."""

    def __post_init__(self) -> None:
        if not 2 <= self.frames <= 100:
            raise DataError(f"ShowConfig.frames is {self.frames}; it must be 2 to 100.")
        if self.rerun is not None and self.rerun.suffix != ".rrd":
            raise DataError(f"ShowConfig.rerun is {self.rerun}; a recording's name ends in .rrd.")


def convert(config: ConvertConfig) -> int:
    """Read SOURCE an episode at a time and write each; returns 0."""
    from volition.data import layout
    from volition.data.readers import FORMATS, detect
    from volition.data.writer import DatasetWriter

    name = detect(config.source) if config.format == "auto" else config.format
    if not config.source.exists():
        raise DataError(f"{config.source} is missing; give a folder of episodes or a manifest.json.")
    if (config.out / layout.INFO).exists():
        raise DataError(f"{config.out} holds a data set already; give a new or empty folder.")
    episodes = FORMATS[name](config.source, config.fps)
    if len(episodes) == 0:
        raise DataError(f"{config.source} has no episodes; there is nothing to convert.")
    writer: DatasetWriter | None = None
    try:
        with _progress() as report:
            for done, episode in enumerate(episodes, 1):
                if writer is None:
                    spec = episode.action_spec
                    writer = DatasetWriter.open(
                        config.out, episode.features, episode.fps, episode.robot, action_spec=spec
                    )
                writer.add_episode(episode)
                report(f"Converting {name}", done, len(episodes))
    except DataError as error:
        kept = 0 if writer is None else writer.episodes
        if not kept:
            raise
        raise DataError(f"{error} The {kept} episodes before it are in {config.out}.") from error
    finally:
        if writer is not None:
            writer.close()
    assert writer is not None
    print(f"{len(episodes)} episodes of {config.source} ({name}), {writer.frames} frames, are in {config.out}.")
    return 0


def check(config: CheckConfig) -> int:
    """Print the findings; returns 1 if one of them is an error, else 0."""
    from volition.data.lint import lint
    from volition.data.store import Dataset

    with Dataset(config.folder, cache_bytes=1 << 20) as dataset:
        with _progress() as report:
            findings = lint(dataset, pictures=config.pictures, report=report)
        if config.json:
            _print_json(dataset, findings)
        else:
            _print_lines(dataset, findings)
    return 1 if any(one.severity == "error" for one in findings) else 0


@contextmanager
def _progress() -> Iterator[Report]:
    """A bar on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    with bar:
        task = bar.add_task("Reading", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


def _print_json(dataset: Dataset, findings: list[Finding]) -> None:
    counts = Counter(one.severity for one in findings)
    report = {"folder": str(dataset.folder), "episodes": dataset.episodes, "frames": len(dataset)}
    report |= {"errors": counts["error"], "warnings": counts["warning"], "notes": counts["note"]}
    print(json.dumps(report | {"findings": [one.to_json() for one in findings]}, indent=2, ensure_ascii=False))


def _print_lines(dataset: Dataset, findings: list[Finding]) -> None:
    """By kind, the gravest first: what it does and what to do once, then every place."""
    from rich.console import Console
    from rich.markup import escape

    console = Console()
    mark = {"error": "[bold red]error[/]", "warning": "[yellow]warning[/]", "note": "[bold]note[/]"}
    kinds = sorted({one.kind: one for one in findings}.values(), key=lambda one: list(mark).index(one.severity))
    for kind in kinds:
        same = [one for one in findings if one.kind == kind.kind]
        heading = "" if kind.severity == kind.kind else f" {kind.kind}"
        console.print(f"{mark[kind.severity]}{heading}: {escape(kind.effect)} {escape(kind.advice)}", highlight=False)
        for one in same[:_SHOWN]:
            console.print(f"  {one.place}: {escape(one.where)}: {escape(one.what)}", highlight=False)
        if len(same) > _SHOWN:
            console.print(f"  {len(same) - _SHOWN} more; --json prints all.")
    counts = Counter(one.severity for one in findings)
    found = ", ".join(f"{counts[name]} {name}{'s' * (counts[name] != 1)}" for name in mark if counts[name])
    console.print(f"{dataset.episodes} episodes, {len(dataset)} frames: {found or 'nothing found'}.", highlight=False)
