"""Actions as tokens and back: each dimension's range is cut into equal bins, and a token is the number of a bin.

    actions (..., A) float --encode--> ids (..., A) long --decode--> the bins' centres (..., A)

Inside the range the way there and back errs by at most half a bin. A discrete dimension with ids 0, 1, ... is exact
with the range (-0.5, bins - 0.5): each id is then the centre of its own bin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from volition.errors import ContractError
from volition.model.heads.chunk import sizes


@dataclass(frozen=True, kw_only=True)
class BinsConfig:
    actions: int
    bins: int = 256
    ranges: tuple[tuple[float, float], ...] | None = None  # low and high of each dimension; None: -1 to 1 for all

    def __post_init__(self) -> None:
        sizes("BinsConfig", actions=self.actions, bins=self.bins)
        for low, high in self.ranges or ():
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ContractError(f"BinsConfig.ranges has ({low}, {high}); low must be below high, both finite.")
        if self.ranges is not None and len(self.ranges) != self.actions:
            raise ContractError(
                f"BinsConfig.ranges has {len(self.ranges)} pairs; it needs one for each of {self.actions} actions."
            )


class Bins(nn.Module):
    """`clipped` and `encoded` (A,) count what was outside its range, and all, since the last `forget()`."""

    low: Tensor
    size: Tensor
    clipped: Tensor
    encoded: Tensor

    def __init__(self, config: BinsConfig) -> None:
        super().__init__()
        self.config = config
        ranges = torch.tensor(config.ranges or ((-1.0, 1.0),) * config.actions)  # (A, 2)
        self.register_buffer("low", ranges[:, 0].clone(), persistent=False)
        self.register_buffer("size", (ranges[:, 1] - ranges[:, 0]) / config.bins, persistent=False)
        self.register_buffer("clipped", torch.zeros(config.actions, dtype=torch.long), persistent=False)
        self.register_buffer("encoded", torch.zeros(config.actions, dtype=torch.long), persistent=False)

    def encode(self, actions: Tensor, real: Tensor | None = None) -> Tensor:
        """Ids (..., A); values outside go to the first or last bin and are counted, but where `real` (...) is False."""
        if not bool(torch.isfinite(actions).all()):
            raise ContractError("Bins.encode was given NaN or infinity; actions must be finite. Check the data set.")
        place = (actions - self.low) / self.size
        # A hair of a bin is allowed: the range's own ends may come back from float32 arithmetic just outside it.
        outside = (place < -1e-3) | (place > self.config.bins + 1e-3)
        counted = torch.ones_like(outside) if real is None else real.unsqueeze(-1).expand_as(outside)
        self.clipped += (outside & counted).flatten(0, -2).sum(0)
        self.encoded += counted.flatten(0, -2).sum(0)
        return place.floor().clamp(0, self.config.bins - 1).long()

    def decode(self, ids: Tensor) -> Tensor:
        """The centres of the bins (..., A)."""
        return self.low + (ids + 0.5) * self.size

    def centres(self) -> Tensor:
        """All centres, (A, bins)."""
        ids = torch.arange(self.config.bins, device=self.low.device)
        return self.low.unsqueeze(-1) + (ids + 0.5) * self.size.unsqueeze(-1)

    def forget(self) -> None:
        """Begin to count anew."""
        self.clipped.zero_()
        self.encoded.zero_()
