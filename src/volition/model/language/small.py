"""A small transformer over BPE tokens, trained here with the policy: what language costs when nothing is pretrained.

sentences --train_bpe (bpe.py)--> SmallConfig.tokenizer; then text -> ids -> embeddings + places -> blocks -> tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from volition.errors import ContractError
from volition.model.attention import Block
from volition.model.language.bpe import PAD
from volition.model.language.encoder import Hidden, LanguageEncoder, Reading, tokenizer_of


@dataclass(frozen=True, kw_only=True)
class SmallConfig(Reading):
    """The default is for one core; `clip-classifier` takes 512 wide, 6 layers, 8 heads."""

    family: Literal["small"] = "small"
    width: int = 128
    layers: int = 2
    heads: int = 4
    dropout: float = 0.1
    frozen: bool = False  # True for one whose trained weights are loaded afterwards

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.width, self.layers, self.heads) < 1 or not 0 <= self.dropout < 1:
            raise ContractError(
                f"A small encoder {self.width} wide with {self.layers} layers, {self.heads} heads and dropout "
                f"{self.dropout} cannot be built; give at least one of each, and dropout below 1."
            )


class SmallTransformer(nn.Module):
    """Ids (B, L) to tokens (B, L, W). Called as transformers' models are."""

    def __init__(self, config: SmallConfig, vocabulary: int) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, config.width, padding_idx=PAD)
        self.places = nn.Parameter(torch.randn(config.longest, config.width) * 0.02)
        nn.init.normal_(self.words.weight, std=0.02)  # as GPT-2; the standard deviation of 1 drowns the places
        self.drop = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, dropout=config.dropout) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Hidden:
        x = self.drop(self.words(input_ids) + self.places[: input_ids.shape[1]])  # (B, L, W)
        for block in self.blocks:
            x = block(x, mask=attention_mask.bool())
        return Hidden(self.norm(x))


def small(config: SmallConfig) -> LanguageEncoder[SmallConfig]:
    """The encoder a config describes, with random weights."""
    tokenizer = tokenizer_of(config.tokenizer)
    encoder = SmallTransformer(config, tokenizer.get_vocab_size()).requires_grad_(not config.frozen)
    return LanguageEncoder(encoder, tokenizer, config, width=config.width, pad=PAD)
