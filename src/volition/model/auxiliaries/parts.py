"""What auxiliaries are joined to, and what several of them are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from volition.errors import ContractError
from volition.model.inputs import Context, Inputs, Targets, Words


class Auxiliary(Protocol):
    """`tokens` (B, T*V*P, width) are those of Views, before the fusion."""

    def losses(
        self, tokens: Tensor, words: Words, context: Context, inputs: Inputs, targets: Targets
    ) -> dict[str, Tensor]: ...


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What the auxiliaries are joined to: widths of what they read, and how the tokens of pictures are laid out."""

    vision: int
    words: int
    context: int
    views: int
    cells: tuple[int, int] | None  # of Views; None where tokens are no grid
    history: int = 1
    spots: bool = False  # the fusion itself says where things are


class Heat(nn.Module):
    """Logits of each cell for each thing: how well the cell's token answers what the words ask. (B, V, G, P)"""

    def __init__(self, sizes: Sizes, hidden: int, things: int) -> None:
        super().__init__()
        self.sizes = sizes
        self.ask = nn.Linear(sizes.words, things * hidden)
        self.answer = nn.Sequential(nn.LayerNorm(sizes.vision), nn.Linear(sizes.vision, hidden), nn.GELU())
        self.hidden = hidden

    def forward(self, tokens: Tensor, words: Words) -> Tensor:
        cells = self.answer(newest(tokens, self.sizes))  # (B, V, P, hidden)
        asked = self.ask(words.pooled).unflatten(-1, (-1, self.hidden))  # (B, G, hidden)
        return torch.einsum("bgh,bvph->bvgp", asked, cells) / math.sqrt(self.hidden)


def mlp(width: int, hidden: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, out))


def newest(tokens: Tensor, sizes: Sizes) -> Tensor:
    """(B, T*V*P, D) -> (B, V, P, D) of the last step."""
    a_step, rest = divmod(tokens.shape[1], sizes.history)
    known = sizes.cells is None or a_step == sizes.views * sizes.cells[0] * sizes.cells[1]
    if rest or a_step % sizes.views or not known:
        raise ContractError(
            f"There are {tokens.shape[1]} tokens of pictures; these auxiliaries were built for {sizes.history} steps, "
            f"{sizes.views} cameras and cells {sizes.cells}."
        )
    return tokens[:, -a_step:].unflatten(1, (sizes.views, -1))


def mean_of(values: Tensor, there: Tensor) -> Tensor:
    """The mean of those that are there; zero with a gradient where none is."""
    return torch.where(there, values, 0.0 * values).sum() / there.sum().clamp(min=1)


def same_shape(name: str, given: Tensor, wanted: tuple[int, ...]) -> None:
    if given.shape != wanted:
        raise ContractError(f"Truth's {name} are {tuple(given.shape)}; this model needs {wanted}.")
