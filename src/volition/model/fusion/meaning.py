"""What a sentence says of each thing it speaks of, read from its words one by one.

    words.tokens (B, L, W) --transformer--> how much each word tells of each spot --> those words (B, S, looks * .) --> (B, S, numbers)

In "put the green one in the red bowl" each spot has words of its own, and what "red" is, a frozen encoder tells by itself:
only whose word it is must be learned. So what is looked at are the encoder's own vectors, in their whole width. A
narrow summary of a sentence has to learn every colour's way through it, and mixes up whose it was.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from volition.model.attention import Block
from volition.model.inputs import Words

_WIDTH, _HEADS = 64, 4
_LOOKS = 4  # at words, of each spot: its noun, its colour, where it stands, whether it is there at all
_NEVER = -1e4


class Meaning(nn.Module):
    def __init__(self, *, words: int, spots: int, numbers: int) -> None:
        super().__init__()
        self.enter = nn.Linear(words, _WIDTH)
        self.block = Block(_WIDTH, _HEADS)
        self.norm = nn.LayerNorm(_WIDTH)
        self.look = nn.Linear(_WIDTH, spots * _LOOKS)
        self.found = nn.LayerNorm(words + _WIDTH)
        self.say = nn.ModuleList(nn.Linear(_LOOKS * (words + _WIDTH), numbers) for _ in range(spots))

    def forward(self, words: Words) -> Tensor:
        read = self.norm(self.block(self.enter(words.tokens), mask=words.mask))  # (B, L, width)
        looks = self.look(read).float().masked_fill(~words.mask.unsqueeze(-1), _NEVER).softmax(dim=1)
        seen = torch.cat([words.tokens.to(read.dtype), read], dim=-1)
        found = self.found(looks.to(read.dtype).transpose(1, 2) @ seen)  # (B, S * looks, .)
        of_each = found.unflatten(1, (len(self.say), -1)).flatten(2).unbind(1)
        return torch.stack([say(one) for say, one in zip(self.say, of_each, strict=True)], dim=1)
