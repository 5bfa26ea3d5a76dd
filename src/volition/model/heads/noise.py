"""Random numbers from one explicit generator, on whatever device the model is: the same seed, the same actions.

A generator draws on its own device and the numbers are moved, so that a CPU generator serves a model on a GPU. In
place of the generator of `normal` may stand what was drawn elsewhere: so a model is exported, whose noise is an input.
"""

from __future__ import annotations

import torch
from torch import Tensor


def _device(like: Tensor, rng: torch.Generator | None) -> torch.device:
    return like.device if rng is None else rng.device


def normal(shape: tuple[int, ...], like: Tensor, rng: torch.Generator | Tensor | None) -> Tensor:
    """Standard normal numbers with the type and device of `like`."""
    if isinstance(rng, Tensor):
        return rng.to(like)
    return torch.randn(shape, generator=rng, device=_device(like, rng)).to(like)


def uniform(shape: tuple[int, ...], like: Tensor, rng: torch.Generator | None) -> Tensor:
    """Numbers of [0, 1) with the type and device of `like`."""
    return torch.rand(shape, generator=rng, device=_device(like, rng)).to(like)


def integers(high: int, shape: tuple[int, ...], like: Tensor, rng: torch.Generator | None) -> Tensor:
    """Whole numbers of 0 to high - 1, long, on the device of `like`."""
    return torch.randint(high, shape, generator=rng, device=_device(like, rng)).to(like.device)


def choice(logits: Tensor, temperature: float, rng: torch.Generator | None) -> Tensor:
    """An id for each row of logits (..., N): the likeliest at temperature 0, else drawn from softmax(logits / temperature)."""
    if temperature == 0:
        return logits.argmax(-1)
    # Gumbel's trick: the argmax of logits plus this noise is distributed as their softmax.
    drawn = uniform(tuple(logits.shape), logits.float(), rng).clamp(1e-10, 1 - 1e-7)
    return (logits.float() / temperature - torch.log(-torch.log(drawn))).argmax(-1)
