"""Grounding: words find what they mean in the pictures, and pictures what is said of them, several rounds.

    a round: words --look at vision, feed-forward--> words; vision --looks at the words, feed-forward--> vision

`attention` gives where each word looked, to be drawn over the pictures (`openvla-mini`: four rounds).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from volition.errors import ContractError
from volition.model.attention import Attention, feed_forward
from volition.model.fusion.entrance import AttendingConfig, Entrance, Readout, all_real, context
from volition.model.fusion.sizes import Sizes
from volition.model.inputs import Context, Words


@dataclass(frozen=True, kw_only=True)
class GroundingConfig(AttendingConfig):
    rounds: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rounds < 1:
            raise ContractError(f"rounds is {self.rounds}; grounding has at least 1.")


class GroundingFusion(nn.Module):
    """The context has vision's tokens, then the state's, then the words."""

    def __init__(self, config: GroundingConfig, sizes: Sizes) -> None:
        super().__init__()
        self.config = config
        self.width = config.width
        self.entrance = Entrance(config.width, sizes)
        self.rounds = nn.ModuleList(Round(config) for _ in range(config.rounds))
        self.norm = nn.LayerNorm(config.width)
        self.readout = Readout(config.width, config.heads)

    def forward(self, vision: Tensor, words: Words, state: Tensor) -> Context:
        seen, told, felt = self.entrance(vision, words, state)
        for one in self.rounds:
            seen, told = one(seen, told, words.mask)
        tokens = self.norm(torch.cat([seen, felt, told], dim=1))  # (B, N + M + L, width)
        mask = torch.cat([all_real(seen, felt), words.mask], dim=1)
        return context(tokens, mask, self.readout(tokens, mask))

    @torch.no_grad()
    def attention(self, vision: Tensor, words: Words, state: Tensor) -> Tensor:
        """Where each word looks in each round, (B, rounds, heads, L, N); a real word's row sums to one, padding's to zero.

        Computed again, with the same weights, rather than kept from the last call: keeping costs every call.
        """
        seen, told, _ = self.entrance(vision, words, state)
        looks = []
        for module in self.rounds:
            one = cast(Round, module)
            looks.append(one.look(seen, told))
            seen, told = one(seen, told, words.mask)
        return torch.stack(looks, dim=1).masked_fill(~words.mask[:, None, None, :, None], 0)


class Round(nn.Module):
    def __init__(self, config: GroundingConfig) -> None:
        super().__init__()
        width, heads, dropout = config.width, config.heads, config.dropout
        self.told_norm, self.seen_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.told_to_seen = Attention(width, heads, context=width, dropout=dropout)
        self.told_feed = nn.Sequential(nn.LayerNorm(width), feed_forward(width, dropout=dropout))
        self.again_norm = nn.LayerNorm(width)
        self.seen_to_told = Attention(width, heads, context=width, dropout=dropout)
        self.seen_feed = nn.Sequential(nn.LayerNorm(width), feed_forward(width, dropout=dropout))

    def forward(self, seen: Tensor, told: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N, width), (B, L, width) and the words' mask to the same, changed."""
        view = self.seen_norm(seen)
        told = told + self.told_to_seen(self.told_norm(told), view)
        told = told + self.told_feed(told)
        seen = seen + self.seen_to_told(view, self.again_norm(told), mask=mask)
        return seen + self.seen_feed(seen), told

    def look(self, seen: Tensor, told: Tensor) -> Tensor:
        """(B, heads, L, N): the weights of the words' look at the pictures."""
        return self.told_to_seen.weights(self.told_norm(told), self.seen_norm(seen))
