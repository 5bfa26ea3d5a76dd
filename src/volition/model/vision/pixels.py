"""The floor that every other encoder must beat: a small picture's numbers through one linear layer.

pictures (N, 3, H, W) -> side x side, antialiased -> flattened -> one token (N, 1, width). Of the `simple` recipe.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from volition.errors import ContractError
from volition.model.vision.pictures import HALF, Normalise, resized


@dataclass(frozen=True, kw_only=True)
class PixelsConfig:
    side: int = 32  # pixels
    width: int = 128

    def __post_init__(self) -> None:
        if min(self.side, self.width) < 1:
            raise ContractError(f"side and width are {self.side} and {self.width}; each must be at least 1.")


class PixelsVision(nn.Module):
    """See PixelsConfig."""

    def __init__(self, config: PixelsConfig) -> None:
        super().__init__()
        self.config = config
        self.width = config.width
        self.normalise = Normalise(HALF)
        self.linear = nn.Linear(3 * config.side**2, config.width)

    def cells(self, height: int, width: int) -> tuple[int, int] | None:
        """None: its one token is no grid."""
        return None

    def forward(self, pictures: Tensor, words: Tensor | None = None) -> Tensor:
        small = resized(self.normalise(pictures), self.config.side, self.config.side)
        return self.linear(small.flatten(1)).unsqueeze(1)
