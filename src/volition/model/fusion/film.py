"""Words that change what is seen (FiLM): the sentence scales and shifts each picture token before they are pooled.

    vision --rounds of: norm, scale and shift by words.pooled, feed-forward, +--> PooledFusion

Scale and shift begin as doing nothing (Perez et al. 2018 as RT-1 uses it), so that a pretrained encoder's tokens are
not thrown away by random words at the first step.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from volition.errors import ContractError
from volition.model.attention import feed_forward, fits
from volition.model.fusion.pooled import PooledConfig, PooledFusion
from volition.model.fusion.sizes import Sizes
from volition.model.inputs import Context, Words


@dataclass(frozen=True, kw_only=True)
class FilmConfig(PooledConfig):
    """What the words do first; the rest is the pooled fusion's, which comes after."""

    rounds: int = 2
    feed: int = 2  # times the tokens' width, in the feed-forward of a round

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.rounds, self.feed) < 1:
            raise ContractError(f"rounds={self.rounds}, feed={self.feed} cannot be built; both are at least 1.")


class FilmFusion(nn.Module):
    def __init__(self, config: FilmConfig, sizes: Sizes) -> None:
        super().__init__()
        self.config = config
        self.sizes = sizes
        self.rounds = nn.ModuleList(
            FilmRound(sizes.vision, words=sizes.pooled, feed=config.feed * sizes.vision, dropout=config.dropout)
            for _ in range(config.rounds)
        )
        self.pooled = PooledFusion(config, sizes)
        self.width = self.pooled.width

    def forward(self, vision: Tensor, words: Words, state: Tensor) -> Context:
        self.sizes.check(vision, words, state)
        for one in self.rounds:
            vision = one(vision, words.pooled)
        return self.pooled(vision, words, state)


class FilmRound(nn.Module):
    """Tokens (B, N, width) changed by pooled words (B, `words` wide); each token for itself."""

    def __init__(self, width: int, *, words: int, feed: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.width = width
        self.norm = nn.LayerNorm(width)
        self.change = nn.Linear(words, 2 * width)
        nn.init.zeros_(self.change.weight)
        nn.init.zeros_(self.change.bias)
        self.feed = feed_forward(width, feed, dropout=dropout)

    def forward(self, tokens: Tensor, words: Tensor) -> Tensor:
        fits("What is seen", tokens, self.width)
        scale, shift = self.change(words).unsqueeze(1).chunk(2, dim=-1)  # (B, 1, width) each
        return tokens + self.feed(self.norm(tokens) * (1 + scale) + shift)
