"""Segmentation: which cells of a picture the thing covers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from volition.errors import ContractError
from volition.model.auxiliaries.parts import Heat, Sizes, mean_of
from volition.model.inputs import Context, Inputs, Targets, Words


@dataclass(frozen=True, kw_only=True)
class SegmentationConfig:
    """`positive` weighs the thing's cells against the others: it covers few."""

    weight: float = 0.1
    positive: float = 5.0
    hidden: int = 64

    def __post_init__(self) -> None:
        if self.positive <= 0 or self.hidden < 1:
            raise ContractError(f"positive and hidden are {self.positive} and {self.hidden}; both must be positive.")


class Segmentation(nn.Module):
    """Which cells of each picture the thing covers that the words mean. Needs tokens that are a grid."""

    def __init__(self, config: SegmentationConfig, *, sizes: Sizes) -> None:
        super().__init__()
        if sizes.cells is None:
            raise ContractError("Segmentation needs tokens that are a grid; choose an encoder that gives one.")
        self.config = config
        self.cells = sizes.cells
        self.heat = Heat(sizes, config.hidden, 1)
        self.bias = nn.Parameter(torch.zeros(1))

    def logits(self, tokens: Tensor, words: Words) -> Tensor:
        """(B, V, h, w)"""
        return self.heat(tokens, words).squeeze(2).unflatten(-1, self.cells) + self.bias

    def losses(
        self, tokens: Tensor, words: Words, context: Context, inputs: Inputs, targets: Targets
    ) -> dict[str, Tensor]:
        masks = targets.truth.masks
        if masks is None:
            return {}
        logits = self.logits(tokens, words)
        if masks.ndim != 4 or masks.shape[:2] != logits.shape[:2]:
            raise ContractError(f"masks are {tuple(masks.shape)}; they must be {tuple(logits.shape[:2])} + (h, w).")
        known = masks.isfinite()
        share = functional.interpolate(torch.where(known, masks, 0).to(logits.dtype), size=self.cells, mode="area")
        positive = torch.tensor(self.config.positive, device=logits.device, dtype=logits.dtype)
        loss = functional.binary_cross_entropy_with_logits(logits, share, pos_weight=positive, reduction="none")
        known = known.flatten(2).all(-1)[..., None, None].expand_as(loss)
        return {"segmentation": self.config.weight * mean_of(loss, known)}
