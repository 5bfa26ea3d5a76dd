"""Readers of other formats, one file each, into EpisodeData; FORMATS has them by name.

source folder -> FORMATS[name](path, fps) -> Episodes -> EpisodeData -> DatasetWriter
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from volition.data import layout
from volition.data.errors import DataError
from volition.data.readers import calvin, demo_folders, manifest
from volition.data.readers.source import Episodes
from volition.data.store import Dataset


def read_lerobot(path: Path, fps: float | None = None) -> Episodes:
    """LeRobot v3.0, v2.1 and v2.0; its rate is its own."""
    dataset = Dataset(path)
    if fps is not None and fps != dataset.fps:
        raise DataError(f"{path} has {dataset.fps:g} frames a second, not {fps:g}; leave fps out: it is not resampled.")
    return Episodes(dataset.episodes, dataset.episode)


FORMATS: dict[str, Callable[[Path, float | None], Episodes]] = {
    "manifest": manifest.read_manifest,
    "demos": demo_folders.read_demo_folders,
    "calvin": calvin.read_calvin,
    "lerobot": read_lerobot,
}


def detect(path: Path) -> str:
    """The name in FORMATS of what is at `path`, by the files that are there."""
    if not path.exists():
        raise DataError(f"{path} is missing; give a folder of episodes or a {manifest.FILE}.")
    if path.is_file():
        if path.suffix == ".json":
            return "manifest"
        raise DataError(f"{path} is neither a folder nor a JSON manifest; give one of these.")
    if (path / layout.INFO).is_file():
        return "lerobot"
    if (path / manifest.FILE).is_file():
        return "manifest"
    if next(path.glob("episode_*.npz"), None) is not None:
        return "calvin"
    if (path / demo_folders.FILE).is_file() or next(path.glob(f"*/{demo_folders.FILE}"), None) is not None:
        return "demos"
    raise DataError(
        f"{path} is of no known format; looked for {layout.INFO} (lerobot), {manifest.FILE} (manifest), "
        f"episode_*.npz (calvin, one split) and */{demo_folders.FILE} (demos)."
    )
