"""What all heads agree on about a chunk: its size, steps after the episode's end blanked, means over real steps only.

Targets --cleaned--> actions, real --a head's errors--> average(errors, real) -> a term of the loss
"""

from __future__ import annotations

import torch
from torch import Tensor

from volition.errors import ContractError
from volition.model.inputs import Targets


def sizes(owner: str, **values: int) -> None:
    """Raise unless every value is a whole number of at least 1."""
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ContractError(f"{owner}.{name} is {value!r}; it must be a whole number of at least 1.")


def between(owner: str, low: float, high: float, **values: float) -> None:
    """Raise unless low <= value < high, for every value."""
    for name, value in values.items():
        if not low <= value < high:  # also catches NaN
            raise ContractError(f"{owner}.{name} is {value}; it must be at least {low:g} and below {high:g}.")


def transformer(owner: str, width: int, heads: int, layers: int, dropout: float) -> None:
    """Raise unless these can be a transformer."""
    sizes(owner, width=width, heads=heads, layers=layers)
    between(owner, 0, 1, dropout=dropout)
    if width % heads:
        raise ContractError(
            f"{owner}.width is {width} and .heads is {heads}; the width must be a multiple of the heads."
        )


def cleaned(owner: str, targets: Targets, steps: int, actions: int) -> tuple[Tensor, Tensor]:
    """The actions (B, K, A), zero in steps that are not real whatever stood there (NaN too), and `real` (B, K)."""
    given, real = targets.actions, targets.real
    if given.shape[1:] != (steps, actions) or real.shape != given.shape[:2]:
        raise ContractError(
            f"{owner} was given actions {tuple(given.shape)} and real {tuple(real.shape)}; it is built for "
            f"(B, {steps}, {actions}) and (B, {steps}). Set `steps` and `actions` to what the data set gives."
        )
    return torch.where(real.unsqueeze(-1), given, torch.zeros_like(given)), real


def average(errors: Tensor, real: Tensor) -> Tensor:
    """The mean of errors (B, K, ...) over the entries of real steps; 0 if there are none."""
    real = real.reshape(*real.shape, *(1,) * (errors.ndim - real.ndim)).expand_as(errors)
    return torch.where(real, errors, torch.zeros_like(errors)).sum() / real.sum().clamp(min=1)
