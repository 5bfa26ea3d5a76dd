"""Picture and state tokens that look at the words (cross-attention): each place asks what was said of it.

vision, state --> N + M tokens --blocks: among themselves, then to the words--> as many tokens, and one readout
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from volition.errors import ContractError
from volition.model.attention import Block
from volition.model.fusion.entrance import AttendingConfig, Entrance, Readout, all_real, context
from volition.model.fusion.sizes import Sizes
from volition.model.inputs import Context, Words


@dataclass(frozen=True, kw_only=True)
class CrossConfig(AttendingConfig):
    layers: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layers < 1:
            raise ContractError(f"layers is {self.layers}; a cross-attention fusion has at least 1.")


class CrossFusion(nn.Module):
    """The context has vision's tokens, then the state's."""

    def __init__(self, config: CrossConfig, sizes: Sizes) -> None:
        super().__init__()
        self.config = config
        self.width = config.width
        self.entrance = Entrance(config.width, sizes)
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, cross=config.width, dropout=config.dropout) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)
        self.readout = Readout(config.width, config.heads)

    def forward(self, vision: Tensor, words: Words, state: Tensor) -> Context:
        seen, told, felt = self.entrance(vision, words, state)
        tokens = torch.cat([seen, felt], dim=1)  # (B, N + M, width)
        for block in self.blocks:
            tokens = block(tokens, context=told, context_mask=words.mask)
        tokens, mask = self.norm(tokens), all_real(seen, felt)
        return context(tokens, mask, self.readout(tokens, mask))
