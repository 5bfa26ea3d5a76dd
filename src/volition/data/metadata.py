"""What a data set says about itself: features, tasks, and where each episode lies. LeRobot v3.0, v2.1 and v2.0.

    folder/meta/* -> Metadata (features, tasks, EpisodeRecord for each episode) -> Dataset (store.py)

Nothing of the data is read here. What a foreign data set gets wrong and can be lived with goes into `notes`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from volition.data import layout
from volition.data.atomic import read_json, read_json_lines
from volition.data.episode import check_fps
from volition.data.errors import DataError
from volition.data.feature import Feature
from volition.data.tables import read_table

VERSIONS = ("v3.0", "v2.1", "v2.0")


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoPlace:
    """Where an episode's pictures of one camera are: from `begin` seconds into this file."""

    path: str  # relative to the data set's folder
    begin: float


@dataclass(frozen=True, kw_only=True, slots=True)
class EpisodeRecord:
    """One episode's entry. `begin` is its first frame's index in the data set, `row` its first row in its file."""

    index: int
    length: int
    begin: int
    data: str  # relative to the data set's folder
    row: int
    videos: Mapping[str, VideoPlace]
    tasks: tuple[str, ...]
    success: bool | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""  # of its content, "" if nobody recorded it


@dataclass(frozen=True, kw_only=True)
class Metadata:
    folder: Path
    version: str
    fps: float
    robot: str
    action_spec: str
    features: tuple[Feature, ...]
    stored: Mapping[str, str]  # image feature -> "video" or "image" (pictures inside parquet)
    tasks: Mapping[int, str]  # by task_index
    episodes: tuple[EpisodeRecord, ...]
    frames: int
    info: Mapping[str, Any]  # info.json as it is
    notes: tuple[str, ...] = ()


def read_metadata(folder: Path) -> Metadata:
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give the folder that has meta/info.json in it.")
    path = folder / layout.INFO
    info = read_json(path)
    if not isinstance(info, dict):
        raise DataError(f"{path} must hold an object.")
    version = info.get("codebase_version")
    if version not in VERSIONS:
        raise DataError(f"{path}: codebase_version is {version!r}; readable are {', '.join(VERSIONS)}.")
    features = layout.features_of(info, str(path))
    stored = {f.name: info["features"][f.name]["dtype"] for f in features if f.kind == "image"}
    notes: list[str] = []
    if version == "v3.0":
        tasks = _tasks_v3(folder)
        episodes = _episodes_v3(folder, info, stored)
    else:
        tasks = _tasks_v2(folder)
        features, stored = _without_missing_cameras(folder, features, stored, notes)
        episodes = _episodes_v2(folder, info, stored)
    frames = sum(record.length for record in episodes)
    if info.get("total_frames", frames) != frames:
        notes.append(f"info.json counts {info['total_frames']} frames, the episodes {frames}.")
    return Metadata(
        folder=folder,
        version=version,
        fps=check_fps(info.get("fps", 0), str(path)),
        robot=str(info.get("robot_type") or "unknown"),
        action_spec=str(info.get("volition", {}).get("action_spec", "")),
        features=features,
        stored=stored,
        tasks=tasks,
        episodes=tuple(episodes),
        frames=frames,
        info=info,
        notes=tuple(notes),
    )


def _tasks_v3(folder: Path) -> dict[int, str]:
    path = folder / layout.TASKS
    if not path.exists() and read_json(folder / layout.INFO).get("total_episodes") == 0:
        return {}
    table = read_table(path)
    # The text is the table's pandas index: named, unnamed or an ordinary column.
    texts = [name for name in table.column_names if pa.types.is_string(table.schema.field(name).type)]
    texts += [name for name in table.column_names if pa.types.is_large_string(table.schema.field(name).type)]
    if "task_index" not in table.column_names or len(texts) != 1:
        raise DataError(f"{path} has columns {table.column_names}; it must have task_index and one column of texts.")
    return dict(zip(table["task_index"].to_pylist(), table[texts[0]].to_pylist(), strict=True))


def _episodes_v3(folder: Path, info: Mapping[str, Any], stored: Mapping[str, str]) -> list[EpisodeRecord]:
    total = int(info.get("total_episodes", 0))
    rows: dict[int, dict[str, Any]] = {}
    root = folder / "meta" / "episodes"
    for path in sorted(root.glob("chunk-*/file-*.parquet")):
        table = read_table(path)
        keep = [name for name in table.column_names if not name.startswith("stats/")]
        try:
            rows.update({row["episode_index"]: row for row in table.select(keep).to_pylist()})
        except KeyError as error:
            raise DataError(f"{path} has no column episode_index.") from error
    missing = [index for index in range(total) if index not in rows]
    if missing:
        raise DataError(f"{root} lacks episode {missing[0]} ({len(missing)} of {total}); info.json counts {total}.")
    judged: dict[int, dict[str, Any]] = {}
    for path in sorted(folder.glob("meta/volition/chunk-*/file-*.parquet")):
        judged |= {row["episode_index"]: row for row in read_table(path).to_pylist()}
    records, first = [], {}
    for index in range(total):  # more rows than that belong to a recording that was killed
        row = rows[index] | judged.get(index, {})
        try:
            records.append(_record_v3(row, info, stored, first))
        except (KeyError, TypeError) as error:
            raise DataError(f"{root}: episode {index} lacks {error}; its entry is damaged.") from error
    return records


def _record_v3(
    row: Mapping[str, Any], info: Mapping[str, Any], stored: Mapping[str, str], first: dict[str, int]
) -> EpisodeRecord:
    data = info["data_path"].format(chunk_index=row["data/chunk_index"], file_index=row["data/file_index"])
    begin, end = row["dataset_from_index"], row["dataset_to_index"]
    if end - begin != row["length"]:
        raise DataError(
            f"meta/episodes: episode {row['episode_index']} spans frames {begin} to {end}, yet its length is {row['length']}."
        )
    videos = {}
    for key, kind in stored.items():
        if kind == "video":
            place = {"chunk_index": row[f"videos/{key}/chunk_index"], "file_index": row[f"videos/{key}/file_index"]}
            path = info["video_path"].format(video_key=key, **place)
            videos[key] = VideoPlace(path=path, begin=float(row[f"videos/{key}/from_timestamp"]))
    return EpisodeRecord(
        index=row["episode_index"],
        length=row["length"],
        begin=begin,
        data=data,
        row=begin - first.setdefault(data, begin),
        videos=videos,
        tasks=tuple(row.get("tasks") or ()),
        success=row.get("success"),
        info=json.loads(row.get("info") or "{}"),
        sha256=row.get("sha256") or "",
    )


def _tasks_v2(folder: Path) -> dict[int, str]:
    path = folder / "meta" / "tasks.jsonl"
    try:
        return {int(line["task_index"]): str(line["task"]) for line in read_json_lines(path)}
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} must have task_index and task on each line.") from error


def _without_missing_cameras(
    folder: Path, features: tuple[Feature, ...], stored: Mapping[str, str], notes: list[str]
) -> tuple[tuple[Feature, ...], dict[str, str]]:
    """Cameras that v2 declares and has no folder for at all (the GR1 demonstrations have one) are left out."""
    there = {path.name for path in folder.glob("videos/chunk-*/*") if path.is_dir()}
    gone = {name for name, kind in stored.items() if kind == "video" and name not in there}
    notes += [f"{name} is declared in info.json but has no video; it is left out." for name in sorted(gone)]
    kept = {name: kind for name, kind in stored.items() if name not in gone}
    return tuple(feature for feature in features if feature.name not in gone), kept


def _episodes_v2(folder: Path, info: Mapping[str, Any], stored: Mapping[str, str]) -> list[EpisodeRecord]:
    path = folder / "meta" / "episodes.jsonl"
    chunk, begin, records = int(info.get("chunks_size", 1000)), 0, []
    for number, line in enumerate(read_json_lines(path)):
        try:
            index, length = int(line["episode_index"]), int(line["length"])
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path}, entry {number}, must have episode_index and length.") from error
        if index != number:
            raise DataError(f"{path}, entry {number}, is episode {index}; they must be in order from 0.")
        place = {"episode_chunk": index // chunk, "episode_index": index}
        try:
            data = info["data_path"].format(**place)
            videos = {
                key: VideoPlace(path=info["video_path"].format(video_key=key, **place), begin=0.0)
                for key, kind in stored.items()
                if kind == "video"
            }
        except (KeyError, AttributeError) as error:
            raise DataError(f"{folder / layout.INFO}: data_path or video_path is not usable: {error}.") from error
        extra = {key: value for key, value in line.items() if key not in ("episode_index", "length", "tasks")}
        records.append(
            EpisodeRecord(
                index=index,
                length=length,
                begin=begin,
                data=data,
                row=0,
                videos=videos,
                tasks=tuple(line.get("tasks") or ()),
                info=extra,
            )
        )
        begin += length
    return records
