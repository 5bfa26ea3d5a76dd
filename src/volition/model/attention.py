"""Attention and the transformer block that fusions, small encoders and heads are stacked from.

    x --norm, self-attention--> + --norm, cross-attention to a context--> + --norm, feed-forward--> +

Masks are (B, N) of keys and True where a token is real. A query that may look at nothing is given exactly zero, not NaN
and not the mean of the padding, so a sentence without words or a step before the episode leaves everything as it was.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from volition.errors import ContractError


def fits(name: str, value: Tensor, width: int) -> Tensor:
    """The same tensor (B, N, width), or an error that says which width was built for: widths never broadcast here."""
    if value.ndim != 3 or value.shape[-1] != width:
        raise ContractError(
            f"{name} is {tuple(value.shape)}, but was to be (batch, tokens, {width}); build this part with the width "
            "of what it is given, or project before it."
        )
    return value


class Attention(nn.Module):
    """One attention of several heads: x (B, N, width) asks, a context (B, M, `context` wide) or x itself answers."""

    def __init__(self, width: int, heads: int, *, context: int | None = None, dropout: float = 0.0) -> None:
        super().__init__()
        if width < 1 or heads < 1 or width % heads:
            raise ContractError(
                f"An attention {width} wide cannot have {heads} heads; the heads must divide the width."
            )
        self.width = width
        self.heads = heads
        self.context = context  # None: self-attention
        self.dropout = dropout
        source = width if context is None else context
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(source, width)
        self.value = nn.Linear(source, width)
        self.out = nn.Linear(width, width)

    def forward(
        self, x: Tensor, context: Tensor | None = None, *, mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """(B, N, width). `mask` is of the keys: (B, M) of the context, or (B, N) of x. Causal: no key after the query."""
        source = self._source(x, context)
        allowed, blind = _allowed(x, source, mask, causal)
        plain = causal and mask is None and x.shape[1] == source.shape[1]  # the fast kernels know this one by itself
        mixed = attend(
            self._split(self.query(x)),
            self._split(self.key(source)),
            self._split(self.value(source)),
            mask=None if plain else allowed,
            dropout=self.dropout if self.training else 0.0,
            causal=plain,
        )  # (B, heads, N, width / heads)
        out = self.out(mixed.transpose(1, 2).flatten(2))  # (B, N, width)
        return out if blind is None else out.masked_fill(blind[:, 0], 0)

    def weights(
        self, x: Tensor, context: Tensor | None = None, *, mask: Tensor | None = None, causal: bool = False
    ) -> Tensor:
        """How much each query looks at each key, (B, heads, N, M): each row sums to one, or to zero where it is blind."""
        source = self._source(x, context)
        allowed, blind = _allowed(x, source, mask, causal)
        query, key = self._split(self.query(x)), self._split(self.key(source))
        score = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        if allowed is not None:
            score = score.masked_fill(~allowed, float("-inf"))
        weight = score.softmax(-1)
        return weight if blind is None else weight.masked_fill(blind, 0)

    def _source(self, x: Tensor, context: Tensor | None) -> Tensor:
        fits("What asks", x, self.width)
        if (context is None) != (self.context is None):
            raise ContractError(
                "A self-attention takes no context." if self.context is None else "A cross-attention needs its context."
            )
        return x if context is None or self.context is None else fits("The context", context, self.context)

    def _split(self, value: Tensor) -> Tensor:
        return value.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, heads, N, width / heads)


def attend(
    query: Tensor, key: Tensor, value: Tensor, *, mask: Tensor | None = None, dropout: float = 0.0, causal: bool = False
) -> Tensor:
    """What torch's scaled dot product attention gives, (B, heads, N, D).

    On a CPU bfloat16 goes through float32: the kernel's gradient in bfloat16 takes 1.3 times as long (201 tokens of 4
    heads of 32, one thread) to 9 times (16 tokens), a third of a training step of `act`.
    """
    arguments: dict[str, Any] = {"attn_mask": mask, "dropout_p": dropout, "is_causal": causal}
    if query.device.type != "cpu" or query.dtype != torch.bfloat16:
        return functional.scaled_dot_product_attention(query, key, value, **arguments)
    with torch.autocast("cpu", enabled=False):
        mixed = functional.scaled_dot_product_attention(query.float(), key.float(), value.float(), **arguments)
    return mixed.to(query.dtype)


class Block(nn.Module):
    """A pre-norm transformer block: self-attention, cross-attention if `cross` wide context is given, feed-forward."""

    def __init__(
        self, width: int, heads: int, *, cross: int | None = None, feed: int | None = None, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.self_norm = nn.LayerNorm(width)
        self.self_attention = Attention(width, heads, dropout=dropout)
        self.cross_norm = nn.LayerNorm(width) if cross is not None else None
        self.cross_attention = Attention(width, heads, context=cross, dropout=dropout) if cross is not None else None
        self.feed_norm = nn.LayerNorm(width)
        self.feed = feed_forward(width, feed, dropout=dropout)
        self.drop = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        *,
        mask: Tensor | None = None,
        context: Tensor | None = None,
        context_mask: Tensor | None = None,
        causal: bool = False,
    ) -> Tensor:
        """(B, N, width). `mask` (B, N) is of x, `context_mask` (B, M) of the context; causal concerns x alone."""
        x = x + self.drop(self.self_attention(self.self_norm(x), mask=mask, causal=causal))
        if self.cross_attention is not None and self.cross_norm is not None:
            if context is None:
                raise ContractError("This block has a cross-attention and was given no context.")
            x = x + self.drop(self.cross_attention(self.cross_norm(x), context, mask=context_mask))
        elif context is not None:
            raise ContractError("This block was given a context but has no cross-attention; build it with cross=width.")
        return x + self.drop(self.feed(self.feed_norm(x)))


def feed_forward(width: int, feed: int | None = None, *, dropout: float = 0.0) -> nn.Sequential:
    """Two layers on each token alone; four times as wide between them where nothing else is said."""
    between = feed or 4 * width
    return nn.Sequential(nn.Linear(width, between), nn.GELU(), nn.Dropout(dropout), nn.Linear(between, width))


def _allowed(x: Tensor, source: Tensor, mask: Tensor | None, causal: bool) -> tuple[Tensor | None, Tensor | None]:
    """Who may look at whom, (B or 1, 1, N or 1, M) bool, and who sees nothing, (B or 1, 1, N or 1, 1). None: everybody.

    The softmax over no key at all is NaN in some kernels, and its gradient too: the blind may look everywhere, and what
    they see is taken away afterwards.
    """
    count, keys = x.shape[1], source.shape[1]
    allowed = None
    if mask is not None:
        if mask.shape != source.shape[:2] or mask.dtype != torch.bool:
            raise ContractError(
                f"A mask {tuple(mask.shape)} {mask.dtype} does not fit keys {tuple(source.shape[:2])}; "
                "give (batch, keys) bool, True where a token is real."
            )
        allowed = mask[:, None, None, :]
    if causal:
        # Queries stand at the end of the keys: with one key more than queries, the first query sees two.
        order = torch.ones(count, keys, dtype=torch.bool, device=x.device).tril(keys - count)[None, None]
        allowed = order if allowed is None else allowed & order
    if allowed is None:
        return None, None
    blind = ~allowed.any(-1, keepdim=True)
    return allowed | blind, blind
