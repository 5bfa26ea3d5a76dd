"""How things stand to each other: of several that fit, the left one, the big one, the one next to the red one.

    match (N, S, P), what words say of how each stands (N, S, STANDS) --> what to add to the match, (N, S, P)

Each way to stand is a score of 0, for a cell that stands so, down to -1: how much of what else fits lies further to the left,
how far the landmark is. Words say which ways count (`named.py`); how much is learned. "The left one" then means the same
of drawers as of cans, and in scenes that nobody has seen. Left and right, above and below, near and far are those of the
picture, whose camera looks the way the robot faces.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from volition.model.inputs import PLACES, RELATIONS, SIZES, STANDS
from volition.model.vision.positions import cell_middles

LANDMARK = 2  # which spot is that of the thing by which another is told
_APART = 0.05  # of a picture's side: nearer than this, nothing is to the left of another
_SOFT = 0.015
_ITSELF = 0.05  # what is as near as this to the landmark is the landmark
_SIDEWAYS = 0.15  # what is above something is not farther off than this
_REACH = 0.3
_STRONG = 10.0
_EVEN = 0.7  # less than 1: things that fit less clearly count among what fits


class Standing(nn.Module):
    """For pictures of `cells` (rows, columns)."""

    def __init__(self, *, vision: int, cells: tuple[int, int]) -> None:
        super().__init__()
        self.size = nn.Linear(vision, 3)  # as far as it can be told from a cell: how large, tall and slim the thing is
        self.strength = nn.Parameter(torch.full((len(STANDS),), _STRONG))
        self.even = nn.Parameter(torch.tensor([_EVEN]))
        middles = cell_middles(*cells)  # (P, 2): right, down
        right, down = (middles[:, None] - middles[None]).unbind(-1)  # (P, P): of the first from the second
        far = torch.hypot(right, down)
        beyond = [torch.sigmoid((one - _APART) / _SOFT) for one in (right, -right, down, -down)]
        self.register_buffer("beyond", _table(beyond), persistent=False)
        above, below = (one * torch.exp(-((right / _SIDEWAYS) ** 2)) for one in (beyond[3], beyond[2]))
        distance = (far / _REACH).clamp(max=1) + 2 * torch.exp(-((far / _ITSELF) ** 2))
        # A row of cells to where the landmark is: left of, right of, above, below and how far from it.
        self.register_buffer("of", _table([beyond[1], beyond[0], above, below, 1 - distance]), persistent=False)

    def forward(self, match: Tensor, cells: Tensor, told: Tensor) -> Tensor:
        """`cells` (N, P, D) of the same pictures; `told` (N, S, STANDS) 0 to 1."""
        with torch.autocast(match.device.type, enabled=False):
            fits = (self.even * match.float()).softmax(-1)  # (N, S, P)
            weights = (told.float() * self.strength).split([len(SIZES), len(PLACES), len(RELATIONS)], dim=-1)
            return (
                self._sizes(fits, cells, weights[0])
                + self._places(fits, weights[1])
                + self._relations(fits, weights[2])
            )

    def _sizes(self, fits: Tensor, cells: Tensor, weights: Tensor) -> Tensor:
        """How large, how tall and how slim it is, beside what else fits."""
        small, large, tall, short, cube, carton = weights.unbind(-1)
        wanted = torch.stack([large - small, tall - short, carton - cube], dim=-1)  # (N, S, 3)
        sizes = torch.tanh(self.size(cells.float()))  # (N, P, 3)
        return wanted @ sizes.transpose(1, 2) - (wanted * (fits @ sizes)).sum(-1, keepdim=True)

    def _places(self, fits: Tensor, weights: Tensor) -> Tensor:
        """How much of what fits is further to that side."""
        left, right, middle, upper, lower, near, far = weights.unsqueeze(-1).unbind(2)  # each (N, S, 1)
        on_left, on_right, above, below = self._sums(fits, "beyond").unbind(2)
        aside = (on_left - on_right).abs() + (above - below).abs()
        # Who wants the left one wants nothing on its left.
        return -(left * on_left + right * on_right + middle * aside + (upper + far) * above + (lower + near) * below)

    def _relations(self, fits: Tensor, weights: Tensor) -> Tensor:
        beside, near, nearest, left, right, above, below = weights.unbind(-1)
        wanted = torch.stack([left, right, above, below, beside + near + nearest], dim=-1)  # (N, S, 5)
        stands = self._sums(fits[:, LANDMARK], "of")  # (N, 5, P)
        return wanted @ (stands - 1)

    def _sums(self, fits: Tensor, name: str) -> Tensor:
        """(..., P) over the others of each of K tables: (..., K, P)"""
        table = self.get_buffer(name)
        return (fits @ table).unflatten(-1, (-1, len(table)))


def _table(tables: Sequence[Tensor]) -> Tensor:
    """K tables of a cell and the other (P, P) as one to multiply shares of the other by: (P, K * P)"""
    return torch.cat([one.T for one in tables], dim=1)
