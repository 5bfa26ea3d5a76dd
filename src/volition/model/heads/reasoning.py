"""First says in words what it will do (which object, where, next step), takes that into its context, then acts.

    Context --text decoder--> words and their hidden states --appended to the context--> any inner head --> (B, K, A)

In training the words are the teacher's and read shifted by one; when acting they are its own, each sample up to its
own end. The hidden states that the inner head gets come from the same pass over `begin` and the words in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from volition.errors import ContractError
from volition.model.heads.chunk import average, between, sizes, transformer
from volition.model.heads.decoder import Decoder, learned
from volition.model.inputs import Context, Sentences, Targets


@dataclass(frozen=True, kw_only=True)
class ReasoningConfig:
    vocabulary: int
    begin: int  # ids of the tokenizer's tokens that begin and end a text, and of its padding
    end: int
    pad: int = 0
    longest: int = 32  # tokens, begin and end not counted
    width: int = 256
    heads: int = 8
    layers: int = 2
    dropout: float = 0.0
    weight: float = 1.0  # of the text's cross-entropy

    def __post_init__(self) -> None:
        sizes("ReasoningConfig", vocabulary=self.vocabulary, longest=self.longest)
        between("ReasoningConfig", 0, self.vocabulary, begin=self.begin, end=self.end, pad=self.pad)
        transformer("ReasoningConfig", self.width, self.heads, self.layers, self.dropout)
        between("ReasoningConfig", 0, float("inf"), weight=self.weight)


class Reasoning(nn.Module):
    """`head` is any head built for the same context. What it takes besides (task, robot) is passed on to it."""

    head: Any

    def __init__(self, config: ReasoningConfig, head: nn.Module, *, context: int) -> None:
        super().__init__()
        self.config = config
        self.head = head
        # Neither is a word; but one token may be all three, as GPT-2 has it, and the end must be sayable.
        self.silent = sorted({config.begin, config.pad} - {config.end})
        self.words = nn.Embedding(config.vocabulary, config.width)
        self.places = learned(config.longest + 1, config.width)
        self.decoder = Decoder(config.width, config.heads, config.layers, cross=context, dropout=config.dropout)
        self.outward = nn.Linear(config.width, config.vocabulary)
        self.said = nn.Linear(config.width, context)
        self.gist = nn.Linear(config.width, context)  # for heads that read the pooled context only

    def loss(
        self, context: Context, targets: Targets, *, rng: torch.Generator | None = None, **choice: Any
    ) -> dict[str, Tensor]:
        """A sample whose reasoning has no words is not taught to say nothing; its actions are learned all the same."""
        if targets.reasoning is None:
            raise ContractError(
                "Reasoning learns from targets.reasoning and was given None; choose a data set with reasoning, "
                "or give Sentences whose mask is False where there is none."
            )
        ids, mask = self._framed(targets.reasoning)
        hidden = self._read(context, ids)  # (B, 1 + longest, width)
        answer = functional.pad(ids, (0, 1), value=self.config.end)  # the words, and the end behind the last of them
        answer = answer.masked_fill(~functional.pad(mask, (0, 1)), self.config.end)
        taught = _with_begin(mask) & mask.any(dim=1, keepdim=True)
        errors = functional.cross_entropy(self.outward(hidden).transpose(1, 2), answer, reduction="none")
        extended = self._extended(context, hidden, mask)
        terms = self.head.loss(extended, targets, rng=rng, **choice)
        return {"reasoning": self.config.weight * average(errors, taught), **terms}

    def act(self, context: Context, *, rng: torch.Generator | None = None, **choice: Any) -> Tensor:
        ids, mask = self.write(context)
        return self.head.act(self._extended(context, self._read(context, ids), mask), rng=rng, **choice)

    @torch.no_grad()
    def write(self, context: Context) -> tuple[Tensor, Tensor]:
        """The likeliest words: ids (B, longest) and which are words, not what follows the end (`pad`)."""
        size = len(context.tokens)
        read = self.decoder.reader(context)
        shape = (size, self.config.longest)
        ids = torch.full(shape, self.config.pad, dtype=torch.long, device=context.tokens.device)
        mask = torch.zeros(shape, dtype=torch.bool, device=context.tokens.device)
        goes_on = torch.ones(size, dtype=torch.bool, device=context.tokens.device)
        word = torch.full((size,), self.config.begin, device=context.tokens.device)
        for place in range(self.config.longest):
            logits = self.outward(read(self.words(word) + self.places[place]))
            logits[:, self.silent] = float("-inf")
            word = logits.argmax(-1)
            goes_on = goes_on & (word != self.config.end)
            if not bool(goes_on.any()):
                break
            ids[:, place] = torch.where(goes_on, word, self.config.pad)
            mask[:, place] = goes_on
        return ids, mask

    def _framed(self, text: Sentences) -> tuple[Tensor, Tensor]:
        """The words alone, at the left of (B, longest): without what a tokenizer put around them and its padding."""
        special = (text.ids == self.config.begin) | (text.ids == self.config.end) | (text.ids == self.config.pad)
        mask = text.mask & ~special
        longest = int(mask.sum(1).max())
        if longest > self.config.longest:
            raise ContractError(
                f"A reasoning is {longest} tokens long; ReasoningConfig.longest is {self.config.longest}. Raise it."
            )
        order = mask.long().argsort(dim=1, descending=True, stable=True)
        ids, mask = text.ids.gather(1, order), mask.gather(1, order)
        spare = self.config.longest - ids.shape[1]  # negative: only padding is cut off
        mask = functional.pad(mask, (0, spare))
        return functional.pad(ids, (0, spare)).masked_fill(~mask, self.config.pad), mask

    def _read(self, context: Context, ids: Tensor) -> Tensor:
        """Hidden states after `begin` and after each word, (B, 1 + longest, width)."""
        read = functional.pad(ids, (1, 0), value=self.config.begin)
        return self.decoder(self.words(read) + self.places, context, causal=True)

    def _extended(self, context: Context, hidden: Tensor, mask: Tensor) -> Context:
        """The context with what was said: a token for `begin` and each word, and their mean in the pooled context."""
        said = _with_begin(mask)  # (B, 1 + longest)
        weight = said.unsqueeze(-1).to(hidden)
        gist = (hidden * weight).sum(1) / weight.sum(1)
        return Context(
            tokens=torch.cat([context.tokens, self.said(hidden)], dim=1),
            mask=torch.cat([context.mask, said], dim=1),
            pooled=context.pooled + self.gist(gist),
        )


def _with_begin(mask: Tensor) -> Tensor:
    """The mask with one True before it: of `begin` and the words; or, shifted, of the words and the end."""
    return functional.pad(mask, (1, 0), value=True)
