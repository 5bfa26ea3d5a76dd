"""A small convolutional encoder for CPUs, trained from scratch, that can look for what the words mean (FiLM).

pictures (N, 3, H, W) -> stem of 4x4 -> stages of residual blocks, each halving the picture -> tokens (N, P, width):
every cell with its place ("grid"), or where each map is brightest beside a coarse picture ("points").
Shapes as in inputs.py. What learns fast on two cores: GroupNorm, ReLU, channels_last, no position lost to pooling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from volition.errors import ContractError
from volition.model.vision.norm import normed
from volition.model.vision.pictures import HALF, Normalise
from volition.model.vision.positions import grid_positions

Output = Literal["grid", "points"]
_GROUP = 8  # channels a group of GroupNorm
_COARSE = 4  # cells a side of the coarse picture beside the points
_COARSE_MAPS = 6
# The maps begin sharper than by torch's own scheme, under which the softmax is flat and every point is the middle:
# a dot in noise is found after 100 steps with half the error (0.018 for 0.038 of a side; two seeds, 64 px).
_SHARP = 5.0


@dataclass(frozen=True, kw_only=True)
class ConvConfig:
    """`widths` are channels of the stages: two stages give a cell for 16 pixels, one for 8.

    `patch` is the stem's side in pixels; twice the usual makes everything after it a quarter of the work. `cut`: each cell
    is cut into so many along each side at the end, each with features of its own, for as fine a grid as before.
    `film`: the words scale and shift every block. `depth`: a fourth channel in metres, clipped to `far`.
    "points" gives `tokens` tokens of `width` numbers, of `maps` spatial softmaxes; "grid" a token of the last stage's
    width for every cell.
    """

    widths: tuple[int, ...] = (48, 96)
    stem: int = 32
    patch: int = 4
    cut: int = 1
    blocks: int = 1
    output: Output = "grid"
    maps: int = 32
    tokens: int = 1
    width: int = 128
    film: bool = False
    depth: bool = False
    far: float = 4.0  # m

    def __post_init__(self) -> None:
        sizes = (self.stem, *self.widths)
        if not self.widths or any(size < _GROUP or size % _GROUP for size in sizes):
            raise ContractError(
                f"stem and widths are {sizes}; each must be a multiple of {_GROUP}, one or more stages."
            )
        if self.output not in get_args(Output):
            raise ContractError(f"output is {self.output!r}; it must be one of {get_args(Output)}.")
        counts = (self.patch, self.cut, self.blocks, self.maps, self.tokens, self.width)
        if min(counts) < 1 or self.far <= 0:
            raise ContractError(
                f"patch, cut, blocks, maps, tokens, width and far are {', '.join(map(str, counts))}, {self.far}; each must "
                f"be positive."
            )
        if self.cut > 1 and (self.output != "grid" or self.patch * 2 ** len(self.widths) % self.cut):
            raise ContractError(f"cut is {self.cut}; cells of a grid can be cut, into parts of whole pixels.")

    @property
    def stride(self) -> int:
        """Pixels a cell, before it is cut."""
        return self.patch * 2 ** len(self.widths)


class ConvVision(nn.Module):
    """See ConvConfig. `words` is the width of pooled words, needed with `film`, which does nothing until it is trained."""

    takes_bytes = True  # pictures as uint8, or as float in 0..1

    def __init__(self, config: ConvConfig, *, words: int | None = None) -> None:
        super().__init__()
        if config.film and words is None:
            raise ContractError("ConvVision with film needs the width of the words; pass words=language.width.")
        self.config, self.told = config, config.film  # told: other words, other tokens
        self.normalise = Normalise(HALF)
        self.stem = nn.Conv2d(4 if config.depth else 3, config.stem, config.patch, stride=config.patch)
        self.stages = nn.ModuleList()
        before = config.stem
        for width in config.widths:
            self.stages.append(_Stage(before, width, config.blocks, words if config.film else None))
            before = width
        self.cut = nn.Conv2d(before, before * config.cut**2, 1) if config.cut > 1 else None
        if config.output == "points":
            self.maps = nn.Conv2d(before, config.maps, 1)
            self.coarse = nn.Conv2d(before, _COARSE_MAPS, 1)
            numbers = 2 * config.maps + _COARSE_MAPS * _COARSE**2
            self.give = nn.Linear(numbers, config.tokens * config.width)
            with torch.no_grad():
                self.maps.weight *= _SHARP
        self.width = config.width if config.output == "points" else before
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def cells(self, height: int, width: int) -> tuple[int, int] | None:
        """Rows and columns of tokens for pictures of this size; None where tokens are no grid."""
        if height % self.config.stride or width % self.config.stride:
            raise ContractError(
                f"Pictures of {height} x {width} do not divide into cells of {self.config.stride} pixels; "
                f"give sizes that are multiples of it, or fewer stages."
            )
        if self.config.output != "grid":
            return None
        return height // self.config.stride * self.config.cut, width // self.config.stride * self.config.cut

    def forward(self, pictures: Tensor, words: Tensor | None = None) -> Tensor:
        self.cells(*pictures.shape[-2:])
        features = functional.relu(self._stem(pictures), inplace=True)
        for stage in self.stages:
            features = stage(features, words)
        if self.config.output == "points":
            return self._points(features)
        if self.cut is not None:
            features = functional.pixel_shuffle(self.cut(features), self.config.cut)
        rows, columns = features.shape[-2:]
        tokens = features.flatten(2).transpose(1, 2)  # (N, P, D)
        return tokens + grid_positions(rows, columns, self.width, like=tokens)

    def _stem(self, pictures: Tensor) -> Tensor:
        if pictures.dtype != torch.uint8:
            return self.stem(self._read(pictures))
        # The normalisation is in the weights: one pass over the pictures where there would be four, and bytes are exact
        # in bfloat16 too. Only where nothing is padded, since zero is black here.
        kind, scale, mean = pictures.device.type, 1 / (255 * self.normalise.std), 255 * self.normalise.mean
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else self.stem.weight.dtype
        weight = (self.stem.weight * scale).to(dtype)
        bias = cast(Tensor, self.stem.bias) - (weight * mean).sum((1, 2, 3))
        return functional.conv2d(pictures.to(dtype), weight, bias.to(dtype), stride=self.config.patch)

    def _read(self, pictures: Tensor) -> Tensor:
        if not self.config.depth:
            return self.normalise(pictures)
        if pictures.shape[1] != 4:
            raise ContractError(
                f"Pictures have {pictures.shape[1]} channels; with depth=True it must be RGB and depth."
            )
        # No return (infinity, NaN) is as far as can be: the scene is closed, and what is missing is mostly far.
        far = self.config.far
        depth = torch.nan_to_num(pictures[:, 3:], nan=far, posinf=far).clamp(0, far) / far
        return torch.cat([self.normalise(pictures[:, :3]), depth * 2 - 1], dim=1)

    def _points(self, features: Tensor) -> Tensor:
        where = spatial_softmax(self.maps(features)).flatten(1) * 2 - 1  # (N, 2 * maps), -1 to 1
        coarse = functional.adaptive_avg_pool2d(self.coarse(features), _COARSE).flatten(1)
        return self.give(torch.cat([where, coarse], dim=1)).unflatten(1, (self.config.tokens, self.width))


def spatial_softmax(maps: Tensor) -> Tensor:
    """Where each map is brightest: (N, M, h, w) -> (N, M, 2), 0 to 1 right and down, the mean under a softmax."""
    rows, columns = maps.shape[-2:]
    share = maps.flatten(2).softmax(-1).unflatten(2, (rows, columns))
    x = (torch.arange(columns, device=maps.device, dtype=maps.dtype) + 0.5) / columns  # the middles of cells
    y = (torch.arange(rows, device=maps.device, dtype=maps.dtype) + 0.5) / rows
    return torch.stack([(share.sum(2) * x).sum(-1), (share.sum(3) * y).sum(-1)], dim=-1)


class _Stage(nn.Module):
    """Half the size, then residual blocks."""

    def __init__(self, before: int, width: int, blocks: int, words: int | None) -> None:
        super().__init__()
        self.shrink = nn.Conv2d(before, width, 3, stride=2, padding=1, bias=False)
        self.norm = nn.GroupNorm(width // _GROUP, width)
        self.blocks = nn.ModuleList(_Block(width, words) for _ in range(blocks))

    def forward(self, features: Tensor, words: Tensor | None) -> Tensor:
        features = normed(self.shrink(features), self.norm, relu=True)
        for block in self.blocks:
            features = block(features, words)
        return features


class _Block(nn.Module):
    """Two 3x3 convolutions around FiLM (Perez et al. 2018): the words' scale and shift of each channel."""

    def __init__(self, width: int, words: int | None) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.first_norm = nn.GroupNorm(width // _GROUP, width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.GroupNorm(width // _GROUP, width)
        self.film = None if words is None else nn.Linear(words, 2 * width)
        if self.film is not None:
            nn.init.zeros_(self.film.weight)
            nn.init.zeros_(self.film.bias)

    def forward(self, features: Tensor, words: Tensor | None) -> Tensor:
        film = None
        if self.film is not None:
            if words is None or words.shape != (features.shape[0], self.film.in_features):
                given = None if words is None else tuple(words.shape)
                raise ContractError(
                    f"The words for FiLM are {given}; they must be {(features.shape[0], self.film.in_features)}, "
                    f"pooled, one a picture."
                )
            film = self.film(words)
        inside = normed(self.first(features), self.first_norm, film, relu=True)
        inside = normed(self.second(inside), self.second_norm)
        return functional.relu(features + inside, inplace=True)
