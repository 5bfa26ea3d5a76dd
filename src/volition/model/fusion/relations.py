"""How things stand to each other: what is in a cell's row and column reaches it, as the words want it to.

    cells (..., P, D) -> narrow --rounds of: rows mix, columns mix, each cell thinks (FiLM by the words)--> (..., P, width)

"The left one" and "the one next to the red one" are decided far from the thing itself. Two steps along the axes of the
grid (as in MLP-Mixer, Tolstikhin et al. 2021) reach every cell, for a tenth of what convolutions that wide would take.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from volition.errors import ContractError


@dataclass(frozen=True, kw_only=True)
class RelationsConfig:
    """`rounds` 0: none."""

    width: int = 32
    rounds: int = 2

    def __post_init__(self) -> None:
        if self.width < 1 or self.rounds < 0:
            raise ContractError(f"{self} cannot be built; width is at least 1, rounds at least 0.")


class Relations(nn.Module):
    def __init__(self, config: RelationsConfig, *, vision: int, words: int, cells: tuple[int, int]) -> None:
        super().__init__()
        self.enter = nn.Linear(vision, config.width)
        self.rounds = nn.ModuleList(_Round(config.width, words, cells) for _ in range(config.rounds))

    def forward(self, cells: Tensor, words: Tensor) -> Tensor:
        """Cells (B, U, P, vision) and pooled words (B * Q, W) to (B * Q, U, P, width)."""
        cells = self.enter(cells).repeat_interleave(len(words) // len(cells), dim=0)
        for one in self.rounds:
            cells = one(cells, words)
        return cells


class _Round(nn.Module):
    def __init__(self, width: int, words: int, cells: tuple[int, int]) -> None:
        super().__init__()
        self.cells = cells
        self.norm = nn.LayerNorm(width)
        self.film = nn.Linear(words, 2 * width)
        self.across, self.along = nn.Linear(cells[1], cells[1]), nn.Linear(cells[0], cells[0])
        self.mixed = nn.LayerNorm(width)
        self.think = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)

    def forward(self, cells: Tensor, words: Tensor) -> Tensor:
        scale, shift = self.film(words)[:, None, None].chunk(2, dim=-1)  # (B, 1, 1, width)
        asked = torch.relu(self.norm(cells) * (1 + scale) + shift)
        rows, columns = self.cells
        along = _mixed(self.along, asked.reshape(-1, rows, columns * asked.shape[-1]))
        across = _mixed(self.across, asked.reshape(-1, columns, asked.shape[-1]))
        cells = cells + along.view_as(cells) + across.view_as(cells)
        return cells + self.think(self.mixed(cells))


def _mixed(layer: nn.Linear, values: Tensor) -> Tensor:
    """The layer over the middle of (N, P, D), where it lies: turned to the end and back it would be copied twice."""
    weight, bias = layer.weight.to(values.dtype), layer.bias.to(values.dtype)
    return torch.baddbmm(bias[:, None].expand_as(values), weight.expand(len(values), -1, -1), values)
