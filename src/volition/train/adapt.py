"""Which parts of a model learn: freezing by name, and low-rank adapters (LoRA, by peft) beside frozen layers.

    model -> freeze, unfreeze, add_lora -> trainer -> merge or plain_weights -> a checkpoint that knows nothing of it

Call these before the trainer is built. A pattern is a shell pattern of dotted names (`vision.*.attention`), or the
name of a part, which means all that is in it. LoRA: Hu et al. 2021, https://arxiv.org/abs/2106.09685.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from volition.train.errors import TrainError, near
from volition.train.state import named_tensors


@dataclass(frozen=True, kw_only=True)
class LoraConfig:
    """`layers` are patterns of linear layers. The adapters' part is scaled by alpha / rank."""

    layers: tuple[str, ...]
    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.layers:
            raise TrainError("LoraConfig.layers is empty; name the linear layers to adapt, such as language.*.")
        if not isinstance(self.rank, int) or not 1 <= self.rank <= 4096:
            raise TrainError(f"LoraConfig.rank is {self.rank!r}; it must be a whole number from 1 to 4096.")
        if not self.alpha > 0:
            raise TrainError(f"LoraConfig.alpha is {self.alpha!r}; it must be positive.")
        if not 0 <= self.dropout < 1:
            raise TrainError(f"LoraConfig.dropout is {self.dropout!r}; it must be from 0 up to below 1.")


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Numbers in the parameters; shared ones count once."""

    trainable: int
    everything: int

    def __str__(self) -> str:
        share = self.trainable / max(1, self.everything)
        return f"{self.trainable:,} of {self.everything:,} parameters are trained ({share:.1%})"


def counts(model: nn.Module) -> Counts:
    sizes = [(one.numel(), one.requires_grad) for one in model.parameters()]
    return Counts(trainable=sum(size for size, on in sizes if on), everything=sum(size for size, _ in sizes))


def freeze(model: nn.Module, *patterns: str) -> Counts:
    """What the patterns name learns no more."""
    return _set(model, patterns, False)


def unfreeze(model: nn.Module, *patterns: str) -> Counts:
    return _set(model, patterns, True)


def add_lora(model: nn.Module, config: LoraConfig) -> Counts:
    """Adapters at the chosen layers, in place. Everything else is frozen: `unfreeze` afterwards what is to learn in full."""
    layers = {name: one for name, one in model.named_modules() if type(one) is nn.Linear}
    chosen = matching(layers, config.layers, "linear layer")
    import peft  # two seconds, and only runs with adapters need it

    settings = peft.LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,  # pyright: ignore[reportArgumentType]
        lora_dropout=config.dropout,
        target_modules="|".join(map(re.escape, chosen)),  # a text is matched in full, a list by the ends of names
    )
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(config.seed)
        peft.inject_adapter_in_model(settings, model)
    return counts(model)


def merge(model: nn.Module) -> None:
    """Adapters into the weights beside them, in place; the layers are plain ones afterwards."""
    for name, layer in _adapters(model).items():
        layer.merge(safe_merge=True)
        above, _, last = name.rpartition(".")
        setattr(model.get_submodule(above), last, layer.get_base_layer())


@torch.no_grad()
def plain_weights(model: nn.Module) -> dict[str, Tensor]:
    """The tensors under the names they have without adapters, merged; the model stays as it is."""
    tensors = {name: tensor.detach() for name, tensor in named_tensors(model).items()}
    for name, layer in _adapters(model).items():
        inside = f"{name}." if name else ""
        own = {key: tensors.pop(key) for key in list(tensors) if key.startswith(inside)}
        base = layer.get_base_layer()
        for key, tensor in own.items():
            rest = key.removeprefix(inside)
            if rest.startswith("base_layer."):
                tensors[inside + rest.removeprefix("base_layer.")] = tensor
        if f"{inside}weight" in tensors:
            deltas: list[Tensor] = [layer.get_delta_weight(adapter) for adapter in layer.active_adapters]
            tensors[f"{inside}weight"] = base.weight + sum(deltas)
    return tensors


def matching(names: Iterable[str], patterns: Sequence[str], what: str) -> list[str]:
    """The names that a pattern fits; each pattern must fit one."""
    names = list(names)
    found: dict[str, None] = {}
    for pattern in patterns:
        fits = [name for name in names if fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")]
        if not fits:
            raise TrainError(
                f"No {what} is called {pattern!r}; there are for example: {near(pattern, names) or 'none'}."
            )
        found |= dict.fromkeys(fits)
    return list(found)


def _set(model: nn.Module, patterns: Sequence[str], on: bool) -> Counts:
    parameters = dict(model.named_parameters())
    for name in matching(parameters, patterns, "parameter"):
        parameters[name].requires_grad_(on)
    return counts(model)


def _adapters(model: nn.Module) -> dict[str, Any]:
    """By name. A model that was given adapters has peft loaded."""
    if "peft" not in sys.modules:
        return {}
    from peft.tuners.lora import LoraLayer

    return {name: one for name, one in model.named_modules() if isinstance(one, LoraLayer)}
