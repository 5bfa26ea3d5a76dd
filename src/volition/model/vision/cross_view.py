"""One layer in which each camera's tokens attend to the other cameras': what one does not see, another may.

tokens of one moment (N, V, P, width) -> the same, changed. Used by views.py.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from volition.errors import ContractError


class CrossView(nn.Module):
    """Attention over all tokens but the own camera's, then a feed-forward, each added to what came in."""

    def __init__(self, width: int, *, heads: int = 4) -> None:
        super().__init__()
        if width % heads:
            raise ContractError(f"width is {width}; it must be a multiple of the number of heads, {heads}.")
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.ask = nn.Linear(width, 3 * width)
        self.answer = nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        _, views, cells, width = tokens.shape
        flat = tokens.flatten(1, 2)  # (N, V*P, width)
        query, key, value = self.ask(self.norm(flat)).unflatten(-1, (3, self.heads, width // self.heads)).unbind(2)
        camera = torch.arange(views, device=tokens.device).repeat_interleave(cells)
        others = camera[:, None] != camera[None]  # (V*P, V*P), True where it may look
        seen = functional.scaled_dot_product_attention(
            query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), attn_mask=others
        )
        flat = flat + self.answer(seen.transpose(1, 2).flatten(2))
        return (flat + self.feed(flat)).view_as(tokens)
