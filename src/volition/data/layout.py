"""Where LeRobot keeps what, and how its `info.json` describes features: names and paths, no reading of data.

    v3.0  meta/info.json, tasks.parquet, stats.json, episodes/chunk-000/file-000.parquet
          data/chunk-000/file-000.parquet, videos/<camera>/chunk-000/file-000.mp4: several episodes a file
    v2.x  meta/info.json, tasks.jsonl, episodes.jsonl, stats.json (2.0) or episodes_stats.jsonl (2.1)
          data/chunk-000/episode_000000.parquet, videos/chunk-000/<camera>/episode_000000.mp4: an episode a file

Volition's own words live under the key "volition" of info.json and in meta/volition/, which `lerobot` ignores. (In
columns of meta/episodes/ they would not do: `datasets` refuses a later file with columns that the first lacks.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from volition.data.errors import DataError
from volition.data.feature import RESERVED, Feature, kind_of

INFO = "meta/info.json"
STATS = "meta/stats.json"
TASKS = "meta/tasks.parquet"
FINGERPRINT = "meta/fingerprint.json"
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
JUDGED = "meta/volition/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"  # success, info, sha256 by episode
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
RECORDING = ".recording"  # finished episodes that are not in a shared file yet, and the one in progress
FILES_PER_CHUNK = 1000

_RESERVED_INFO = {
    name: {"dtype": "float32" if name == "timestamp" else "int64", "shape": [1], "names": None} for name in RESERVED
}


def new_info(features: Iterable[Feature], *, fps: float, robot: str, action_spec: str) -> dict[str, Any]:
    """info.json of a data set without episodes."""
    features = tuple(features)
    videos = any(feature.kind == "image" for feature in features)
    return {
        "codebase_version": "v3.0",
        "robot_type": robot,
        "total_episodes": 0,
        "total_frames": 0,
        "total_tasks": 0,
        "chunks_size": FILES_PER_CHUNK,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": int(fps) if float(fps).is_integer() else fps,
        "splits": {},
        "data_path": DATA,
        "video_path": VIDEO if videos else None,
        "features": {feature.name: _to_info(feature, fps) for feature in features} | _RESERVED_INFO,
        "volition": {
            "format": 1,
            "action_spec": action_spec,
            "features": {feature.name: {"kind": feature.kind, "unit": feature.unit} for feature in features},
        },
    }


def _to_info(feature: Feature, fps: float) -> dict[str, Any]:
    entry: dict[str, Any] = {"dtype": feature.dtype, "shape": list(feature.shape), "names": None}
    if feature.kind == "image":
        height, width, channels = feature.shape
        entry |= {"dtype": "video", "names": ["height", "width", "channels"]}
        entry["info"] = {
            "video.height": height,
            "video.width": width,
            "video.codec": "h264",
            "video.pix_fmt": "yuv420p",
            "video.is_depth_map": False,
            "video.fps": int(fps) if float(fps).is_integer() else fps,
            "video.channels": channels,
            "has_audio": False,
        }
    elif feature.names is not None:
        entry["names"] = list(feature.names)
    return entry


def features_of(info: Mapping[str, Any], owner: str) -> tuple[Feature, ...]:
    """The features that info.json declares, in its order, without those every frame has."""
    declared = info.get("features")
    if not isinstance(declared, dict) or not declared:
        raise DataError(f"{owner}: 'features' is missing; it must describe each column.")
    ours = info.get("volition", {}).get("features", {})
    found = []
    for name, entry in declared.items():
        if name not in RESERVED:
            try:
                found.append(_from_info(name, entry, ours.get(name, {})))
            except (KeyError, TypeError, AttributeError) as error:
                raise DataError(f"{owner}: feature {name} is {entry!r}; it needs dtype and shape.") from error
    return tuple(found)


def _from_info(name: str, entry: Mapping[str, Any], ours: Mapping[str, Any]) -> Feature:
    dtype, shape, names = entry["dtype"], tuple(int(size) for size in entry["shape"]), entry.get("names")
    if dtype in ("image", "video"):
        return Feature(name=name, kind="image", dtype="uint8", shape=_height_width(shape, names))
    kind = ours.get("kind", kind_of(name, dtype))
    shape = shape or (1,)
    return Feature(
        name=name, kind=kind, dtype=dtype, shape=shape, names=_names(names, shape), unit=ours.get("unit", "")
    )


def _height_width(shape: tuple[int, ...], names: Any) -> tuple[int, int, int]:
    """(H, W, 3), whichever axis a data set puts the channels on; grey and alpha are read as RGB."""
    first = isinstance(names, list) and bool(names) and str(names[0]).startswith("channel")
    if not isinstance(names, list):
        first = len(shape) == 3 and shape[0] in (1, 3, 4) and shape[2] not in (1, 3, 4)
    height, width = shape[1:3] if first else shape[0:2]
    return height, width, 3


def _names(names: Any, shape: tuple[int, ...]) -> tuple[str, ...] | None:
    """The names of the numbers; data sets also write {"motors": [...]}, or something that does not fit."""
    if isinstance(names, dict) and len(names) == 1:
        names = next(iter(names.values()))
    if isinstance(names, list) and len(names) == shape[-1] and all(isinstance(name, str) for name in names):
        return tuple(names)
    return None
