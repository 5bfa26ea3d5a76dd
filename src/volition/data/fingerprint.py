"""A hash of what a data set holds, saved beside it: a checkpoint names it, and changed data is noticed.

    episode_hash (numbers, texts, tasks, video packets) of each episode -> fingerprint -> meta/fingerprint.json

The hash is of content, not of files: joining the same episodes into other files does not change it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from volition.data.atomic import read_json, write_json
from volition.data.errors import DataError
from volition.data.feature import Feature


def episode_hash(
    arrays: Mapping[str, np.ndarray], texts: Sequence[str], videos: Mapping[str, str], success: bool | None
) -> str:
    """`texts` is the instruction at each frame, `videos` the sha256 of each camera's packets."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        if array.dtype.kind == "O":
            digest.update(json.dumps(array.ravel().tolist()).encode())
        else:
            digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(json.dumps([list(texts), dict(sorted(videos.items())), success]).encode())
    return digest.hexdigest()


def fingerprint(features: Iterable[Feature], fps: float, robot: str, action_spec: str, episodes: Iterable[str]) -> str:
    """Of the whole data set, from its description and the hashes of its episodes in order."""
    described = [[f.name, f.kind, f.dtype, f.shape, f.names, f.unit] for f in features]
    digest = hashlib.sha256(json.dumps([described, float(fps), robot, action_spec]).encode())
    for episode in episodes:
        if not episode:
            raise DataError("An episode has no recorded hash; compute the fingerprint from the data itself.")
        digest.update(episode.encode())
    return digest.hexdigest()


def file_hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing.") from error


def write_fingerprint(path: Path, *, data: str, statistics: Path, episodes: int, frames: int) -> None:
    """`data` is the fingerprint; the statistics file is hashed too, so that a swapped one is noticed."""
    write_json(path, {"data": data, "statistics": file_hash(statistics), "episodes": episodes, "frames": frames})


def check_fingerprint(path: Path, *, data: str | None, statistics: Path) -> Mapping[str, Any]:
    """What was saved, or a DataError if the statistics file or the data (if given) is not the one it was saved for."""
    saved = read_json(path)
    if not isinstance(saved, dict) or not {"data", "statistics"} <= set(saved):
        raise DataError(f"{path} is not a fingerprint; it must have data and statistics.")
    if saved["statistics"] != file_hash(statistics):
        raise DataError(f"{statistics} is not the file that {path.name} was written for; compute the statistics again.")
    if data is not None and saved["data"] != data:
        raise DataError(f"{path}: the data has changed since (hash {data[:12]}, saved {saved['data'][:12]}).")
    return saved
