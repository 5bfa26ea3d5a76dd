"""The pooled context to one of a few discrete actions, the primitives, for each of K steps: cross-entropy, then argmax.

The chunk has one dimension, (B, K, 1), which holds the id as `robots/primitives.py` numbers it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from volition.errors import ContractError
from volition.model.heads.chunk import average, between, cleaned, sizes
from volition.model.heads.regression import mlp
from volition.model.inputs import Context, Targets


@dataclass(frozen=True, kw_only=True)
class ClassesConfig:
    classes: int = 10
    steps: int = 1
    hidden: tuple[int, ...] = (512,)
    smoothing: float = 0.0  # of labels: this share of the target is spread over all classes
    dropout: float = 0.0

    def __post_init__(self) -> None:
        sizes("ClassesConfig", classes=self.classes, steps=self.steps)
        sizes("ClassesConfig.hidden", **{str(layer): size for layer, size in enumerate(self.hidden)})
        between("ClassesConfig", 0, 1, smoothing=self.smoothing, dropout=self.dropout)


class Classes(nn.Module):
    def __init__(self, config: ClassesConfig, *, context: int) -> None:
        super().__init__()
        self.config = config
        self.layers = mlp(context, config.hidden, config.steps * config.classes, config.dropout)

    def logits(self, context: Context) -> Tensor:
        """(B, K, classes)"""
        return self.layers(context.pooled).unflatten(-1, (self.config.steps, self.config.classes))

    def probabilities(self, context: Context) -> Tensor:
        """(B, K, classes), each step's sum is 1."""
        return self.logits(context).softmax(-1)

    def loss(self, context: Context, targets: Targets, *, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        actions, real = cleaned("Classes", targets, self.config.steps, 1)
        ids = actions.squeeze(-1).round().long()  # (B, K)
        if bool(((ids < 0) | (ids >= self.config.classes)).any()):
            raise ContractError(
                f"Classes was given ids {int(ids.min())} to {int(ids.max())}; it is built for 0 to "
                f"{self.config.classes - 1}. Set `classes`, or check that discrete actions are not normalised."
            )
        errors = functional.cross_entropy(
            self.logits(context).flatten(0, 1), ids.flatten(), reduction="none", label_smoothing=self.config.smoothing
        )
        return {"classes": average(errors.view_as(ids), real)}

    def act(self, context: Context, *, rng: torch.Generator | None = None) -> Tensor:
        return self.logits(context).argmax(-1, keepdim=True).to(context.pooled.dtype)
