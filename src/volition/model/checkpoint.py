"""A policy as a folder that deploys alone: weights, how the model is built, statistics, the robot it was taught on.

    model.safetensors  the weights, but those of frozen encoders that come from elsewhere (named, with their hash)
    config.json        recipe, size, options, shapes, what the policy looks at, versions, data, how it was trained
    stats.json         the codec: scales of states and actions
    robot.json         the RobotSpec it was taught on

No pickle. A missing, damaged or foreign part raises with what was expected.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

import volition
from volition.data.atomic import replacing_folder
from volition.errors import AssetError
from volition.model.language.encoder import LanguageEncoder
from volition.model.maker import Maker
from volition.model.pretrained import WEIGHTS, folder_of
from volition.model.recipes import recipe
from volition.model.sentence import PACKAGE, encoder_folder
from volition.model.shapes import Shapes, shapes_from_json
from volition.model.vision.hub import HubConfig, HubVision
from volition.model.vision.mobilenet import MobileNetVision
from volition.model.vla import VLA
from volition.robots.description import action_from
from volition.transforms.codec import Codec, codec_from_json

FORMAT = 1
CONFIG, STATS, ROBOT = "config.json", "stats.json", "robot.json"


@dataclass(frozen=True, kw_only=True)
class Design:
    """Everything that decides how a model is built and what it is shown."""

    recipe: str
    size: str
    shapes: Shapes
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    history_step: int = 1  # frames between two pictures of a history
    dt: float = 0.1  # s, between two actions of a chunk

    def build(self) -> VLA:
        return recipe(self.recipe).build(Maker(self.shapes, self.size, self.options))

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "shapes": self.shapes.to_json()}


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    model: VLA  # in evaluation mode
    design: Design
    codec: Codec
    robot: Mapping[str, Any]  # as `robots/description.py` describes it
    about: Mapping[str, Any]  # data, training, what is known of it


def write(folder: Path, checkpoint: Checkpoint, weights: Mapping[str, torch.Tensor] | None = None) -> None:
    """Into a folder that exists and is empty; `save` makes one. `weights`: in place of the model's own."""
    outside = _outside(checkpoint.model)
    kept = {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in _once(weights or checkpoint.model.state_dict()).items()
        if not name.startswith(tuple(outside))
    }
    save_file(kept, folder / WEIGHTS, metadata={"format": "pt"})
    design = {**checkpoint.design.to_json(), "options": _options(checkpoint.model, checkpoint.design.options)}
    config = {
        "format": FORMAT,
        "volition": volition.__version__,
        "torch": torch.__version__,
        "design": design,
        "outside": {prefix: asdict(found) for prefix, found in outside.items()},
        "about": dict(checkpoint.about),
    }
    for name, value in ((CONFIG, config), (STATS, checkpoint.codec.to_json()), (ROBOT, checkpoint.robot)):
        (folder / name).write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """The folder appears whole, and replaces an older one, which is whole until then."""
    try:
        with replacing_folder(folder) as beside:
            write(beside, checkpoint)
    except (OSError, SafetensorError) as error:
        raise AssetError(f"{folder} cannot be written: {getattr(error, 'strerror', None) or error}.") from error


def load(folder: Path | str) -> Checkpoint:
    folder = Path(folder)
    config, stats, robot = (_read(folder, name) for name in (CONFIG, STATS, ROBOT))
    if config.get("format") != FORMAT:
        raise AssetError(f"{folder / CONFIG} has format {config.get('format')}; this version reads {FORMAT}.")
    try:
        told = config["design"]
        design = Design(**{**told, "shapes": shapes_from_json(told["shapes"])})
        outside = {prefix: Outside(**one) for prefix, one in config["outside"].items()}
        about = config["about"]
        codec = codec_from_json(stats, action_from(robot, stats["action"]))
        for one in outside.values():
            one.check()
        model = design.build()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise AssetError(f"{folder} is not a checkpoint of ours: {why}.") from error
    _fill(model, folder / WEIGHTS, tuple(outside))
    return Checkpoint(model=model.eval(), design=design, codec=codec, robot=robot, about=about)


@dataclass(frozen=True, kw_only=True)
class Outside:
    """Weights that are not in the folder because everybody has them from their own source."""

    source: str
    sha256: str

    def check(self) -> None:
        found = _sha256(_weights_of(self.source))
        if found != self.sha256:
            raise AssetError(
                f"The weights of {self.source} here are others than those this policy was taught with "
                f"(sha256 {found[:12]}, not {self.sha256[:12]}); install the same version."
            )


def _outside(model: VLA) -> dict[str, Outside]:
    """Prefixes of parameters that a frozen, pretrained encoder has from its source."""
    found: dict[str, Outside] = {}
    for name, part in model.named_modules():
        if any(True for one in part.parameters() if one.requires_grad):
            continue
        if isinstance(part, LanguageEncoder) and part.config.source:
            found[f"{name}.encoder."] = _named(part.config.source)
        elif isinstance(part, HubVision) and part.config.source:
            found[f"{name}.network."] = _named(part.config.source)
    return found


def _named(source: str) -> Outside:
    return Outside(source=source, sha256=_sha256(_weights_of(source)))


def _weights_of(source: str) -> Path:
    return (encoder_folder() if source == PACKAGE else folder_of(source)) / WEIGHTS


def _options(model: VLA, options: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The options with which the same model is built where the sources of its own weights are not."""
    found: dict[str, Any] = {part: dict(settings) for part, settings in options.items()}
    outside = tuple(_outside(model))
    for name, part in model.named_modules():
        kept = any(prefix.startswith(f"{name}.") for prefix in outside)
        if isinstance(part, LanguageEncoder) and not kept:
            found["language"] = asdict(part.alone)
        elif isinstance(part, HubVision | MobileNetVision) and not kept:
            family = found.get("vision", {}).get("family")
            settings = asdict(part.rebuild)
            if isinstance(part.rebuild, HubConfig):
                settings.pop("family")
            found["vision"] = settings | ({} if family is None else {"family": family})
    return found


def _once(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A tensor that a model has under several names (T5's embeddings) under its first."""
    seen: set[int] = set()
    found: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        if tensor.numel() == 0 or tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            found[name] = tensor
    return found


def _fill(model: nn.Module, path: Path, outside: tuple[str, ...]) -> None:
    try:
        weights = load_file(path)
        missing, unknown = model.load_state_dict(weights, strict=False)
    except FileNotFoundError:
        raise AssetError(f"{path} is missing; a checkpoint is a folder with {WEIGHTS} in it.") from None
    except (SafetensorError, RuntimeError, OSError) as error:
        why = str(error).strip().splitlines()[-1].strip().rstrip(".")  # torch's first line names the class alone
        raise AssetError(f"{path} cannot be read into this model: {why}.") from error
    needed = _once(model.state_dict())
    missing = [name for name in missing if name in needed and not name.startswith(outside or ("//",))]
    if missing or unknown:
        wrong = [f"{name} is missing" for name in missing[:3]] + [f"{name} is unknown" for name in unknown[:3]]
        raise AssetError(f"{path} does not belong to this model: {', '.join(wrong)}.")


def _read(folder: Path, name: str) -> dict[str, Any]:
    if not folder.is_dir():
        raise AssetError(f"{folder} is not a folder; give a checkpoint's folder, such as out/run/best.")
    try:
        value = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AssetError(
            f"{folder} has no {name}; a checkpoint has {WEIGHTS}, {CONFIG}, {STATS} and {ROBOT}."
        ) from None
    except (OSError, ValueError) as error:
        raise AssetError(f"{folder / name} is not readable JSON: {error}.") from error
    if not isinstance(value, dict):
        raise AssetError(f"{folder / name} must hold an object.")
    return value


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AssetError(f"{path} cannot be read: {error.strerror}.") from error
