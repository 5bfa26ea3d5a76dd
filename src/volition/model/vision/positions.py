"""Where a cell lies in its picture, as a vector added to its token: sines and cosines of its row and column.

cells of a grid (rows, columns) -> (P, width). For encoders whose tokens do not know their place: convolutions.
"""

from __future__ import annotations

import torch
from torch import Tensor

_LONGEST = 100.0  # cells: the longest wave; grids here have 4 to 32 a side, so 10,000 as for words would be flat


def cell_middles(rows: int, columns: int) -> Tensor:
    """(P, 2): x and y of the cells' middles, 0 to 1 right and down, row by row."""
    y, x = (torch.arange(count) + 0.5 for count in (rows, columns))
    return torch.stack([(x / columns).repeat(rows), (y / rows).repeat_interleave(columns)], dim=-1)


def grid_positions(rows: int, columns: int, width: int, *, like: Tensor) -> Tensor:
    """(rows * columns, width), row by row; a quarter each of sine and cosine, of row and column."""
    quarter = -(-width // 4)  # rounded up: the last numbers are cut off where 4 does not divide the width
    waves = _LONGEST ** (-torch.arange(quarter, device=like.device, dtype=like.dtype) / quarter)
    y = torch.arange(rows, device=like.device, dtype=like.dtype)[:, None] * waves
    x = torch.arange(columns, device=like.device, dtype=like.dtype)[:, None] * waves
    y, x = y[:, None].expand(rows, columns, quarter), x[None].expand(rows, columns, quarter)
    return torch.cat([y.sin(), y.cos(), x.sin(), x.cos()], dim=-1).reshape(rows * columns, -1)[:, :width]
