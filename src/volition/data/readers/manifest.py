"""Image-instruction-action manifests: manifest.json is a list of records, each one frame.

    [{"image_path": "images/0.png", "instruction": "go to the door", "action_id": 3, "task": "navigation",
      "environment": "kitchen", "robot_state": [0.1, 0.2]}, ...]

A record is an episode of one frame; records with the same "episode" are the frames of one episode, in their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from volition.data.atomic import read_json
from volition.data.episode import EpisodeData, LazyFrames
from volition.data.errors import DataError
from volition.data.feature import ACTION, STATE, Feature, image_feature, vector_feature
from volition.data.readers.source import Episodes, entry, picture_size, read_picture

FILE = "manifest.json"
CAMERA = "front"
FPS = 10.0  # of a manifest that does not say; frames alone have no rate
_ABOUT = ("task", "environment")  # kept in `info`

Numbered = list[tuple[int, Mapping[str, Any]]]  # records with their places in the file, for messages


def read_manifest(path: Path, fps: float | None = None) -> Episodes:
    """`path` is the file or its folder; pictures are looked for relative to that folder."""
    path = path / FILE if path.is_dir() else path
    records = read_json(path)
    if not isinstance(records, list) or not records:
        raise DataError(f"{path} must hold a list of records, at least one, each with image_path and instruction.")
    groups: dict[Any, Numbered] = {}
    for place, record in enumerate(records):
        if not isinstance(record, dict):
            raise DataError(f"{path}, record {place}, is {record!r}; it must be an object with image_path.")
        key = ("record", place)
        if "episode" in record:
            key = ("episode", entry(record, "episode", (int, str), f"{path}, record {place}"))
        groups.setdefault(key, []).append((place, record))
    frames = list(groups.values())
    features = _features(path, *frames[0][0])
    return Episodes(len(frames), lambda index: _episode(path, frames[index], features, fps or FPS))


def _features(path: Path, place: int, record: Mapping[str, Any]) -> tuple[Feature, ...]:
    """By the first record; every other one must fit."""
    owner = f"{path}, record {place}"
    height, width = picture_size(_picture(path, record, owner))
    found = [image_feature(CAMERA, height, width)]
    if record.get("robot_state") is not None:
        state = entry(record, "robot_state", (list, dict), owner)
        names = tuple(state) if isinstance(state, dict) else tuple(f"state_{i}" for i in range(len(state)))
        if not names:
            raise DataError(f"{owner}: robot_state is empty; give its numbers, or leave it out of every record.")
        found.append(vector_feature(STATE, names))
    return (*found, vector_feature(ACTION, ("action_id",), dtype="int64"))


def _episode(path: Path, records: Numbered, features: Sequence[Feature], fps: float) -> EpisodeData:
    owners = [f"{path}, record {place}" for place, _ in records]
    pictures = [_picture(path, record, owner) for (_, record), owner in zip(records, owners, strict=True)]
    for picture in pictures:
        if not picture.is_file():
            raise DataError(f"The picture {picture} is missing; {path} names it.")
    said = [entry(record, "instruction", str, owner) for (_, record), owner in zip(records, owners, strict=True)]
    actions = [entry(record, "action_id", int, owner) for (_, record), owner in zip(records, owners, strict=True)]
    arrays = {ACTION: np.array(actions, dtype=np.int64).reshape(-1, 1)}
    names = next((feature.names for feature in features if feature.name == STATE), None)
    states = [_state(record, names, owner) for (_, record), owner in zip(records, owners, strict=True)]
    if names is not None:
        arrays[STATE] = np.array(states)
    tasks = list(dict.fromkeys(said))
    camera = features[0]
    return EpisodeData(
        features=tuple(features),
        arrays=arrays,
        images={camera.name: LazyFrames(len(pictures), lambda i: read_picture(pictures[i], camera.shape, str(path)))},
        tasks=tuple(tasks),
        task_index=np.array([tasks.index(task) for task in said]),
        fps=fps,
        info=_info([record for _, record in records]),
        source=owners[0] if len(owners) == 1 else f"{path}, records {records[0][0]} to {records[-1][0]}",
    )


def _picture(path: Path, record: Mapping[str, Any], owner: str) -> Path:
    return path.parent / entry(record, "image_path", str, owner)


def _state(record: Mapping[str, Any], names: Sequence[str] | None, owner: str) -> list[float]:
    state = record.get("robot_state")
    if names is None or state is None:
        if names is not None or state is not None:
            raise DataError(f"{owner}: every record must have a robot_state, or none; the first one decides.")
        return []
    if isinstance(state, dict):
        if set(state) != set(names):
            raise DataError(f"{owner}: robot_state has {', '.join(state)}; it must have {', '.join(names)}.")
        state = [state[name] for name in names]
    if not isinstance(state, list) or len(state) != len(names):
        raise DataError(f"{owner}: robot_state is {state!r}; it must be {len(names)} numbers.")
    if not all(isinstance(value, int | float) for value in state):
        raise DataError(f"{owner}: robot_state is {state!r}; it must hold numbers only.")
    return [float(value) for value in state]


def _info(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`task` and `environment` of the episode: the one word, or the list of those that occur."""
    info: dict[str, Any] = {}
    for key in _ABOUT:
        found: list[Any] = []
        for record in records:
            if record.get(key) is not None and record[key] not in found:
                found.append(record[key])
        if found:
            info[key] = found[0] if len(found) == 1 else found
    return info
