"""What stands in each cell and what words mean, in the same terms: whether there is a thing, its kind and its colour.

    cells (B, U, P, D) --> there, kinds, colours of each ┐
    words.pooled (B, W) --> kinds, colours of each spot --┴--> how well they agree, (B, U, P, S)

Both are taught from the simulator's truth: eyes tell things apart long before they know what is asked for, from all things
of a picture at once; and what remains to be learned of words is how things stand to each other (`relations.py`).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from volition.model.inputs import Names

_LEAST = 1e-3  # of what chance would give, so that its logarithm is not minus infinity
_NOTHING = -7.0
_SHARP = 2.0


class Named(nn.Module):
    def __init__(self, *, vision: int, words: int, spots: int, kinds: int, colours: int) -> None:
        super().__init__()
        self.kinds, self.colours = kinds, colours
        self.see = nn.Linear(vision, 1 + kinds + colours)
        self.mean = nn.Linear(words, spots * (kinds + colours))
        self.trust = nn.Parameter(torch.full((3,), _SHARP))  # in there, kinds, colours

    def seen(self, cells: Tensor) -> tuple[Tensor, Names]:
        """Of each cell, as logits: whether the middle of a thing is there (B, U, P), and which thing it would be."""
        there, kinds, colours = self.see(cells).float().split([1, self.kinds, self.colours], dim=-1)
        return there.squeeze(-1), Names(kinds=kinds, colours=colours)

    def meant(self, words: Tensor) -> Names:
        """Of each spot, (B, S, .) as logits."""
        kinds, colours = self.mean(words).float().unflatten(-1, (-1, self.kinds + self.colours)).split([self.kinds, self.colours], dim=-1)  # fmt: skip
        return Names(kinds=kinds, colours=colours)

    def match(self, there: Tensor, cells: Names, meant: Names) -> Tensor:
        """How well each cell is what each spot of each question, (B, Q, S, .), is meant to be, (B, U, P, Q * S): 0 where nobody knows."""
        with torch.autocast(there.device.type, enabled=False):
            kind, colour = (
                (one.softmax(-1) @ other.softmax(-1).flatten(1, 2).transpose(1, 2).unsqueeze(1)).mul(many).clamp(min=_LEAST).log()
                for one, other, many in (
                    (cells.kinds, meant.kinds, self.kinds), (cells.colours, meant.colours, self.colours)
                )
            )  # fmt: skip
            thing = functional.logsigmoid(there).add(math.log(2)).clamp(min=_NOTHING).unsqueeze(-1)
            return self.trust[0] * thing + self.trust[1] * kind + self.trust[2] * colour
