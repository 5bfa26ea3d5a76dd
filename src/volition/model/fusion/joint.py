"""One transformer over all tokens at once, each told its kind, and a token of its own that reads them (`foundation`).

readout, vision, state, words --> 1 + N + M + L tokens --blocks--> the context; the readout is its pooled vector
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from volition.errors import ContractError
from volition.model.attention import Block
from volition.model.fusion.entrance import AttendingConfig, Entrance, all_real, context
from volition.model.fusion.sizes import Sizes
from volition.model.inputs import Context, Words


@dataclass(frozen=True, kw_only=True)
class JointConfig(AttendingConfig):
    layers: int = 6

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layers < 1:
            raise ContractError(f"layers is {self.layers}; a joint transformer has at least 1.")


class JointFusion(nn.Module):
    """The context has vision's tokens, then the state's, then the words."""

    def __init__(self, config: JointConfig, sizes: Sizes) -> None:
        super().__init__()
        self.config = config
        self.width = config.width
        self.entrance = Entrance(config.width, sizes)
        self.readout = nn.Parameter(torch.randn(config.width) * 0.02)
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, dropout=config.dropout) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)

    def forward(self, vision: Tensor, words: Words, state: Tensor) -> Context:
        seen, told, felt = self.entrance(vision, words, state)
        readout = self.readout.expand(seen.shape[0], 1, -1)
        tokens = torch.cat([readout, seen, felt, told], dim=1)  # (B, 1 + N + M + L, width)
        mask = torch.cat([all_real(readout, seen, felt), words.mask], dim=1)
        for block in self.blocks:
            tokens = block(tokens, mask=mask)
        tokens = self.norm(tokens)
        return context(tokens[:, 1:], mask[:, 1:], tokens[:, 0])
