"""The transformer of the heads that have one: tokens of a head's own look at each other and at the context.

    queries or words (B, N, D), Context --Decoder--> (B, N, D)

What writes token by token (`autoregressive.py`, `reasoning.py`) reads through a Reader, which remembers keys and values:
the same numbers as the causal decoder gives over the whole sequence, for the price of one token a step. A chunk of
8 x 17 tokens took 1.3 s on one core, and 7 s when the whole was computed anew for each.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from volition.model.attention import Attention, Block
from volition.model.inputs import Context


class Decoder(nn.Module):
    def __init__(self, width: int, heads: int, layers: int, *, cross: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, heads, cross=cross, dropout=dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, context: Context, *, mask: Tensor | None = None, causal: bool = False) -> Tensor:
        """(B, N, D). `mask` (B, N) is of x. A causal decoder's mask is made from x, so it has x's length always."""
        for block in self.blocks:
            x = block(x, mask=mask, context=context.tokens, context_mask=context.mask, causal=causal)
        return self.norm(x)

    def reader(self, context: Context) -> Reader:
        """One that reads the next token given all it has read; for one batch, without gradients or dropout."""
        return Reader(self, context)


class Reader:
    def __init__(self, decoder: Decoder, context: Context) -> None:
        self._layers = [_Layer(cast(Block, block), context) for block in decoder.blocks]
        self._norm = decoder.norm

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """The next token (B, D) to its hidden state (B, D)."""
        x = x.unsqueeze(1)  # (B, 1, D)
        for layer in self._layers:
            x = layer(x)
        return self._norm(x).squeeze(1)


class _Layer:
    """One Block that remembers: keys and values of the context from the start, of its own tokens as they come."""

    @torch.no_grad()
    def __init__(self, block: Block, context: Context) -> None:
        assert block.cross_attention is not None  # the Decoder builds all its blocks so
        self._block = block
        self._cross = block.cross_attention
        self._seen = _keys_and_values(block.cross_attention, context.tokens)
        real = context.mask[:, None, None, :]  # (B, 1, 1, M)
        self._blind = ~real.any(-1, keepdim=True)  # a sample without context: it sees nothing, as in Block
        self._mask = real | self._blind
        self._own: tuple[Tensor, Tensor] | None = None

    def __call__(self, x: Tensor) -> Tensor:
        block = self._block
        assert block.cross_norm is not None
        near = block.self_norm(x)
        key, value = _keys_and_values(block.self_attention, near)
        if self._own is not None:
            key, value = torch.cat([self._own[0], key], dim=2), torch.cat([self._own[1], value], dim=2)
        self._own = key, value
        x = x + _attend(block.self_attention, near, key, value)  # all that is remembered is earlier: no mask is needed
        far = _attend(self._cross, block.cross_norm(x), *self._seen, self._mask)
        x = x + far.masked_fill(self._blind[:, 0], 0)
        return x + block.feed(block.feed_norm(x))


def _split(attention: Attention, value: Tensor) -> Tensor:
    return value.unflatten(-1, (attention.heads, -1)).transpose(1, 2)  # (B, heads, N, D / heads)


def _keys_and_values(attention: Attention, source: Tensor) -> tuple[Tensor, Tensor]:
    return _split(attention, attention.key(source)), _split(attention, attention.value(source))


def _attend(attention: Attention, x: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    query = _split(attention, attention.query(x))
    mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return attention.out(mixed.transpose(1, 2).flatten(2))


def learned(*shape: int) -> nn.Parameter:
    """Learned queries or positions. As small as a transformer's embeddings are: the norms scale them up."""
    return nn.Parameter(0.02 * torch.randn(*shape))
