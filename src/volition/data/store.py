"""Reads a LeRobot data set (v3.0, v2.1, v2.0): any frame of any episode, numbers and pictures, in bounded memory.

    folder -> Dataset: numbers(episode), images(episode, camera, frames), episode(i) -> EpisodeData, frame by index

What `lerobot` 0.4.4 writes is read, whichever codec its videos have and also with pictures inside parquet. Opening
reads meta/ only. Safe to use from several threads.
"""

from __future__ import annotations

import bisect
import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from volition.data import layout
from volition.data.atomic import read_json_lines
from volition.data.decode import VideoPool
from volition.data.episode import EpisodeData, LazyFrames
from volition.data.errors import DataError
from volition.data.feature import RESERVED, Feature
from volition.data.fingerprint import check_fingerprint, episode_hash, fingerprint
from volition.data.frame_cache import ArrayCache
from volition.data.metadata import EpisodeRecord, Metadata, read_metadata
from volition.data.statistics import Statistics, merge, read_statistics
from volition.data.tables import from_column, open_table, picture_from, read_rows

_RESERVED = {
    name: Feature(name="reserved", kind="scalar", dtype="float64" if name == "timestamp" else "int64", shape=(1,))
    for name in RESERVED
}
_OPEN_TABLES = 16
_SMALL = 32 << 20  # bytes of numbers and stamps that are kept: about 200 episodes
_REGULAR = 1e-3  # s: stamps this near to frame / fps are frame / fps, stored as float32


class Dataset:
    """`cache_bytes` bounds the decoded pictures that are kept."""

    def __init__(self, folder: Path | str, *, cache_bytes: int = 256 << 20) -> None:
        self.folder = Path(folder)
        self.metadata: Metadata = read_metadata(self.folder)
        self.pictures = ArrayCache(cache_bytes)
        self._small = ArrayCache(_SMALL)
        self.videos = VideoPool()
        self._tables: dict[str, pq.ParquetFile] = {}
        self._lock = threading.Lock()
        self._begins = [record.begin for record in self.metadata.episodes]

    @property
    def fps(self) -> float:
        return self.metadata.fps

    @property
    def features(self) -> tuple[Feature, ...]:
        return self.metadata.features

    @property
    def episodes(self) -> int:
        """How many there are."""
        return len(self.metadata.episodes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found odd and can be lived with."""
        waiting = list((self.folder / layout.RECORDING).glob("episode-*"))
        more = (f"{len(waiting)} recorded episodes are not joined yet; DatasetWriter.resume joins them.",)
        return self.metadata.notes + (more if waiting else ())

    def __len__(self) -> int:
        """Frames of all episodes."""
        return self.metadata.frames

    def __iter__(self) -> Iterator[EpisodeData]:
        return (self.episode(index) for index in range(self.episodes))

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Everything at one frame of the data set; `task` is its instruction, `timestamp` its seconds."""
        return self.frame(*self.locate(index))

    def record(self, index: int) -> EpisodeRecord:
        if not 0 <= index < self.episodes:
            raise DataError(f"{self.folder} has no episode {index}; it has {self.episodes}, from 0.")
        return self.metadata.episodes[index]

    def feature(self, name: str) -> Feature:
        for feature in self.features:
            if feature.name == name:
                return feature
        names = ", ".join(feature.name for feature in self.features)
        raise DataError(f"{self.folder} has no {name!r}; it has {names}.")

    def locate(self, index: int) -> tuple[int, int]:
        """Episode and frame in it of a frame of the data set."""
        if not 0 <= index < len(self):
            raise DataError(f"{self.folder} has no frame {index}; it has {len(self)}, from 0.")
        episode = bisect.bisect_right(self._begins, index) - 1
        return episode, index - self._begins[episode]

    def numbers(
        self, index: int, names: Sequence[str] | None = None, *, reserved: bool = False
    ) -> dict[str, np.ndarray]:
        """Numbers and texts of an episode, each (T, *shape); `reserved`: also the columns every frame has.

        They are as they are on disk: not checked to be finite, for whoever looks for faults. Read-only: they are kept.
        """  # fmt: skip
        record = self.record(index)
        wanted = [f for f in self.features if f.kind != "image" and (names is None or f.name in names)]
        columns = {feature.name: feature for feature in wanted}
        there = self._columns(record)
        columns |= {
            name: _RESERVED[name] for name in RESERVED if name in there and (reserved or name == "episode_index")
        }
        lacking = [name for name in (*columns, *(names or ())) if name not in there]
        if lacking:
            raise DataError(f"{self.folder / record.data} has no column {lacking[0]}; it has {', '.join(there)}.")
        arrays = self._arrays(record, columns)
        if "episode_index" in arrays and not (arrays["episode_index"] == index).all():
            raise DataError(f"{self.folder / record.data}: the rows of episode {index} belong to another episode.")
        if reserved and "frame_index" not in arrays:  # v2 data sets may do without
            arrays["frame_index"] = np.arange(record.length).reshape(-1, 1)
        return arrays if reserved else {name: arrays[name] for name in arrays if name not in RESERVED}

    def timestamps(self, index: int) -> np.ndarray:
        """(T,) seconds since the episode's first frame; exactly frame / fps wherever they mean that."""
        stamps = self._stamps(self.record(index))
        exact = np.arange(len(stamps)) / self.fps
        return exact if np.abs(stamps - stamps[0] - exact).max() < _REGULAR else stamps - stamps[0]

    def images(self, index: int, camera: str, frames: Sequence[int], *, keep: bool = True) -> np.ndarray:
        """Pictures (n, H, W, 3) of one camera at these frames of an episode; `keep`: in the cache for the next time."""
        record, feature = self.record(index), self.feature(camera)
        if feature.kind != "image":
            raise DataError(
                f"{camera} is a {feature.kind}, not a camera; cameras are {', '.join(self.metadata.stored)}."
            )
        out = np.empty((len(frames), *feature.shape), dtype=np.uint8)
        missing: dict[int, list[int]] = {}
        for place, frame in enumerate(frames):
            if not 0 <= frame < record.length:
                raise DataError(f"{self.folder}, episode {index}, has no frame {frame}; it has {record.length}.")
            known = self.pictures.get((camera, index, frame)) if keep else None
            if known is None:
                missing.setdefault(int(frame), []).append(place)
            else:
                out[place] = known
        if missing:
            found = self._decode(record, feature, sorted(missing))
            for frame, picture in zip(sorted(missing), found, strict=True):
                out[missing[frame]] = picture
                if keep:
                    self.pictures.put((camera, index, frame), picture)
        return out

    def frame(self, index: int, frame: int) -> dict[str, Any]:
        """Everything at one frame of one episode."""
        episode = self.episode(index)
        values = episode.frame(frame)
        stamps = self.timestamps(index)
        return values | {"task": episode.task(frame), "timestamp": float(stamps[frame])}

    def episode(self, index: int) -> EpisodeData:
        """One episode; its pictures are decoded when they are asked for."""
        record = self.record(index)
        arrays = self.numbers(index, reserved=True)
        tasks, which = self.tasks_of(index, arrays)

        def load(camera: str) -> LazyFrames:
            return LazyFrames(record.length, lambda frame: self.images(index, camera, [frame])[0])

        return EpisodeData(
            features=self.features,
            arrays={name: values for name, values in arrays.items() if name not in RESERVED},
            images={feature.name: load(feature.name) for feature in self.features if feature.kind == "image"},
            tasks=tasks,
            task_index=which,
            fps=self.fps,
            timestamps=self.timestamps(index),
            robot=self.metadata.robot,
            action_spec=self.metadata.action_spec,
            success=record.success,
            info=record.info,
            source=f"{self.folder}, episode {index}",
        )

    @cached_property
    def statistics(self) -> Statistics:
        """As they are saved; v2.1, which saves them by episode, has them merged."""
        lines = self.folder / "meta" / "episodes_stats.jsonl"
        if self.metadata.version != "v2.1" or not lines.exists():
            return read_statistics(self.folder / layout.STATS)
        try:
            found = [
                {
                    name: {k: np.asarray(v, dtype=np.float64) for k, v in of.items()}
                    for name, of in line["stats"].items()
                }
                for line in read_json_lines(lines)
            ]
            return {name: merge([of[name] for of in found]) for name in found[0]}
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise DataError(f"{lines} does not hold statistics by episode and feature: {error}.") from error

    def episode_hash(self, index: int) -> str:
        """The hash of an episode's content, computed from what is on disk."""
        record = self.record(index)
        arrays = self.numbers(index, reserved=True)
        tasks, which = self.tasks_of(index, arrays)
        videos = {}
        for camera, place in record.videos.items():
            path = self.folder / place.path
            begin = self._picture_numbers(record, camera, np.array([0]))[0]
            videos[camera] = self.videos.packets_hash(path, int(begin), record.length)
        own = {name: values for name, values in arrays.items() if name not in RESERVED}
        return episode_hash(own, [tasks[i] for i in which], videos, record.success)

    def fingerprint(self, *, recompute: bool = False) -> str:
        """The hash of the whole data set; `recompute`: from the data rather than from the episodes' saved hashes."""
        hashes = [
            record.sha256 if record.sha256 and not recompute else self.episode_hash(record.index)
            for record in self.metadata.episodes
        ]
        meta = self.metadata
        return fingerprint(meta.features, meta.fps, meta.robot, meta.action_spec, hashes)

    def verify(self) -> None:
        """Raise if an episode, or the statistics, are not those that were recorded; reads everything, decodes nothing."""
        for record in self.metadata.episodes:
            if record.sha256 and self.episode_hash(record.index) != record.sha256:
                raise DataError(f"{self.folder}, episode {record.index}, is not what was recorded; its hash differs.")
        saved = self.folder / layout.FINGERPRINT
        check_fingerprint(saved, data=self.fingerprint(), statistics=self.folder / layout.STATS)

    def close(self) -> None:
        self.videos.close()
        self.pictures.clear()
        with self._lock:
            for table in self._tables.values():
                table.close()
            self._tables.clear()

    def __enter__(self) -> Dataset:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process opens the folder again: files and caches do not travel."""
        return _open, (self.folder, self.pictures.limit)

    def _decode(self, record: EpisodeRecord, feature: Feature, frames: Sequence[int]) -> np.ndarray:
        if self.metadata.stored[feature.name] == "image":
            column = self._rows(record, [feature.name])[feature.name]
            name = f"{self.folder / record.data}, {feature.name}, episode {record.index}"
            found = np.stack([picture_from(column[frame].as_py(), f"{name}, frame {frame}") for frame in frames])
        else:
            path = self.folder / record.videos[feature.name].path
            numbers = self._picture_numbers(record, feature.name, np.asarray(frames))
            found = self.videos.frames(path, numbers.tolist())
        if found.shape[1:] != feature.shape:
            where = f"{self.folder}, episode {record.index}, {feature.name}"
            raise DataError(f"{where}: pictures are {found.shape[1:]}; info.json says {feature.shape}.")
        return found

    def _picture_numbers(self, record: EpisodeRecord, camera: str, frames: np.ndarray) -> np.ndarray:
        """Which pictures of the file these frames are."""
        place = record.videos[camera]
        if self.metadata.version != "v3.0":  # a file is an episode, whatever its stamps begin with
            return frames
        numbers = self._small.get((camera, record.index))
        if numbers is None:
            stamps = self.timestamps(record.index) + self._stamps(record)[0]
            rate = float(self.videos.rate(self.folder / place.path))
            numbers = np.round((place.begin + stamps) * rate).astype(np.int64)
            numbers = self._small.put((camera, record.index), numbers)
        return numbers[frames]

    def _arrays(self, record: EpisodeRecord, columns: dict[str, Feature]) -> dict[str, np.ndarray]:
        """These columns of an episode, from memory or from the file."""
        found = {name: self._small.get((name, record.index, "numbers")) for name in columns}
        unread = [name for name, values in found.items() if values is None]
        read: dict[str, np.ndarray] = {}
        if unread:
            table = self._rows(record, unread)
            for name in unread:
                feature, where = columns[name], f"{self.folder / record.data}, {name}"
                values = from_column(table[name], feature.shape, feature.dtype, where)
                if feature.kind != "text":  # whose size is not known
                    values = self._small.put((name, record.index, "numbers"), values)
                read[name] = values
        return {name: read[name] if values is None else values for name, values in found.items()}

    def _stamps(self, record: EpisodeRecord) -> np.ndarray:
        stamps = self._small.get(("timestamp", record.index))
        if stamps is None:
            if "timestamp" in self._columns(record):
                column = self._rows(record, ["timestamp"])["timestamp"]
                stamps = from_column(column, (1,), "float64", f"{self.folder / record.data}, timestamp").ravel()
            else:
                stamps = np.arange(record.length) / self.fps
            stamps = self._small.put(("timestamp", record.index), stamps)
        return stamps

    def tasks_of(self, index: int, arrays: dict[str, np.ndarray]) -> tuple[tuple[str, ...], np.ndarray]:
        """The instructions of an episode in the order they occur, and which one each frame has.

        `arrays` is what `numbers(index, reserved=True)` gave.
        """
        record = self.record(index)
        if "task_index" not in arrays:
            return record.tasks[:1], np.zeros(record.length, dtype=np.int64)
        column = arrays["task_index"].ravel()
        first = np.sort(np.unique(column, return_index=True)[1])
        ids = [int(column[at]) for at in first]
        unknown = [number for number in ids if number not in self.metadata.tasks]
        if unknown:
            raise DataError(f"{self.folder}, episode {record.index}: task_index {unknown[0]} is not among the tasks.")
        which = np.zeros(record.length, dtype=np.int64)
        for place, number in enumerate(ids):
            which[column == number] = place
        return tuple(self.metadata.tasks[number] for number in ids), which

    def _columns(self, record: EpisodeRecord) -> list[str]:
        with self._lock:
            return list(self._table(record).schema_arrow.names)

    def _rows(self, record: EpisodeRecord, columns: Sequence[str]) -> Any:
        with self._lock:  # an open parquet file is for one thread at a time
            table, path = self._table(record), self.folder / record.data
            if self.metadata.version != "v3.0" and table.metadata.num_rows != record.length:
                raise DataError(
                    f"{path} has {table.metadata.num_rows} rows; the episode is said to have {record.length}."
                )
            return read_rows(table, path, record.row, record.row + record.length, columns)

    def _table(self, record: EpisodeRecord) -> pq.ParquetFile:
        table = self._tables.pop(record.data, None)
        if table is None:
            table = open_table(self.folder / record.data)
            while len(self._tables) >= _OPEN_TABLES:
                self._tables.pop(next(iter(self._tables))).close()
        self._tables[record.data] = table
        return table


def _open(folder: Path, cache_bytes: int) -> Dataset:
    return Dataset(folder, cache_bytes=cache_bytes)
