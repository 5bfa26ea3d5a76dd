"""An exported policy as a folder: what lies in it, written whole, and refused if a part is missing or another.

    policy.*        the network: pictures, state, words -> a chunk
    language.*      the language encoder: token ids -> words; run once a sentence
    tokenizer.json  text -> token ids
    stats.json      the codec: scales of states and actions
    robot.json      the RobotSpec it was taught on
    export.json     what it looks at, sizes, versions, the check against the original, a hash of every other file

Nothing here needs torch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from volition.body.memory import Looks
from volition.data.atomic import replacing_folder
from volition.errors import AssetError
from volition.robots.description import action_from
from volition.transforms.codec import Codec, codec_from_json

FORMAT = 1
MANIFEST, STATS, ROBOT, TOKENIZER = "export.json", "stats.json", "robot.json", "tokenizer.json"
SUFFIX = {"onnx": ".onnx", "torchscript": ".pt", "export": ".pt2"}
POLICY, LANGUAGE = "policy", "language"  # and the format's suffix


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What `export.json` says, but for the hashes."""

    engine: str  # onnx, torchscript or export
    recipe: str
    looks: Looks
    picture: tuple[int, int]
    dt: float  # s, between two actions of a chunk
    longest: int  # tokens of a sentence
    noise: tuple[int, int] | None  # (K, A) of normal numbers, for heads that draw
    tasks: tuple[str, ...] = ()  # the skills it was taught
    versions: Mapping[str, str] = field(default_factory=dict)
    check: Mapping[str, Any] = field(default_factory=dict)
    compressed: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)  # of the checkpoint: data, training


@dataclass(frozen=True, kw_only=True)
class Folder:
    path: Path
    manifest: Manifest
    codec: Codec
    robot: Mapping[str, Any]

    def file(self, stem: str) -> Path:
        return self.path / (stem + SUFFIX[self.manifest.engine])


def is_exported(folder: Path) -> bool:
    return (folder / MANIFEST).is_file()


def seal(folder: Path, manifest: Manifest) -> None:
    """Write the manifest with a hash of every file that lies there."""
    files = {path.name: sha256(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST}
    content = {"format": FORMAT, **asdict(manifest), "files": files}
    (folder / MANIFEST).write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read(folder: Path) -> Folder:
    content = _json(folder / MANIFEST)
    if content.pop("format", None) != FORMAT:
        raise AssetError(f"{folder / MANIFEST} is of another format; this version reads {FORMAT}.")
    try:
        for name, expected in content.pop("files").items():
            if not (folder / name).is_file():
                raise AssetError(f"{folder} lacks {name}; export the policy anew.")
            if sha256(folder / name) != expected:
                raise AssetError(f"{folder / name} is not the file that was exported; export the policy anew.")
        looks = Looks(**{**content["looks"], "cameras": tuple(content["looks"]["cameras"])})
        noise = content["noise"]
        tuples = {"picture": tuple(content["picture"]), "tasks": tuple(content["tasks"])}
        manifest = Manifest(**{**content, **tuples, "looks": looks, "noise": None if noise is None else tuple(noise)})
        if manifest.engine not in SUFFIX:
            raise AssetError(
                f"{folder / MANIFEST} names the engine {manifest.engine!r}; there are {', '.join(SUFFIX)}."
            )
        stats, robot = _json(folder / STATS), _json(folder / ROBOT)
        codec = codec_from_json(stats, action_from(robot, stats["action"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AssetError(f"{folder} is not an exported policy: {type(error).__name__}: {error}.") from error
    return Folder(path=folder, manifest=manifest, codec=codec, robot=robot)


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A folder beside to write into; it takes the place of `folder` at the end, and is removed if that is not reached."""
    if folder.exists() and not is_exported(folder):
        raise AssetError(f"{folder} is there and is not an exported policy; give another folder with --out.")
    try:
        with replacing_folder(folder) as beside:
            yield beside
    except OSError as error:
        raise AssetError(f"{folder} cannot be written: {error.strerror or error}.") from error


def megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.iterdir()) / 1e6


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AssetError(f"{path} is missing; give the folder of an exported policy.") from None
    except (OSError, ValueError) as error:
        raise AssetError(f"{path} is not readable JSON: {error}.") from error
    if not isinstance(value, dict):
        raise AssetError(f"{path} must hold an object.")
    return value
