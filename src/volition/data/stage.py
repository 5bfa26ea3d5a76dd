"""One episode being recorded, in a folder of its own: the part of a recording that a kill may cost.

    add_frame -> EpisodeStage (mp4 by mp4, numbers in memory) --finish--> a folder DatasetWriter.adopt takes

Pictures are encoded as they come; numbers, about 1 kB a frame, are held until the end. `finish` writes episode.json
last and then renames the folder, so that a folder with its final name is a whole episode. Worker processes can each
stage episodes; one writer adopts them in order.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from volition.data.atomic import read_json, write_json
from volition.data.episode import check_fps, check_task
from volition.data.errors import DataError
from volition.data.feature import Feature, by_name
from volition.data.fingerprint import episode_hash
from volition.data.statistics import PictureMoments, Statistics
from volition.data.tables import from_column, read_table, to_column, write_tables
from volition.data.video import CRF, GOP, VideoEncoder, check_size, video_format

_NUMBERS, _ABOUT = "numbers.parquet", "episode.json"
FRAME_LIMIT = 200_000  # over an hour at 50 Hz; more is a recording that nobody ended


@dataclass(frozen=True, kw_only=True)
class StagedEpisode:
    """A finished episode that lies in its own folder."""

    folder: Path
    length: int
    tasks: tuple[str, ...]
    success: bool | None
    info: Mapping[str, Any]
    sha256: str
    formats: tuple[str, ...]  # of the videos, which can be joined with equal ones only
    bytes: int
    pictures: Statistics
    described: Any  # the features it was recorded with

    def video(self, name: str) -> Path:
        return self.folder / f"{name}.mp4"

    def arrays(self, features: Sequence[Feature]) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Its numbers and texts, and which of its tasks applies at each frame."""
        path = self.folder / _NUMBERS
        table = read_table(path)
        arrays = {
            f.name: from_column(table[f.name], f.shape, f.dtype, f"{path}, {f.name}")
            for f in features
            if f.kind != "image"
        }
        return arrays, from_column(table["task_index"], (1,), "int64", f"{path}, task_index").ravel()


class EpisodeStage:
    """Records one episode into `folder`, which appears when `finish` is called."""

    def __init__(
        self, folder: Path, features: Sequence[Feature], fps: float, *, gop: int = GOP, crf: int = CRF
    ) -> None:
        self._features, self._fps = by_name(features), check_fps(fps, str(folder))
        self._final = Path(folder)
        self._open = self._final.with_name(f"open-{self._final.name}-{os.getpid()}")
        self._gop, self._crf = gop, crf
        self._cameras = [feature for feature in features if feature.kind == "image"]
        self._columns = [feature for feature in features if feature.kind != "image"]
        for camera in self._cameras:
            check_size(camera.shape, camera.name)
        self._rows: dict[str, list[np.ndarray]] = {feature.name: [] for feature in self._columns}
        self._moments = {camera.name: PictureMoments() for camera in self._cameras}
        self._encoders: dict[str, VideoEncoder] = {}
        self._tasks: dict[str, int] = {}
        self._task_index: list[int] = []

    def __len__(self) -> int:
        return len(self._task_index)

    def add_frame(self, values: Mapping[str, Any], task: str) -> None:
        """One frame: a value for every feature, and the instruction that applies. All of it or none is taken."""
        owner = f"{self._final.name}, frame {len(self)}"
        check_task(task, owner)
        if set(values) != set(self._features):
            missing, extra = set(self._features) - set(values), set(values) - set(self._features)
            raise DataError(
                f"{owner}: " + (f"lacks {', '.join(sorted(missing))}" if missing else f"has {', '.join(sorted(extra))}")
                + f"; the features are {', '.join(self._features)}."
            )  # fmt: skip
        if len(self) >= FRAME_LIMIT:
            raise DataError(f"{owner}: an episode may have {FRAME_LIMIT} frames; end it and begin another.")
        checked = {
            name: feature.check(values[name], frames=None, owner=owner) for name, feature in self._features.items()
        }
        if not self._task_index:
            self._begin()
        for camera in self._cameras:
            self._encoders[camera.name].add(checked[camera.name])
            self._moments[camera.name].add(checked[camera.name])
        for feature in self._columns:
            self._rows[feature.name].append(np.array(checked[feature.name]))  # the caller may reuse his array
        self._task_index.append(self._tasks.setdefault(task, len(self._tasks)))

    def finish(self, *, success: bool | None = None, info: Mapping[str, Any] | None = None) -> StagedEpisode:
        if not self._task_index:
            raise DataError(f"{self._final.name} has no frames; add at least one before it ends.")
        hashes = {name: encoder.close() for name, encoder in self._encoders.items()}
        arrays = {name: np.stack(rows) for name, rows in self._rows.items()}
        index = np.array(self._task_index)
        columns = {f.name: to_column(f, arrays[f.name]) for f in self._columns} | {"task_index": pa.array(index)}
        write_tables(self._open / _NUMBERS, [pa.table(columns)])
        tasks = list(self._tasks)
        videos = [self._open / f"{camera.name}.mp4" for camera in self._cameras]
        for path in videos:
            with path.open("rb") as file:
                os.fsync(file.fileno())
        about = {
            "length": len(index),
            "tasks": tasks,
            "success": success,
            "info": dict(info or {}),
            "sha256": episode_hash(arrays, [tasks[i] for i in index], hashes, success),
            "formats": [video_format(path) for path in videos],
            "bytes": max((path.stat().st_size for path in videos), default=0),
            "pictures": {
                name: {key: value.tolist() for key, value in moments.result().items()}
                for name, moments in self._moments.items()
            },
            "features": describe(list(self._features.values()), self._fps),
        }
        try:
            write_json(self._open / _ABOUT, about)
        except (TypeError, ValueError) as error:
            raise DataError(f"{self._final.name}: info must be JSON values without NaN: {error}.") from error
        shutil.rmtree(self._final, ignore_errors=True)
        self._open.replace(self._final)
        return load_staged(self._final)

    def discard(self) -> None:
        """Forget the frames so far."""
        for encoder in self._encoders.values():
            encoder.abort()
        shutil.rmtree(self._open, ignore_errors=True)

    def _begin(self) -> None:
        shutil.rmtree(self._open, ignore_errors=True)
        self._open.mkdir(parents=True)
        for camera in self._cameras:
            height, width = camera.shape[:2]
            self._encoders[camera.name] = VideoEncoder(
                self._open / f"{camera.name}.mp4", height=height, width=width, fps=self._fps, gop=self._gop, crf=self._crf
            )  # fmt: skip


def describe(features: Sequence[Feature], fps: float) -> Any:
    """What two recordings must have in common to be one data set, as JSON values."""
    columns = [[f.name, f.kind, f.dtype, list(f.shape), None if f.names is None else list(f.names)] for f in features]
    return {"fps": float(fps), "features": columns}


def load_staged(folder: Path) -> StagedEpisode:
    about = read_json(folder / _ABOUT)
    try:
        return StagedEpisode(
            folder=folder,
            length=about["length"],
            tasks=tuple(about["tasks"]),
            success=about["success"],
            info=about["info"],
            sha256=about["sha256"],
            formats=tuple(about["formats"]),
            bytes=about["bytes"],
            pictures={name: {k: np.array(v) for k, v in of.items()} for name, of in about["pictures"].items()},
            described=about["features"],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{folder / _ABOUT} is damaged: {error}.") from error
