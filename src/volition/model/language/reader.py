"""A small trained reader on top of a language encoder: which words matter, and to what, is learned with the policy.

    Words (tokens, pooled), ids --transformer--> a few questions look at the words
        --> what the encoder pooled, and beside it what was found

What a frozen encoder pools says what a sentence is about; "next to the red one" and "the red one" are alike in it. What
it makes of a word depends on all others: "left" is another vector in each sentence. So each word is also looked up by
itself (`lexicon`): what one means is then the same in sentences that nobody has said before. Words that training never
had add nothing, and are read by what the encoder makes of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from volition.errors import ContractError
from volition.model.attention import Attention, Block
from volition.model.inputs import Words


@dataclass(frozen=True, kw_only=True)
class ReaderConfig:
    """`questions` are learned; each looks at all words and adds `width` numbers to what was pooled. `lexicon`: rows of
    the table in which words are looked up, each by its id's rest; 0: none."""

    width: int = 64
    heads: int = 4
    layers: int = 1
    questions: int = 4
    lexicon: int = 4096

    def __post_init__(self) -> None:
        if min(self.width, self.heads, self.questions) < 1 or min(self.layers, self.lexicon) < 0:
            raise ContractError(
                f"{self} cannot be built; width, heads and questions are at least 1, layers and lexicon at least 0."
            )


class Reader(nn.Module):
    """`words` is the width of what the language encoder gives, and of tokens, which stay; `width` that of what is pooled."""

    def __init__(self, config: ReaderConfig, *, words: int) -> None:
        super().__init__()
        self.config, self.words, self.width = config, words, words + config.questions * config.width
        self.enter = nn.Linear(words, config.width)
        self.lexicon = nn.Embedding(config.lexicon, config.width) if config.lexicon else None
        if self.lexicon is not None:
            nn.init.zeros_(self.lexicon.weight)
        self.blocks = nn.ModuleList(Block(config.width, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.questions = nn.Parameter(torch.randn(config.questions, config.width) * config.width**-0.5)
        self.look = Attention(config.width, config.heads, context=config.width)
        self.found = nn.LayerNorm(config.width)

    def forward(self, words: Words, ids: Tensor) -> Words:
        """`ids` (B, L): of the encoder's own tokens."""
        read = self.enter(words.tokens)
        if self.lexicon is not None:
            read = read + self.lexicon(ids % self.config.lexicon)
        for block in self.blocks:
            read = block(read, mask=words.mask)
        read = self.norm(read)
        asked = self.questions.expand(read.shape[0], -1, -1)
        found: Tensor = self.found(self.look(asked, read, mask=words.mask))  # (B, Q, width)
        return Words(tokens=words.tokens, mask=words.mask, pooled=torch.cat([words.pooled, found.flatten(1)], dim=-1))
