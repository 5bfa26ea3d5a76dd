"""Hidden units that matter least are cut out of a model: its layers become narrower, and no mask is left.

a run on recorded observations -> what each unit gives -> how much of it the next layer takes -> the least are cut

Cut are the units between two linear layers (MLPs, the feed-forward half of transformers) and, in the small convolutions,
whole groups of channels, as their norms are of groups. A unit that is nearly the same always is worth little however
large it is: what it gave on average goes into the bias of the next layer. A frozen language encoder is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from volition.errors import ContractError
from volition.model.vision.conv import ConvVision
from volition.model.vla import VLA

_PLAIN = (nn.GELU, nn.ReLU, nn.SiLU, nn.Dropout, nn.Identity)  # of each number alone


@dataclass(frozen=True, kw_only=True)
class Cut:
    layer: str
    units: int
    kept: int


@dataclass(frozen=True)
class _Pair:
    """`first` makes the units, `second` takes them; `norm` and `film` of convolutions are between."""

    name: str
    first: nn.Linear | nn.Conv2d
    second: nn.Linear | nn.Conv2d
    norm: nn.GroupNorm | None = None
    film: nn.Linear | None = None

    @property
    def units(self) -> int:
        return self.first.weight.shape[0]

    @property
    def together(self) -> int:
        """Units that stay or go as one."""
        return 1 if self.norm is None else self.norm.num_channels // self.norm.num_groups


def prune(model: VLA, share: float, run: Callable[[VLA], None]) -> list[Cut]:
    """Cut this share of the units of each layer, in place. `run` lets the model decide on what it usually sees."""
    if not 0 < share < 1:
        raise ContractError(f"The share of units to cut is {share}; it must be between 0 and 1.")
    pairs = list(_pairs(model))
    if not pairs:
        raise ContractError("This model has no hidden units that can be cut; leave out --prune.")
    seen = _watch(model, pairs, run)
    cuts: list[Cut] = []
    for pair, (mean, spread) in zip(pairs, seen, strict=True):
        keep = _keep(pair, spread, share)
        _narrow(pair, keep, mean)
        cuts.append(Cut(layer=pair.name, units=len(mean), kept=len(keep)))
    return cuts


def _pairs(model: VLA) -> Iterator[_Pair]:
    for name, part in model.named_modules():
        if name.startswith("language."):
            continue
        if isinstance(part, nn.Sequential):
            yield from _of_layers(name, part)
        elif isinstance(part, ConvVision):
            yield from _of_convolutions(name, part)


def _of_layers(name: str, layers: nn.Sequential) -> Iterator[_Pair]:
    first: nn.Linear | None = None
    for layer in layers:
        if isinstance(layer, nn.Linear):
            if first is not None:
                yield _Pair(name, first, layer)
            first = layer
        elif not isinstance(layer, _PLAIN):
            first = None


def _of_convolutions(name: str, vision: ConvVision) -> Iterator[_Pair]:
    for row, stage in enumerate(vision.stages):
        for number, block in enumerate(cast(nn.ModuleList, stage.blocks)):
            first, second = cast(nn.Conv2d, block.first), cast(nn.Conv2d, block.second)
            norm, film = cast(nn.GroupNorm, block.first_norm), cast("nn.Linear | None", block.film)
            yield _Pair(f"{name}.stages.{row}.blocks.{number}", first, second, norm, film)


def _watch(model: VLA, pairs: list[_Pair], run: Callable[[VLA], None]) -> list[tuple[Tensor, Tensor]]:
    """Mean and standard deviation of what each unit gives to the next layer."""
    sums = [torch.zeros(3, pair.units, dtype=torch.float64) for pair in pairs]

    def hook(total: Tensor) -> Callable[..., None]:
        def note(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
            value = given[0].detach().double()
            rows = value.transpose(1, -1).flatten(0, -2) if isinstance(layer, nn.Conv2d) else value.flatten(0, -2)
            total.add_(torch.stack([torch.full_like(total[0], len(rows)), rows.sum(0), rows.square().sum(0)]))

        return note

    handles = [pair.second.register_forward_pre_hook(hook(total)) for pair, total in zip(pairs, sums, strict=True)]
    try:
        with torch.no_grad():
            run(model)
    finally:
        for handle in handles:
            handle.remove()
    found: list[tuple[Tensor, Tensor]] = []
    for count, total, squares in sums:
        mean = total / count.clamp(min=1)
        found.append((mean, (squares / count.clamp(min=1) - mean.square()).clamp(min=0).sqrt()))
    return found


def _keep(pair: _Pair, spread: Tensor, share: float) -> Tensor:
    """The units that stay, in order; at least one, or one group."""
    weight = pair.second.weight.detach().double()
    taken = weight.square().sum((0, *range(2, weight.ndim))).sqrt()  # (units,)
    worth = (spread * taken).square().unflatten(0, (-1, pair.together)).sum(1)
    groups = len(worth)
    kept = worth.argsort(descending=True)[: max(1, groups - round(share * groups))].sort().values
    return (kept[:, None] * pair.together + torch.arange(pair.together)).flatten()


@torch.no_grad()
def _narrow(pair: _Pair, keep: Tensor, mean: Tensor) -> None:
    first, second, norm, film = pair.first, pair.second, pair.norm, pair.film
    units = pair.units
    if isinstance(second, nn.Linear) and second.bias is not None:
        gone = torch.ones(units, dtype=torch.bool)
        gone[keep] = False
        second.bias.add_(second.weight[:, gone] @ mean[gone].to(second.weight))
    _rows(first, keep)
    second.weight = nn.Parameter(second.weight[:, keep].contiguous(), requires_grad=second.weight.requires_grad)
    if isinstance(second, nn.Linear):
        second.in_features = len(keep)
    else:
        second.in_channels = len(keep)
    if norm is not None:
        norm.num_groups, norm.num_channels = len(keep) // pair.together, len(keep)
        norm.weight, norm.bias = nn.Parameter(norm.weight[keep]), nn.Parameter(norm.bias[keep])
    if film is not None:
        _rows(film, torch.cat([keep, keep + units]))  # scales, then shifts


def _rows(layer: nn.Linear | nn.Conv2d, keep: Tensor) -> None:
    layer.weight = nn.Parameter(layer.weight[keep].contiguous(), requires_grad=layer.weight.requires_grad)
    if layer.bias is not None:
        layer.bias = nn.Parameter(layer.bias[keep], requires_grad=layer.bias.requires_grad)
    if isinstance(layer, nn.Linear):
        layer.out_features = len(keep)
    else:
        layer.out_channels = len(keep)
