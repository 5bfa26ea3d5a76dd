"""What hands go by: where the thing and the place are, in metres from each camera's carrier, the words and the robot's state.

    away (B, G, V, 3), there (B, G), told, state --fine and coarse distances--> MLP --> (B, width)

No picture comes in here. So what hands do can be learned from numbers alone, with the truth in place of what eyes find
(`Felt` in inputs.py): thousands of frames for the time that one picture takes, and nothing to know a scene again by.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

ROLES = 2  # the thing and the place; what the words tell them by is nothing to hands
_FINE = 0.03  # m: the last centimetres count most
_COARSE = 0.1  # m
_FAR = 8.0
_WAY = 20.0  # it is told to walk a metre, to turn by 1.6 rad


class Hands(nn.Module):
    def __init__(
        self,
        *,
        cameras: int,
        told: int,
        words: int,
        state: int,
        felt: int,
        width: int,
        hidden: Sequence[int],
        course: int = 0,
    ) -> None:
        """`told` and `state` as they come in, `words` and `felt` what becomes of them; `course`: numbers of how things went."""
        super().__init__()
        self.words = nn.Sequential(nn.Linear(told, words), nn.LayerNorm(words))
        self.state = nn.Sequential(nn.Linear(state, felt), nn.LayerNorm(felt))
        numbers = ROLES * (7 * cameras + 1) + words + felt + 2 * course
        layers: list[nn.Module] = []
        for size in hidden:
            layers += [nn.Linear(numbers, size), nn.GELU()]
            numbers = size
        self.layers = nn.Sequential(*layers, nn.Linear(numbers, width))

    def forward(self, away: Tensor, there: Tensor, told: Tensor, state: Tensor, course: Tensor | None = None) -> Tensor:
        """`told` (B, .) of the words; `away` in metres; `there` 0 to 1: how sure it is that there is such a thing at all. State (B, M, D)."""
        away, there = away[:, :ROLES], there[:, :ROLES]
        far = away.norm(dim=-1, keepdim=True)
        parts = [(away / _COARSE).clamp(-_FAR, _FAR), torch.tanh(away / _FINE), far / _COARSE]
        found = torch.cat(parts, dim=-1).flatten(2) * there.unsqueeze(-1)  # (B, ROLES, V * 7)
        known = torch.cat([found, there.unsqueeze(-1)], dim=-1).flatten(1)
        words, felt = self.words(told), self.state(state.flatten(1))
        went = () if course is None else ((course / _COARSE).clamp(-_WAY, _WAY), torch.tanh(course / _FINE))
        parts = [known.to(words.dtype), words, felt, *(one.to(words.dtype) for one in went)]
        return self.layers(torch.cat(parts, dim=-1))
