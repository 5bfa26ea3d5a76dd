"""Encoders that others designed, as transformers builds them: ResNet, ViT, CLIP, DINOv2 and SigLIP, with or without
their weights.

pictures (N, 3, H, W) -> the size the network was made for -> its own statistics -> network -> tokens (N, P, width).
Offline and without weights each is built at random from the sizes below; `source` names a folder or a hub model.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from volition.errors import ContractError
from volition.model.pretrained import load_pretrained
from volition.model.vision.freezing import freeze, settle, trains
from volition.model.vision.pictures import CLIP, HALF, IMAGENET, Normalise, resized
from volition.model.vision.positions import grid_positions

Give = Literal["grid", "mean", "class"]


@dataclass(frozen=True, kw_only=True)
class Family:
    """One architecture: where transformers keeps it, the statistics of its training, and its sizes by name."""

    module: str
    config_class: str
    model_class: str
    statistics: tuple[tuple[float, ...], tuple[float, ...]]
    sizes: Mapping[str, Mapping[str, Any]]  # the first is for tests
    default: str  # a size
    config_options: Mapping[str, Any] = field(default_factory=dict)  # to leave out what no token goes through
    model_options: Mapping[str, Any] = field(default_factory=dict)
    leading: int = 0  # tokens before those of the grid: the class token


def _transformer(width: int, layers: int, heads: int, picture: int = 224, patch: int = 16) -> dict[str, Any]:
    sizes = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads}
    return {**sizes, "intermediate_size": 4 * width, "image_size": picture, "patch_size": patch}


def _dinov2(width: int, layers: int, heads: int, picture: int = 518, patch: int = 14) -> dict[str, Any]:
    sizes = _transformer(width, layers, heads, picture, patch)
    del sizes["intermediate_size"]  # it has a ratio instead, 4 too
    return sizes


_TEST = _transformer(32, 2, 2, picture=32, patch=8)
HUB: dict[str, Family] = {
    "resnet": Family(
        module="resnet",
        config_class="ResNetConfig",
        model_class="ResNetModel",
        statistics=IMAGENET,
        sizes={
            "test": {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"},
            "18": {"hidden_sizes": [64, 128, 256, 512], "depths": [2, 2, 2, 2], "layer_type": "basic"},
            "50": {"hidden_sizes": [256, 512, 1024, 2048], "depths": [3, 4, 6, 3], "layer_type": "bottleneck"},
        },
        default="50",
    ),
    "vit": Family(
        module="vit",
        config_class="ViTConfig",
        model_class="ViTModel",
        statistics=HALF,  # Google's ViT; DeiT and most others take IMAGENET: see HubConfig.statistics
        sizes={
            "test": _TEST,
            "tiny": _transformer(192, 12, 3),
            "small": _transformer(384, 12, 6),
            "base": _transformer(768, 12, 12),
        },
        default="small",
        model_options={"add_pooling_layer": False},
        leading=1,
    ),
    "clip": Family(
        module="clip",
        config_class="CLIPVisionConfig",
        model_class="CLIPVisionModel",
        statistics=CLIP,
        sizes={
            "test": _TEST,
            "b32": _transformer(768, 12, 12, patch=32),
            "b16": _transformer(768, 12, 12, patch=16),
            "l14": _transformer(1024, 24, 16, patch=14),
        },
        default="b32",
        leading=1,
    ),
    "dinov2": Family(
        module="dinov2",
        config_class="Dinov2Config",
        model_class="Dinov2Model",
        statistics=IMAGENET,
        sizes={
            "test": _dinov2(32, 2, 2, picture=32, patch=8),
            "small": _dinov2(384, 12, 6),
            "base": _dinov2(768, 12, 12),
            "large": _dinov2(1024, 24, 16),
        },
        default="small",
        config_options={"use_mask_token": False},
        leading=1,
    ),
    "siglip": Family(
        module="siglip",
        config_class="SiglipVisionConfig",
        model_class="SiglipVisionModel",
        statistics=HALF,
        sizes={"test": _TEST, "base": _transformer(768, 12, 12)},
        default="base",
        config_options={"vision_use_head": False},
    ),
}


@dataclass(frozen=True, kw_only=True)
class HubConfig:
    """`family` of HUB; `size` of the family (used without `source`); `source` a folder or hub name with weights.

    `picture`: pixels a side that pictures are stretched to, with antialiasing; None is what the network was made for
    (a ResNet takes pictures as they come). Position embeddings are interpolated where that differs.
    `give`: a token a cell, their mean as one token, or the class token (where the family has one).
    `architecture`: changes to the size, by transformers' names.
    """

    family: str
    size: str | None = None  # None: the family's default
    source: str | None = None
    picture: int | None = None
    give: Give = "grid"
    freeze: bool = False
    unfreeze_last: int = 0  # blocks, with freeze
    fix_statistics: bool | None = None  # batch norm's, in training too. None: where there is a source
    statistics: tuple[tuple[float, ...], tuple[float, ...]] | None = None  # (mean, std). None: the family's
    architecture: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.family not in HUB:
            raise ContractError(f"There is no family {self.family!r}; it must be one of {', '.join(HUB)}.")
        family = HUB[self.family]
        if self.size is not None and self.size not in family.sizes:
            raise ContractError(
                f"{self.family} has no size {self.size!r}; it must be one of {', '.join(family.sizes)}, or name a source."
            )
        if self.give not in get_args(Give) or (self.give == "class" and not family.leading):
            raise ContractError(
                f"give is {self.give!r}; it must be one of {get_args(Give)}, and {self.family} has "
                f"{'a' if family.leading else 'no'} class token."
            )
        if self.unfreeze_last and not self.freeze:
            raise ContractError(
                f"unfreeze_last is {self.unfreeze_last} but nothing is frozen; pass freeze=True with it."
            )
        if self.picture is not None and self.picture < 1:
            raise ContractError(f"picture is {self.picture}; it must be pixels a side, or None.")


class HubVision(nn.Module):
    """See HubConfig. Takes RGB in 0..1; frozen it runs without gradient and in evaluation mode, always."""

    def __init__(self, config: HubConfig) -> None:
        super().__init__()
        family = HUB[config.family]
        self._family = family
        self._network_grows = config.family == "resnet"  # with pictures of any size
        self.normalise = Normalise(config.statistics or family.statistics)
        self.network = _network(config, family)
        settings: Any = self.network.config
        self.width = int(settings.hidden_sizes[-1] if self._network_grows else settings.hidden_size)
        self._made_for = None if self._network_grows else _side(settings.image_size)
        self._patch = _resnet_stride(settings) if self._network_grows else _side(settings.patch_size)
        self._picture = config.picture or self._made_for
        if not self._network_grows and self._picture and self._picture % self._patch:
            raise ContractError(
                f"picture is {self._picture}; {config.family} here needs a multiple of its patch, {self._patch}."
            )
        if self._network_grows:
            self.network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self._fixed = config.source is not None if config.fix_statistics is None else config.fix_statistics
        self.config = config
        if config.freeze:
            freeze(self.network, self.blocks, unfreeze_last=config.unfreeze_last)
        self.train(self.training)

    @property
    def blocks(self) -> nn.ModuleList:
        """The network's blocks, first to last: its longest list of modules (four stages of a ResNet)."""
        return max((part for part in self.network.modules() if isinstance(part, nn.ModuleList)), key=len)

    @property
    def rebuild(self) -> HubConfig:
        """What builds this network again without its source, for a checkpoint that carries the weights itself."""
        settings: Any = self.network.config
        names = {name for size in self._family.sizes.values() for name in size} | set(self.config.architecture)
        architecture = {name: getattr(settings, name) for name in sorted(names)}
        for name in ("hidden_act", "layer_norm_eps", "mlp_ratio", "use_swiglu_ffn", "qkv_bias", *_RESNET_NAMES):
            if hasattr(settings, name):
                architecture[name] = getattr(settings, name)
        return replace(self.config, source=None, fix_statistics=self._fixed, architecture=architecture)

    def cells(self, height: int, width: int) -> tuple[int, int] | None:
        """Rows and columns of tokens for pictures of this size; None where tokens are no grid."""
        if self.config.give != "grid":
            return None
        height, width = self._size(height, width)
        rounding = self._patch - 1 if self._network_grows else 0  # a ResNet's padded convolutions round up
        return (height + rounding) // self._patch, (width + rounding) // self._patch

    def train(self, mode: bool = True) -> HubVision:
        super().train(mode)
        settle(self.network, fix_statistics=self._fixed)
        return self

    def forward(self, pictures: Tensor, words: Tensor | None = None) -> Tensor:
        pictures = self.normalise(resized(pictures, *self._size(*pictures.shape[-2:])))
        with torch.set_grad_enabled(torch.is_grad_enabled() and (trains(self.network) or pictures.requires_grad)):
            tokens = self._tokens(pictures)
        if self.config.give == "class":
            return tokens[:, :1]
        tokens = tokens[:, self._family.leading :]
        return tokens if self.config.give == "grid" else tokens.mean(1, keepdim=True)

    def _tokens(self, pictures: Tensor) -> Tensor:
        if self._network_grows:
            features = self.network(pictures).last_hidden_state  # (N, width, rows, columns)
            tokens = features.flatten(2).transpose(1, 2)
            if self.config.give != "grid":
                return tokens
            rows, columns = features.shape[-2:]
            return tokens + grid_positions(rows, columns, self.width, like=tokens)
        # DINOv2 interpolates its positions unasked and has no option for it.
        other = {} if self.config.family == "dinov2" else {"interpolate_pos_encoding": self._picture != self._made_for}
        tokens = self.network(pictures, **other).last_hidden_state
        if self.config.family == "clip":
            # transformers norms the class token alone, and gives the others as the last block leaves them.
            network: Any = getattr(self.network, "vision_model", self.network)  # before transformers 5 it was inside
            tokens = network.post_layernorm(tokens)
        return tokens

    def _size(self, height: int, width: int) -> tuple[int, int]:
        return (self._picture, self._picture) if self._picture else (height, width)


_RESNET_NAMES = ("downsample_in_first_stage", "downsample_in_bottleneck")


def _network(config: HubConfig, family: Family) -> nn.Module:
    # Not `from transformers import ...`: see sentence.py. By name, so that no family costs time but the one asked for.
    place = f"transformers.models.{family.module}"
    model_class = getattr(importlib.import_module(f"{place}.modeling_{family.module}"), family.model_class)
    if config.source is not None:
        options = {**family.config_options, **family.model_options, **config.architecture}
        return load_pretrained(model_class, config.source, **options).train()
    config_class = getattr(importlib.import_module(f"{place}.configuration_{family.module}"), family.config_class)
    size = {**family.sizes[config.size or family.default], **family.config_options, **config.architecture}
    return model_class(config_class(**size), **family.model_options)


def _resnet_stride(settings: Any) -> int:
    return 4 * 2 ** (len(settings.depths) - 1 + bool(settings.downsample_in_first_stage))


def _side(size: int | list[int] | tuple[int, ...]) -> int:
    return size if isinstance(size, int) else size[0]
