"""The parts a model is joined from, as `vla.py` sees them. A recipe differs from another by the parts it passes.

Each part is a torch module that says the width of what it gives; widths it takes are arguments when it is built.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from volition.model.inputs import Context, Inputs, Sentences, Targets, Words


class Vision(Protocol):
    """Pictures of one size to tokens: (N, 3, H, W) float in 0..1 -> (N, P, width). It normalises by statistics it states.

    `words` (N, W) are pooled sentences, for encoders that look for what they are told (FiLM); others ignore them.
    """

    width: int

    def __call__(self, pictures: Tensor, words: Tensor | None = None) -> Tensor: ...


class Language(Protocol):
    """Sentences to tokens. `read` makes tokens of text, on the CPU, and with a frozen encoder embeds and caches them."""

    width: int

    def read(self, sentences: Sequence[str]) -> Sentences: ...

    def __call__(self, sentences: Sentences) -> Words: ...


class StateEncoder(Protocol):
    """What the robot feels of itself, and what it did before, as tokens: (B, M, width)."""

    width: int

    def __call__(self, inputs: Inputs) -> Tensor: ...


class Fusion(Protocol):
    """Everything seen, told and felt, joined. Padding of the words changes nothing."""

    width: int

    def __call__(self, vision: Tensor, words: Words, state: Tensor) -> Context: ...  # (B, N, Dv), Words, (B, M, Ds)


class Head(Protocol):
    """Actions from a context. `loss` gives named terms, already weighted, whose sum is minimised; padding is left out.

    Some take a `choice`: heads by task `task=` (B,) when acting, heads by robot `robot=` its action space.
    """

    def loss(
        self, context: Context, targets: Targets, *, rng: torch.Generator | None = None, **choice: Any
    ) -> dict[str, Tensor]: ...

    def act(self, context: Context, *, rng: torch.Generator | None = None, **choice: Any) -> Tensor: ...  # (B, K, A)
