"""Action tokens written one after the other, each knowing all before it: openvla-mini's decoder.

    begin, t0, t1, ... t(n-2) --causal decoder over the context's tokens--> logits of t0, t1, ... t(n-1),  n = K * A

The chunk is flattened step by step, dimension by dimension; each dimension has its own words and its own output layer.
What is read is shifted by one against what is predicted, so no logit knows its own answer, in training as in acting.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from volition.model.heads.bins import Bins, BinsConfig
from volition.model.heads.chunk import average, between, cleaned, sizes, transformer
from volition.model.heads.decoder import Decoder, learned
from volition.model.heads.noise import choice
from volition.model.inputs import Context, Targets


@dataclass(frozen=True, kw_only=True)
class AutoregressiveConfig:
    actions: int
    steps: int
    bins: int = 256
    ranges: tuple[tuple[float, float], ...] | None = None  # see BinsConfig
    width: int = 256
    heads: int = 8
    layers: int = 6
    dropout: float = 0.0
    temperature: float = 0.0  # 0: the likeliest token; above: drawn, 1 as the model believes

    def __post_init__(self) -> None:
        sizes("AutoregressiveConfig", steps=self.steps)
        transformer("AutoregressiveConfig", self.width, self.heads, self.layers, self.dropout)
        between("AutoregressiveConfig", 0, float("inf"), temperature=self.temperature)
        self.tokens()

    def tokens(self) -> BinsConfig:
        return BinsConfig(actions=self.actions, bins=self.bins, ranges=self.ranges)


class Autoregressive(nn.Module):
    def __init__(self, config: AutoregressiveConfig, *, context: int) -> None:
        super().__init__()
        self.config = config
        self.bins = Bins(config.tokens())
        self.begin = learned(config.width)
        self.places = learned(config.steps * config.actions, config.width)
        self.words = nn.Embedding(config.actions * config.bins, config.width)
        self.decoder = Decoder(config.width, config.heads, config.layers, cross=context, dropout=config.dropout)
        self.outward = nn.ModuleList(nn.Linear(config.width, config.bins) for _ in range(config.actions))

    def logits(self, context: Context, ids: Tensor) -> Tensor:
        """Of each token, given those before it: ids (B, K, A) -> (B, K, A, bins). Never of a token given itself."""
        first = torch.arange(self.config.actions, device=ids.device) * self.config.bins  # of a dimension's words
        words = self.words(ids + first).flatten(1, 2)  # (B, K * A, width)
        begin = self.begin.expand(len(ids), 1, -1)
        read = torch.cat([begin, words[:, :-1]], dim=1) + self.places
        hidden = self.decoder(read, context, causal=True).unflatten(1, (self.config.steps, self.config.actions))
        return torch.stack([layer(hidden[:, :, index]) for index, layer in enumerate(self.outward)], dim=2)

    def loss(self, context: Context, targets: Targets, *, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        wanted, real = cleaned("Autoregressive", targets, self.config.steps, self.config.actions)
        ids = self.bins.encode(wanted, real)
        errors = functional.cross_entropy(self.logits(context, ids).flatten(0, 2), ids.flatten(), reduction="none")
        return {"tokens": average(errors.view_as(ids), real)}

    @torch.no_grad()
    def write(self, context: Context, *, rng: torch.Generator | None = None) -> Tensor:
        """K * A tokens, always: ids (B, K, A)."""
        read = self.decoder.reader(context)
        word = self.begin.expand(len(context.tokens), -1)  # (B, width)
        written: list[Tensor] = []
        for place in range(self.config.steps * self.config.actions):
            dimension = place % self.config.actions
            logits = self.outward[dimension](read(word + self.places[place]))
            written.append(choice(logits, self.config.temperature, rng))
            word = self.words(written[-1] + dimension * self.config.bins)
        return torch.stack(written, dim=1).unflatten(1, (self.config.steps, self.config.actions))

    def act(self, context: Context, *, rng: torch.Generator | None = None) -> Tensor:
        return self.bins.decode(self.write(context, rng=rng))
