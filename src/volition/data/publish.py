"""Joins staged episodes into the next numbered files of a data set, in the order that survives a kill.

    StagedEpisode ... -> data, videos, tasks, episodes, stats, fingerprint, and last meta/info.json

Until info.json counts them the episodes are not part of the data set, and their staged folders are kept.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from volition.data import layout
from volition.data.atomic import replacing, write_json
from volition.data.feature import RESERVED
from volition.data.fingerprint import fingerprint, write_fingerprint
from volition.data.metadata import read_metadata
from volition.data.stage import StagedEpisode
from volition.data.statistics import KEYS, Moments, Running, Statistics, write_statistics
from volition.data.store import Dataset
from volition.data.tables import open_table, read_table, to_column, write_tables
from volition.data.video import frame_rate, join


class Publisher:
    """Keeps what has to be known of all episodes so far: tasks, running statistics, hashes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        meta = read_metadata(folder)
        # As the data set describes itself: whoever goes on with it may know units that it does not.
        self._features, self._fps = meta.features, meta.fps
        self._columns = [feature for feature in meta.features if feature.kind != "image"]
        self._cameras = [feature for feature in meta.features if feature.kind == "image"]
        self._info = dict(meta.info)
        self.episodes, self.frames = len(meta.episodes), meta.frames
        self._tasks = {text: index for index, text in meta.tasks.items()}
        shapes = {feature.name: feature.shape for feature in self._columns if feature.kind != "text"}
        self._running = Running(shapes | dict.fromkeys(RESERVED, (1,)))
        self._hashes = self._replay()

    def publish(self, group: Sequence[StagedEpisode]) -> None:
        """All of `group` into one file of each kind; their videos must have one format."""
        place = self._next_place()
        tables, rows, judged = [], [], []
        begins = {
            camera.name: self._join(camera.name, [staged.video(camera.name) for staged in group], place)
            for camera in self._cameras
        }
        for number, staged in enumerate(group):
            arrays, task = staged.arrays(self._features)
            for text in staged.tasks:
                self._tasks.setdefault(text, len(self._tasks))
            arrays |= self._counted(staged.length, np.array([self._tasks[text] for text in staged.tasks])[task])
            tables.append(self._table(arrays))
            statistics: Statistics = dict(staged.pictures)
            for name, values in arrays.items():
                if values.dtype.kind != "O":
                    moments = Moments(values.shape[1:])
                    moments.add(values)
                    statistics[name] = moments.result()
            starts = {name: counts[number] / float(frame_rate(self._fps)) for name, counts in begins.items()}
            rows.append(self._row(staged, place, starts, statistics))
            judged.append([self.episodes, staged.success, json.dumps(staged.info), staged.sha256])
            self._running.add(arrays)
            for name, of in staged.pictures.items():
                self._running.add_pictures(name, of)
            self._hashes.append(staged.sha256)
            self.episodes, self.frames = self.episodes + 1, self.frames + staged.length
        write_tables(self._folder / layout.DATA.format(**place), tables)
        write_tables(self._folder / layout.TASKS, [_tasks_table(self._tasks)])
        write_tables(
            self._folder / layout.JUDGED.format(**place), [pa.Table.from_arrays(_columns(judged), schema=_JUDGED)]
        )
        write_tables(self._folder / layout.EPISODES.format(**place), [self._episodes_table(rows)])
        self._write_meta()

    def drop_unfinished(self) -> None:
        """Remove numbered files that no counted episode uses: their episodes are still staged."""
        used: set[int] = set()
        for record in read_metadata(self._folder).episodes:
            used |= {_number(record.data), *(_number(video.path) for video in record.videos.values())}
        last = max(used, default=-1)
        for path in self._numbered():
            if _number(path.as_posix()) > last:
                path.unlink()

    def _replay(self) -> list[str]:
        """Statistics and hashes of the episodes that are there already: one pass over their numbers."""
        if not self.episodes:
            return []
        hashes = []
        with Dataset(self._folder) as dataset:
            for record in dataset.metadata.episodes:
                self._running.add(dataset.numbers(record.index, reserved=True))
                hashes.append(record.sha256 or dataset.episode_hash(record.index))
            saved = _saved_by_episode(self._folder, self.episodes, [camera.name for camera in self._cameras])
            for camera in self._cameras:
                # Not from stats.json where it can be helped: a kill may have left it ahead of info.json.
                for of in saved[camera.name] or [dataset.statistics[camera.name]]:
                    self._running.add_pictures(camera.name, of)
        return hashes

    def _next_place(self) -> dict[str, int]:
        number = max((_number(path.as_posix()) for path in self._numbered()), default=-1) + 1
        return {"chunk_index": number // layout.FILES_PER_CHUNK, "file_index": number % layout.FILES_PER_CHUNK}

    def _numbered(self) -> list[Path]:
        kinds = ("data", "meta/episodes", "meta/volition", "videos/*")
        return [path for kind in kinds for path in self._folder.glob(f"{kind}/chunk-*/file-*.*")]

    def _join(self, name: str, paths: Sequence[Path], place: dict[str, int]) -> list[int]:
        """Returns the frame at which each episode begins in the new file."""
        with replacing(self._folder / layout.VIDEO.format(video_key=name, **place)) as beside:
            counts = join(paths, beside, self._fps)
        return [sum(counts[:number]) for number in range(len(counts))]

    def _counted(self, length: int, task: np.ndarray) -> dict[str, np.ndarray]:
        """The columns every frame has."""
        frame = np.arange(length, dtype=np.int64)
        columns = {
            "timestamp": (frame / self._fps).astype(np.float32),
            "frame_index": frame,
            "episode_index": np.full(length, self.episodes, dtype=np.int64),
            "index": frame + self.frames,
            "task_index": task.astype(np.int64),
        }
        return {name: values.reshape(-1, 1) for name, values in columns.items()}

    def _table(self, arrays: dict[str, np.ndarray]) -> pa.Table:
        columns = {feature.name: to_column(feature, arrays[feature.name]) for feature in self._columns}
        return pa.table(columns | {name: pa.array(arrays[name].ravel()) for name in RESERVED})

    def _row(
        self, staged: StagedEpisode, place: dict[str, int], starts: dict[str, float], statistics: Statistics
    ) -> dict[str, Any]:
        row: dict[str, Any] = {
            "episode_index": self.episodes,
            "tasks": list(staged.tasks),
            "length": staged.length,
            "data/chunk_index": place["chunk_index"],
            "data/file_index": place["file_index"],
            "dataset_from_index": self.frames,
            "dataset_to_index": self.frames + staged.length,
        }
        for name, start in starts.items():
            row[f"videos/{name}/chunk_index"] = place["chunk_index"]
            row[f"videos/{name}/file_index"] = place["file_index"]
            row[f"videos/{name}/from_timestamp"] = start
            row[f"videos/{name}/to_timestamp"] = start + staged.length / self._fps
        for name, of in statistics.items():
            row |= {f"stats/{name}/{key}": value.tolist() for key, value in of.items()}
        row["meta/episodes/chunk_index"] = place["chunk_index"]
        row["meta/episodes/file_index"] = place["file_index"]
        return row

    def _episodes_table(self, rows: Sequence[dict[str, Any]]) -> pa.Table:
        """With the columns and types of the first file, if there is one: `datasets` reads all files as that one."""
        table = pa.table({name: pa.array([row[name] for row in rows]) for name in rows[0]})
        first = min(self._folder.glob("meta/episodes/chunk-*/file-*.parquet"), default=None)
        if first is None:
            return table
        schema = open_table(first).schema_arrow
        fields = [schema.field(name) for name in table.column_names if name in schema.names]
        return table.select([field.name for field in fields]).cast(pa.schema(fields))

    def _write_meta(self) -> None:
        meta = self._folder
        write_statistics(meta / layout.STATS, self._running.result())
        info = self._info
        robot, spec = info.get("robot_type") or "unknown", info.get("volition", {}).get("action_spec", "")
        whole = fingerprint(self._features, self._fps, robot, spec, self._hashes)
        counts = {"episodes": self.episodes, "frames": self.frames}
        write_fingerprint(meta / layout.FINGERPRINT, data=whole, statistics=meta / layout.STATS, **counts)
        info |= {"total_episodes": self.episodes, "total_frames": self.frames, "total_tasks": len(self._tasks)}
        info["splits"] = {"train": f"0:{self.episodes}"}
        write_json(meta / layout.INFO, info)


def _number(path: str) -> int:
    """`.../chunk-001/file-002.mp4` -> 1002"""
    chunk, file = path.rsplit("/", 2)[-2:]
    return int(chunk.removeprefix("chunk-")) * layout.FILES_PER_CHUNK + int(file.split(".")[0].removeprefix("file-"))


def _saved_by_episode(folder: Path, episodes: int, names: Sequence[str]) -> dict[str, list[dict[str, np.ndarray]]]:
    """The statistics of each episode's pictures, in order; empty for a camera that some file has none of."""
    found: dict[str, dict[int, dict[str, np.ndarray]]] = {name: {} for name in names}
    for path in sorted(folder.glob("meta/episodes/chunk-*/file-*.parquet")):
        columns = [f"stats/{name}/{key}" for name in names for key in KEYS]
        if not set(columns) <= set(open_table(path).schema_arrow.names):
            return {name: [] for name in names}
        for row in read_table(path, ["episode_index", *columns]).to_pylist():
            for name in names:
                found[name][row["episode_index"]] = {key: np.array(row[f"stats/{name}/{key}"]) for key in KEYS}
    return {name: [of[index] for index in range(episodes)] for name, of in found.items()}


_JUDGED = pa.schema(
    [("episode_index", pa.int64()), ("success", pa.bool_()), ("info", pa.string()), ("sha256", pa.string())]
)


def _columns(rows: Sequence[Sequence[Any]]) -> list[pa.Array]:
    return [pa.array(column, type=field.type) for column, field in zip(zip(*rows, strict=True), _JUDGED, strict=True)]


def _tasks_table(tasks: dict[str, int]) -> pa.Table:
    """task_index with the text as the table's pandas index, which is what `lerobot` looks up."""
    texts = sorted(tasks, key=lambda text: tasks[text])
    table = pa.table({"task_index": [tasks[text] for text in texts], "__index_level_0__": texts})
    column = {"metadata": None, "field_name": None}
    pandas = {
        "index_columns": ["__index_level_0__"],
        "column_indexes": [{"name": None, "pandas_type": "unicode", "numpy_type": "object", **column}],
        "columns": [
            {"name": "task_index", "pandas_type": "int64", "numpy_type": "int64", **column, "field_name": "task_index"},
            {"name": None, "pandas_type": "unicode", "numpy_type": "object", **column, "field_name": "__index_level_0__"},
        ],
        "creator": {"library": "pyarrow", "version": pa.__version__},
        "pandas_version": "2.0.0",
    }  # fmt: skip
    return table.replace_schema_metadata({"pandas": json.dumps(pandas)})
