"""AdamW over groups of parameters: each part of the model at its own rate, decay only where it helps. For `trainer.py`.

Decayed are matrices of layers: parameters called `...weight` of two dimensions or more that no embedding owns. Norms,
biases, embeddings, and what a model keeps as bare parameters (positions, queries, tokens) are not. Frozen parameters
are left out: unfreeze before the trainer is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from volition.train.config import TrainConfig
from volition.train.errors import TrainError, near


def trainable(model: nn.Module) -> dict[str, nn.Parameter]:
    """By name; a parameter that is shared is there once."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def groups(model: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Groups for torch's optimisers, with `multiplier` and `names` beside what they know."""
    parameters = trainable(model)
    if not parameters:
        raise TrainError("Every parameter of the model is frozen; unfreeze what is to be trained.")
    for prefix in config.rates:
        if not any(_under(name, prefix) for name in parameters):
            parts = {name.rpartition(".")[0] for name in parameters}
            raise TrainError(
                f"TrainConfig.rates names {prefix!r}, which no trained parameter is under; there are: {near(prefix, parts)}."
            )
    decayed = _decayed(model)
    found: dict[tuple[float, bool], list[str]] = {}
    for name in parameters:
        found.setdefault((multiplier(name, config.rates), name in decayed), []).append(name)
    return [
        {
            "params": [parameters[name] for name in names],
            "names": names,
            "multiplier": rate,
            "lr": config.rate * rate,
            "weight_decay": config.weight_decay if decay else 0.0,
        }
        for (rate, decay), names in found.items()
    ]


def multiplier(name: str, rates: Mapping[str, float]) -> float:
    """The longest prefix decides."""
    prefixes = [prefix for prefix in rates if _under(name, prefix)]
    return rates[max(prefixes, key=len)] if prefixes else 1.0


def adamw(model: nn.Module, config: TrainConfig, *, fused: bool) -> torch.optim.AdamW:
    return torch.optim.AdamW(groups(model, config), lr=config.rate, betas=config.betas, fused=fused)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate * group["multiplier"]


def _under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix.rstrip(".") + ".")


def _decayed(model: nn.Module) -> set[str]:
    embeddings = {id(one.weight) for one in model.modules() if isinstance(one, nn.Embedding | nn.EmbeddingBag)}
    return {
        name
        for name, parameter in model.named_parameters()
        if name.endswith("weight") and parameter.ndim >= 2 and id(parameter) not in embeddings
    }
