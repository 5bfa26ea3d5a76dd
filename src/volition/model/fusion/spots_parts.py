"""What goes from one part of spots to the next, and what memory makes of what is seen.

cells -> Seen (whatever is said) -> Look (by what is said) -> believed (by what was seen before, too)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from volition.body.whereabouts import SURE
from volition.model.inputs import Names, Spots


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is in the P cells of U pictures."""

    cells: Tensor  # (B, U, P, D)
    known: Tensor  # (B, U, P, match); of nothing where things have names
    aside: Tensor  # (B, U, P, 2): how far from the cell's middle, in cells
    there: Tensor | None
    names: Names | None
    far: Tensor | None  # (B, U, P) m


@dataclass(frozen=True, kw_only=True)
class Look:
    """What was found where, for (B) rows: of S spots in U pictures."""

    spots: Spots
    there: Tensor  # (B, S)
    found: Tensor  # (B, U, S, F)
    whole: Tensor  # (B, U, D)
    told: Tensor
    felt: Tensor
    away: Tensor | None  # (B, S * V * 3)


def believed(places: Tensor, there: Tensor, expected: Tensor) -> tuple[Tensor, Tensor]:
    """Places (B, G, 3) and how sure it is that they are there (B, G), by what is seen now and by what is expected of the first of them."""
    with torch.autocast(places.device.type, enabled=False):
        first = slice(expected.shape[1])
        places, there, expected = places.float(), there.float(), expected.float()
        at, share, gate, known = expected.split([3, 1, 1, 1], dim=-1)
        new = places[:, first] - at
        near = (new.norm(dim=-1, keepdim=True) < gate) & (there[:, first, None] >= SURE)
        at = torch.where((known > 0) | near, at + share * near * new, places[:, first])
        there = torch.cat([torch.maximum(there[:, first], known.squeeze(-1)), there[:, expected.shape[1] :]], dim=1)
        return torch.cat([at, places[:, expected.shape[1] :]], dim=1), there


def by_question(values: Tensor, questions: int) -> Tensor:
    """(B, U, Q * S, ...) as (B * Q, U, S, ...)."""
    return values.unflatten(2, (questions, -1)).movedim(2, 1).flatten(0, 1)


def by_picture(values: Tensor, questions: int) -> Tensor:
    """The inverse of `by_question`."""
    return values.unflatten(0, (-1, questions)).movedim(1, 2).flatten(2, 3)
