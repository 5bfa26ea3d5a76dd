"""One demonstration in memory: what every reader yields, every converter passes on and every writer takes.

    manifest, demonstration folder, CALVIN, LeRobot v2/v3 --readers--> EpisodeData --DatasetWriter--> LeRobot v3

Pictures may stay on disk: `images[name]` is anything with a length that gives frame `i` as (H, W, 3) uint8, an
array or a reader that decodes when asked. Numbers are small and are held.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from volition.data.errors import DataError
from volition.data.feature import ACTION, STATE, Feature, by_name

FPS_LIMITS = (0.1, 1000.0)


class Frames(Protocol):
    """The pictures of one camera over one episode; an ndarray (T, H, W, 3) is one."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> np.ndarray: ...


class LazyFrames:
    """Frames made by a function when asked: `LazyFrames(len(paths), lambda i: read_png(paths[i]))`."""

    def __init__(self, count: int, load: Callable[[int], np.ndarray]) -> None:
        self._count, self._load = count, load

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> np.ndarray:
        if not 0 <= index < self._count:
            raise IndexError(f"frame {index} of {self._count}")
        return self._load(index)


@dataclass(frozen=True, kw_only=True)
class EpisodeData:
    """One episode. `arrays` has every numeric and text feature as (T, *shape), `images` every image feature.

    `tasks` are the instructions that occur, first the main one; `task_index` (T,) says which applies at each frame
    and may be left out where there is one. `timestamps` (T,) are seconds since the first frame; left out, they are
    frame / fps. `success` is None where nobody judged. `info` is anything else worth keeping, JSON values only.
    """

    features: tuple[Feature, ...]
    arrays: Mapping[str, np.ndarray]
    images: Mapping[str, Frames] = field(default_factory=dict)
    tasks: tuple[str, ...]
    task_index: np.ndarray | None = None  # (T,) int64
    fps: float
    timestamps: np.ndarray | None = None  # (T,) float64, s
    robot: str = "unknown"
    action_spec: str = ""  # what `action` is: the name of an ActionSpec ("ee", "joint"); "" if unknown
    success: bool | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    source: str = "episode"  # where it came from, for messages: a path and a number

    def __post_init__(self) -> None:
        put = object.__setattr__
        features = by_name(self.features)
        put(self, "features", tuple(self.features))
        check_fps(self.fps, self.source)
        numeric = {name for name, feature in features.items() if feature.kind != "image"}
        cameras = set(features) - numeric
        _same(self.source, "arrays", set(self.arrays), numeric)
        _same(self.source, "images", set(self.images), cameras)
        lengths = {name: len(values) for name, values in (*self.arrays.items(), *self.images.items())}
        frames = next(iter(lengths.values()))
        if frames < 1 or set(lengths.values()) != {frames}:
            listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise DataError(f"{self.source}: lengths are {listed}; all must be the same, at least 1 frame.")
        checked = {
            name: features[name].check(values, frames=frames, owner=self.source) for name, values in self.arrays.items()
        }
        put(self, "arrays", checked)
        for name, pictures in self.images.items():
            if isinstance(pictures, np.ndarray):
                features[name].check(pictures, frames=frames, owner=self.source)
        put(self, "tasks", tuple(self.tasks))
        if not self.tasks:
            raise DataError(f"{self.source}: tasks is empty; an episode needs at least one instruction.")
        for task in self.tasks:
            check_task(task, self.source)
        put(self, "task_index", _task_index(self.task_index, frames, len(self.tasks), self.source))
        put(self, "timestamps", _timestamps(self.timestamps, frames, self.fps, self.source))
        if self.success not in (True, False, None):
            raise DataError(f"{self.source}: success is {self.success!r}; it must be True, False or None.")

    def __len__(self) -> int:
        """T, the number of frames."""
        assert self.task_index is not None
        return int(self.task_index.shape[0])

    @property
    def cameras(self) -> tuple[str, ...]:
        """The names of the image features, in their order."""
        return tuple(feature.name for feature in self.features if feature.kind == "image")

    @property
    def instruction(self) -> str:
        """The main instruction."""
        return self.tasks[0]

    @property
    def action(self) -> np.ndarray:
        """(T, A), the main action space."""
        return self._array(ACTION)

    @property
    def state(self) -> np.ndarray:
        """(T, S)"""
        return self._array(STATE)

    def task(self, index: int) -> str:
        """The instruction at a frame."""
        assert self.task_index is not None
        return self.tasks[int(self.task_index[index])]

    def feature(self, name: str) -> Feature:
        for feature in self.features:
            if feature.name == name:
                return feature
        names = ", ".join(feature.name for feature in self.features)
        raise DataError(f"{self.source} has no {name!r}; it has {names}.")

    def frame(self, index: int) -> dict[str, Any]:
        """Everything at one frame, as `DatasetWriter.add_frame` takes it; pictures are checked here."""
        if not 0 <= index < len(self):
            raise DataError(f"{self.source}: frame is {index}; it must be 0 to {len(self) - 1}.")
        values: dict[str, Any] = {name: array[index] for name, array in self.arrays.items()}
        for name in self.cameras:
            values[name] = self.feature(name).check(
                self.images[name][index], frames=None, owner=f"{self.source}, frame {index}"
            )
        return values

    def _array(self, name: str) -> np.ndarray:
        self.feature(name)
        return self.arrays[name]


def check_fps(fps: float, owner: str) -> float:
    low, high = FPS_LIMITS
    if not isinstance(fps, int | float) or not math.isfinite(fps) or not low <= fps <= high:
        raise DataError(f"{owner}: fps is {fps!r}; it must be {low} to {high} frames a second.")
    return fps


def check_task(task: object, owner: str) -> str:
    if not isinstance(task, str) or not task.strip():
        raise DataError(f"{owner}: the task is {task!r}; it must be a text that says what to do.")
    return task


def _same(owner: str, what: str, given: set[str], wanted: set[str]) -> None:
    if given != wanted:
        missing, extra = sorted(wanted - given), sorted(given - wanted)
        problem = f"lacks {', '.join(missing)}" if missing else f"has {', '.join(extra)}, which no feature describes"
        raise DataError(f"{owner}: {what} {problem}; it must have {', '.join(sorted(wanted)) or 'nothing'}.")


def _task_index(given: np.ndarray | None, frames: int, tasks: int, owner: str) -> np.ndarray:
    if given is None:
        return np.zeros(frames, dtype=np.int64)
    index = np.asarray(given)
    if index.shape != (frames,) or index.dtype.kind not in "iu":
        raise DataError(f"{owner}: task_index is {index.dtype} {index.shape}; it must be whole numbers ({frames},).")
    if index.min() < 0 or index.max() >= tasks:
        raise DataError(f"{owner}: task_index spans {index.min()} to {index.max()}; it must be 0 to {tasks - 1}.")
    return index.astype(np.int64)


def _timestamps(given: Sequence[float] | np.ndarray | None, frames: int, fps: float, owner: str) -> np.ndarray:
    if given is None:
        return np.arange(frames) / fps
    stamps = np.asarray(given, dtype=np.float64)
    if stamps.shape != (frames,) or not np.isfinite(stamps).all() or (np.diff(stamps) <= 0).any():
        raise DataError(f"{owner}: timestamps must be {frames} finite seconds, each above the one before.")
    return stamps
