"""What stands in each cell and what words mean, in the same terms: whether there is a thing, its kind and its colour.

    cells (B, U, P, D) --> there, kinds, colours of each ---┐
    words --Meaning--> kinds, colours of each spot ----------┴--> how well they agree, (B, T, C, R, P)
                   └-> what was said of it at all: "the left can" has no colour

Both are taught from the simulator's truth: eyes tell things apart long before they know what is asked for, from all things
of a picture at once; words are read without any picture. How things stand to each other is for `standing.py`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from volition.model.fusion.meaning import Meaning
from volition.model.inputs import TOLD, Names, Words

_LEAST = 1e-3  # of what chance would give, so that its logarithm is not minus infinity
_NOTHING = -7.0
_SHARP = 2.0


class Named(nn.Module):
    def __init__(self, *, vision: int, words: int, spots: int, kinds: int, colours: int) -> None:
        super().__init__()
        self.kinds, self.colours = kinds, colours
        self.see = nn.Linear(vision, 1 + kinds + colours)
        self.mean = Meaning(words=words, spots=spots, numbers=kinds + colours + TOLD)
        self.trust = nn.Parameter(torch.full((3,), _SHARP))  # in there, kinds, colours

    def seen(self, cells: Tensor) -> tuple[Tensor, Names]:
        """Of each cell, as logits: whether the middle of a thing is there (B, U, P), and which thing it would be."""
        there, kinds, colours = self.see(cells).float().split([1, self.kinds, self.colours], dim=-1)
        return there.squeeze(-1), Names(kinds=kinds, colours=colours)

    def meant(self, words: Words) -> Names:
        """Of each spot, (B, S, .) as logits."""
        sizes = [self.kinds, self.colours, TOLD]
        kinds, colours, told = self.mean(words).float().split(sizes, dim=-1)
        return Names(kinds=kinds, colours=colours, told=told)

    def match(self, there: Tensor, cells: Names, kinds: Tensor, colours: Tensor, said: Tensor) -> Tensor:
        """How well each cell, there (B, T, C, P), is what is wanted in each of R rows: (B, T, C, R, P), 0 where nobody knows.

        `kinds` and `colours` (B, T, R, .) are probabilities, `said` (B, T, R, 2) how far each of the two is known."""
        with torch.autocast(there.device.type, enabled=False):
            kind, colour = (
                (wanted.float().unsqueeze(2) @ seen.softmax(-1).transpose(-1, -2)).mul(many).clamp(min=_LEAST).log()
                for wanted, seen, many in (
                    (kinds, cells.kinds, self.kinds), (colours, cells.colours, self.colours),
                )
            )  # fmt: skip
            said = said.float().unsqueeze(2)
            thing = functional.logsigmoid(there).add(math.log(2)).clamp(min=_NOTHING).unsqueeze(-2)
            trust = self.trust
            return trust[0] * thing + trust[1] * said[..., :1] * kind + trust[2] * said[..., 1:] * colour
