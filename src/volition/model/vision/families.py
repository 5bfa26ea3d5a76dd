"""Every encoder of pictures by name, and any of them from its configuration.

name and options -> vision_config -> a configuration -> build_vision -> an encoder (the Vision of parts.py)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from volition.errors import ContractError
from volition.model.vision.conv import ConvConfig, ConvVision
from volition.model.vision.hub import HubConfig, HubVision
from volition.model.vision.mobilenet import MobileNetConfig, MobileNetVision
from volition.model.vision.pixels import PixelsConfig, PixelsVision
from volition.model.vision.token_learner import TokenLearner, TokenLearnerConfig


@dataclass(frozen=True, kw_only=True)
class LearnedTokensConfig:
    """An encoder and the few tokens made of its many."""

    encoder: ConvConfig | MobileNetConfig | HubConfig = field(default_factory=lambda: ConvConfig(film=True))
    learner: TokenLearnerConfig = field(default_factory=TokenLearnerConfig)


VisionConfig = ConvConfig | MobileNetConfig | HubConfig | PixelsConfig | LearnedTokensConfig


def _hub(family: str, **fixed: Any) -> Callable[..., HubConfig]:
    return lambda **options: HubConfig(family=family, **{**fixed, **options})


FAMILIES: dict[str, Callable[..., VisionConfig]] = {
    "pixels": PixelsConfig,
    "conv": ConvConfig,
    "points": lambda **options: ConvConfig(**{"output": "points", "widths": (48,), "blocks": 2, **options}),
    "rt1": LearnedTokensConfig,
    "mobilenet": MobileNetConfig,
    "resnet18": _hub("resnet", size="18"),
    "resnet50": _hub("resnet", size="50"),
    "vit": _hub("vit"),
    "clip": _hub("clip"),
    "dinov2": _hub("dinov2"),
    "siglip": _hub("siglip"),
}


def vision_config(name: str, **options: Any) -> VisionConfig:
    """The configuration of a named encoder, with options of its own changed."""
    if name not in FAMILIES:
        raise ContractError(f"There is no encoder of pictures {name!r}; it must be one of {', '.join(FAMILIES)}.")
    try:
        return FAMILIES[name](**options)
    except TypeError as error:
        raise ContractError(f"{name} does not take these options ({error}); see its configuration's fields.") from error


def build_vision(config: VisionConfig, *, words: int | None = None) -> nn.Module:
    """The encoder. `words` is the width of pooled words, for those that look for what they are told."""
    match config:
        case ConvConfig():
            return ConvVision(config, words=words)
        case MobileNetConfig():
            return MobileNetVision(config)
        case HubConfig():
            return HubVision(config)
        case PixelsConfig():
            return PixelsVision(config)
        case LearnedTokensConfig():
            return TokenLearner(config.learner, encoder=build_vision(config.encoder, words=words))
