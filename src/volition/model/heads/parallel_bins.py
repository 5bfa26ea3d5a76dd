"""All (K, A) action tokens at once: a query for each asks the context, and answers with a distribution over bins.

    queries (K * A) --decoder over the context's tokens--> logits (B, K, A, bins) --> actions (B, K, A)

Against `autoregressive.py` one pass instead of K * A, but dimensions do not know what the others chose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from volition.errors import ContractError
from volition.model.heads.bins import Bins, BinsConfig
from volition.model.heads.chunk import average, cleaned, sizes, transformer
from volition.model.heads.decoder import Decoder, learned
from volition.model.inputs import Context, Targets


@dataclass(frozen=True, kw_only=True)
class ParallelBinsConfig:
    actions: int
    steps: int
    bins: int = 256
    ranges: tuple[tuple[float, float], ...] | None = None  # see BinsConfig
    width: int = 256
    heads: int = 8
    layers: int = 4
    dropout: float = 0.0
    choose: Literal["likeliest", "expectation"] = (
        "likeliest"  # expectation is finer, but means nothing for discrete ids
    )

    def __post_init__(self) -> None:
        sizes("ParallelBinsConfig", steps=self.steps)
        transformer("ParallelBinsConfig", self.width, self.heads, self.layers, self.dropout)
        if self.choose not in ("likeliest", "expectation"):
            raise ContractError(
                f"ParallelBinsConfig.choose is {self.choose!r}; it must be 'likeliest' or 'expectation'."
            )
        self.tokens()

    def tokens(self) -> BinsConfig:
        return BinsConfig(actions=self.actions, bins=self.bins, ranges=self.ranges)


class ParallelBins(nn.Module):
    def __init__(self, config: ParallelBinsConfig, *, context: int) -> None:
        super().__init__()
        self.config = config
        self.bins = Bins(config.tokens())
        self.step_queries = learned(config.steps, 1, config.width)
        self.dimension_queries = learned(config.actions, config.width)
        self.decoder = Decoder(config.width, config.heads, config.layers, cross=context, dropout=config.dropout)
        self.outward = nn.ModuleList(nn.Linear(config.width, config.bins) for _ in range(config.actions))

    def logits(self, context: Context) -> Tensor:
        """(B, K, A, bins)"""
        queries = (self.step_queries + self.dimension_queries).flatten(0, 1)  # (K * A, width)
        hidden = self.decoder(queries.expand(len(context.tokens), -1, -1), context)
        hidden = hidden.unflatten(1, (self.config.steps, self.config.actions))
        return torch.stack([layer(hidden[:, :, index]) for index, layer in enumerate(self.outward)], dim=2)

    def loss(self, context: Context, targets: Targets, *, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        wanted, real = cleaned("ParallelBins", targets, self.config.steps, self.config.actions)
        ids = self.bins.encode(wanted, real)
        errors = functional.cross_entropy(self.logits(context).flatten(0, 2), ids.flatten(), reduction="none")
        return {"bins": average(errors.view_as(ids), real)}

    def act(self, context: Context, *, rng: torch.Generator | None = None) -> Tensor:
        logits = self.logits(context)
        if self.config.choose == "expectation":
            return (logits.softmax(-1) * self.bins.centres()).sum(-1)
        return self.bins.decode(logits.argmax(-1))
