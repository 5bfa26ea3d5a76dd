"""CALVIN: one episode_0000000.npz a frame, and which runs of frames do what (lang_annotations/auto_lang_ann.json).

An annotated run is an episode. The original auto_lang_ann.npy is a pickle, and to load a pickle is to run whatever
is in it; it is never loaded here. `HOW` says how whoever trusts the file makes a JSON file of it, once.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from volition.data.atomic import read_json
from volition.data.episode import EpisodeData, LazyFrames
from volition.data.errors import DataError
from volition.data.feature import ACTION, STATE, image_feature, vector_feature
from volition.data.readers.source import Episodes, entry

FPS = 30.0  # Mees et al. 2022, section III
ANNOTATIONS = Path("lang_annotations/auto_lang_ann.json")
HOW = (
    "python -c \"import json, numpy; d = numpy.load('auto_lang_ann.npy', allow_pickle=True).item(); "
    "json.dump({'language': {k: list(d['language'][k]) for k in ('ann', 'task')}, "
    "'info': {'indx': [[int(a), int(b)] for a, b in d['info']['indx']]}}, open('auto_lang_ann.json', 'w'))\""
)
_CAMERAS = {"rgb_static": "static", "rgb_gripper": "gripper"}
_HAND = ("x", "y", "z", "roll", "pitch", "yaw")
_NUMBERS = {  # CALVIN's name -> ours and the names of the numbers
    "robot_obs": (STATE, (*_HAND, "opening", *(f"panda_joint{i}" for i in range(1, 8)), "gripper")),
    "rel_actions": (ACTION, (*_HAND, "gripper")),
    "actions": ("action.absolute", (*_HAND, "gripper")),
    "scene_obs": ("observation.scene", tuple(f"scene_{i}" for i in range(24))),
}


def read_calvin(path: Path, fps: float | None = None) -> Episodes:
    """`path` is one split, such as task_D_D/training."""
    file = path / ANNOTATIONS
    if not file.is_file():
        if file.with_suffix(".npy").is_file():
            raise DataError(
                f"{file.with_suffix('.npy')} is a pickle, which is never loaded here; if you trust it, make "
                f"auto_lang_ann.json of it in its folder: {HOW}"
            )
        raise DataError(f"{file} is missing; give one split of CALVIN (training or validation), with its annotations.")
    runs = _runs(read_json(file), str(file))
    digits = _digits(path)
    return Episodes(len(runs), lambda index: _episode(path, digits, *runs[index], fps or FPS))


def _runs(found: Any, owner: str) -> list[tuple[int, int, str, str]]:
    """First frame, last frame, instruction and task of each annotation."""
    if not isinstance(found, dict):
        raise DataError(f"{owner} must hold an object with language and info.")
    language, info = entry(found, "language", dict, owner), entry(found, "info", dict, owner)
    said, spans = entry(language, "ann", list, f"{owner}, language"), entry(info, "indx", list, f"{owner}, info")
    tasks = entry(language, "task", list, f"{owner}, language") if "task" in language else [""] * len(said)
    if not len(said) == len(spans) == len(tasks) or not said:
        raise DataError(
            f"{owner} has {len(said)} instructions, {len(tasks)} tasks and {len(spans)} spans; one each is needed."
        )
    runs = []
    for place, span in enumerate(spans):
        if not isinstance(span, list) or len(span) != 2 or not all(isinstance(at, int) for at in span):
            raise DataError(f"{owner}: info.indx[{place}] is {span!r}; it must be the first and the last frame.")
        if not 0 <= span[0] <= span[1]:
            raise DataError(f"{owner}: info.indx[{place}] is {span}; the last frame must not be before the first.")
        runs.append((span[0], span[1], said[place], str(tasks[place])))
    return runs


def _digits(path: Path) -> int:
    """How many digits the frames' numbers have; 7 in CALVIN."""
    first = next(path.glob("episode_*.npz"), None)
    if first is None:
        raise DataError(f"{path} has no frames; they are named episode_0000000.npz and so on.")
    return len(first.stem.removeprefix("episode_"))


def _episode(path: Path, digits: int, begin: int, end: int, said: str, task: str, fps: float) -> EpisodeData:
    frames = [path / f"episode_{number:0{digits}d}.npz" for number in range(begin, end + 1)]
    columns: dict[str, list[np.ndarray]] = {key: [] for key in _NUMBERS}
    for file in frames:
        for key, value in zip(_NUMBERS, _read(file, tuple(_NUMBERS)), strict=True):
            wanted = (len(_NUMBERS[key][1]),)
            if value.shape != wanted:
                raise DataError(f"{file}: {key} has shape {value.shape}; it must be {wanted}.")
            columns[key].append(value)
    features, images = [], {}
    for key, camera in _CAMERAS.items():
        (first,) = _read(frames[0], (key,))
        if first.ndim != 3 or first.shape[2] != 3 or first.dtype != np.uint8:
            raise DataError(f"{frames[0]}: {key} is {first.dtype} {first.shape}; it must be uint8 (H, W, 3).")
        feature = image_feature(camera, first.shape[0], first.shape[1])
        features.append(feature)
        images[feature.name] = _pictures(frames, key)
    return EpisodeData(
        features=(*features, *(vector_feature(name, names) for name, names in _NUMBERS.values())),
        arrays={_NUMBERS[key][0]: np.stack(values) for key, values in columns.items()},
        images=images,
        tasks=(said,),
        fps=fps,
        robot="calvin_panda",
        info={"task": task, "frames": [begin, end]},
        source=f"{path}, frames {begin} to {end}",
    )


def _pictures(frames: Sequence[Path], key: str) -> LazyFrames:
    return LazyFrames(len(frames), lambda index: _read(frames[index], (key,))[0])


def _read(path: Path, keys: Sequence[str]) -> list[np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            lacking = [key for key in keys if key not in file]
            if lacking:
                raise DataError(f"{path} lacks {lacking[0]!r}; it has {', '.join(file.files)}.")
            return [file[key] for key in keys]
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing; an annotation names this frame.") from error
    except DataError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise DataError(f"{path} is not a readable CALVIN frame: {str(error).rstrip('.')}.") from error
