"""Demonstration folders: metadata.json, pictures front_0.png, left_0.png, right_0.png, ..., and actions.npy.

    source/demo_000/{metadata.json: {"instruction": ..., "num_steps": T}, <camera>_<step>.png, actions.npy: (T, A)}

One folder is one episode; `source` may also be such a folder itself. metadata.json may have "fps" and "success".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from volition.data.atomic import read_json
from volition.data.episode import EpisodeData, LazyFrames
from volition.data.errors import DataError
from volition.data.feature import ACTION, Feature, image_feature, vector_feature
from volition.data.readers.source import Episodes, entry, picture_size, read_array, read_picture

FILE = "metadata.json"
FPS = 10.0  # of folders that do not say
_PICTURE = re.compile(r"(.+)_(\d+)\.png")


def read_demo_folders(path: Path, fps: float | None = None) -> Episodes:
    folders = [path] if (path / FILE).is_file() else sorted(one.parent for one in path.glob(f"*/{FILE}"))
    if not folders:
        raise DataError(f"{path} has no folder with a {FILE} in it; every demonstration needs its own.")
    return Episodes(len(folders), lambda index: _episode(folders[index], fps))


def _episode(folder: Path, fps: float | None) -> EpisodeData:
    about = read_json(folder / FILE)
    owner = str(folder / FILE)
    if not isinstance(about, dict):
        raise DataError(f"{owner} must hold an object with instruction and num_steps.")
    instruction, steps = entry(about, "instruction", str, owner), entry(about, "num_steps", int, owner)
    if steps < 1:
        raise DataError(f"{owner}: num_steps is {steps}; it must be 1 or more.")
    cameras = _cameras(folder, steps)
    actions = read_array(folder / "actions.npy")
    actions = actions.reshape(-1, 1) if actions.ndim == 1 else actions
    if actions.ndim != 2 or len(actions) != steps or actions.shape[1] < 1:
        raise DataError(f"{folder / 'actions.npy'} has shape {actions.shape}; num_steps says ({steps}, A).")
    images, features = {}, []
    for camera, paths in cameras.items():
        feature = image_feature(camera, *picture_size(paths[0]))
        features.append(feature)
        images[feature.name] = _frames(paths, feature, folder)
    features.append(vector_feature(ACTION, [f"action_{i}" for i in range(actions.shape[1])]))
    return EpisodeData(
        features=tuple(features),
        arrays={ACTION: actions},
        images=images,
        tasks=(instruction,),
        fps=fps or _rate(about, owner),
        success=entry(about, "success", bool, owner) if about.get("success") is not None else None,
        info={"folder": folder.name},
        source=str(folder),
    )


def _rate(about: Mapping[str, Any], owner: str) -> float:
    return float(entry(about, "fps", (int, float), owner)) if "fps" in about else FPS


def _frames(paths: list[Path], feature: Feature, folder: Path) -> LazyFrames:
    return LazyFrames(len(paths), lambda step: read_picture(paths[step], feature.shape, str(folder)))


def _cameras(folder: Path, steps: int) -> dict[str, list[Path]]:
    """The pictures of each camera in the order of the steps, which they must all have."""
    found: dict[str, dict[int, Path]] = {}
    for path in sorted(folder.glob("*.png")):
        named = _PICTURE.fullmatch(path.name)
        if named is not None:
            found.setdefault(named[1], {})[int(named[2])] = path
    for camera, paths in found.items():
        lacking = [step for step in range(steps) if step not in paths]
        if lacking:
            raise DataError(f"The picture {folder / f'{camera}_{lacking[0]}.png'} is missing; num_steps is {steps}.")
        if len(paths) > steps:
            raise DataError(f"{folder} has {len(paths)} pictures of {camera}; num_steps is {steps}.")
    if not found:
        raise DataError(f"{folder} has no pictures; they are named <camera>_<step>.png, such as front_0.png.")
    return {camera: [paths[step] for step in range(steps)] for camera, paths in found.items()}
