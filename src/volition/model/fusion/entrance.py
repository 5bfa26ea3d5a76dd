"""The way into an attending fusion and out of it: tokens of every kind at one width, and one vector read from many.

Each token is told what kind it is, and each picture token and state token which place it has. The order of words is
in the words already: language encoders put it there.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from volition.errors import ContractError
from volition.model.attention import Attention
from volition.model.fusion.sizes import Sizes
from volition.model.inputs import Context, Words


@dataclass(frozen=True, kw_only=True)
class AttendingConfig:
    """What every fusion that attends can say."""

    width: int = 512
    heads: int = 8
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.width < 1 or self.heads < 1 or self.width % self.heads or not 0 <= self.dropout < 1:
            raise ContractError(
                f"A fusion {self.width} wide with {self.heads} heads and dropout {self.dropout} cannot be built; the "
                "heads must divide the width, and dropout is at least 0 and below 1."
            )


class Entrance(nn.Module):
    """Vision (B, N, Dv), words (B, L, Dw) and state (B, M, Ds), each to its own (B, ., width)."""

    def __init__(self, width: int, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.vision = nn.Linear(sizes.vision, width)
        self.words = nn.Linear(sizes.words, width)
        self.state = nn.Linear(sizes.state, width)
        self.kinds = nn.Parameter(torch.randn(3, width) * 0.02)
        self.seen_places = nn.Parameter(torch.randn(sizes.patches, width) * 0.02)
        self.felt_places = nn.Parameter(torch.randn(sizes.steps, width) * 0.02)

    def forward(self, vision: Tensor, words: Words, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        self.sizes.check(vision, words, state)
        told = words.tokens.masked_fill(~words.mask.unsqueeze(-1), 0)  # no mask keeps NaN in padding from a sum
        return (
            self.vision(vision) + self.seen_places + self.kinds[0],
            self.words(told) + self.kinds[1],
            self.state(state) + self.felt_places + self.kinds[2],
        )


class Readout(nn.Module):
    """One learned question asked of all tokens (B, N, width): (B, width). A mean would forget which of them matter."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.question = nn.Parameter(torch.randn(width) * 0.02)
        self.attention = Attention(width, heads, context=width)
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        question = self.question.expand(tokens.shape[0], 1, -1)
        return self.norm(self.attention(question, tokens, mask=mask)[:, 0])


def all_real(*tokens: Tensor) -> Tensor:
    """(B, N): the mask of tokens that are never padding, one kind after the other."""
    count = sum(one.shape[1] for one in tokens)
    return torch.ones(tokens[0].shape[0], count, dtype=torch.bool, device=tokens[0].device)


def context(tokens: Tensor, mask: Tensor, pooled: Tensor) -> Context:
    """With its padding zero, so that two contexts of the same are the same everywhere."""
    return Context(tokens=tokens.masked_fill(~mask.unsqueeze(-1), 0), mask=mask, pooled=pooled)
