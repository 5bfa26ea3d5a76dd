"""ACT: K learned queries read the whole context and become the chunk at once, trained with L1; optionally a CVAE.

    queries (K) --decoder over the context's tokens--> (B, K, A)

The CVAE's encoder sees the answer and says in 32 numbers in which style it was done, so that the decoder need not
average styles; when acting the style is zero, the middle. Source: Zhao et al. 2023, arXiv:2304.13705.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from volition.model.attention import Block
from volition.model.heads.chunk import average, between, cleaned, sizes, transformer
from volition.model.heads.decoder import Decoder, learned
from volition.model.heads.noise import normal
from volition.model.inputs import Context, Targets


@dataclass(frozen=True, kw_only=True)
class ActConfig:
    actions: int
    steps: int
    width: int = 256
    heads: int = 8
    layers: int = 4
    dropout: float = 0.0
    variational: bool = False  # for demonstrations by people; an expert program has one style only
    latent: int = 32
    encoder_layers: int = 2
    kl: float = 10.0  # weight of the KL divergence

    def __post_init__(self) -> None:
        sizes("ActConfig", actions=self.actions, steps=self.steps, latent=self.latent)
        sizes("ActConfig", encoder_layers=self.encoder_layers)
        transformer("ActConfig", self.width, self.heads, self.layers, self.dropout)
        between("ActConfig", 0, float("inf"), kl=self.kl)


class Act(nn.Module):
    def __init__(self, config: ActConfig, *, context: int) -> None:
        super().__init__()
        self.config = config
        self.queries = learned(config.steps, config.width)
        self.decoder = Decoder(config.width, config.heads, config.layers, cross=context, dropout=config.dropout)
        self.outward = nn.Linear(config.width, config.actions)
        self.style = StyleEncoder(config, context=context) if config.variational else None
        self.styled = nn.Linear(config.latent, context) if config.variational else None  # one more token of context

    def loss(self, context: Context, targets: Targets, *, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        wanted, real = cleaned("Act", targets, self.config.steps, self.config.actions)
        if self.style is None:
            return {"l1": average((self._decode(context, None) - wanted).abs(), real)}
        mean, spread = self.style(context, wanted, real)
        latent = mean + spread.mul(0.5).exp() * normal(tuple(mean.shape), mean, rng)
        divergence = 0.5 * (mean.square() + spread.exp() - 1 - spread).sum(-1)  # (B,) from the standard normal
        return {
            "l1": average((self._decode(context, latent) - wanted).abs(), real),
            "kl": self.config.kl * average(divergence, real.any(dim=1)),
        }

    def act(self, context: Context, *, rng: torch.Generator | None = None) -> Tensor:
        style = None if self.styled is None else context.pooled.new_zeros(len(context.pooled), self.config.latent)
        return self._decode(context, style)

    def _decode(self, context: Context, latent: Tensor | None) -> Tensor:
        if latent is not None and self.styled is not None:
            tokens = torch.cat([self.styled(latent).unsqueeze(1), context.tokens], dim=1)
            mask = torch.cat([torch.ones_like(context.mask[:, :1]), context.mask], dim=1)
            context = Context(tokens=tokens, mask=mask, pooled=context.pooled)
        queries = self.queries.expand(len(context.tokens), -1, -1)  # (B, K, width)
        return self.outward(self.decoder(queries, context))


class StyleEncoder(nn.Module):
    """[CLS], the pooled context and the answer's real steps, to mean and log-variance of the style (B, latent)."""

    def __init__(self, config: ActConfig, *, context: int) -> None:
        super().__init__()
        self.first = learned(1, config.width)
        self.places = learned(config.steps, config.width)
        self.seen = nn.Linear(context, config.width)
        self.done = nn.Linear(config.actions, config.width)
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, dropout=config.dropout) for _ in range(config.encoder_layers)
        )
        self.norm = nn.LayerNorm(config.width)
        self.outward = nn.Linear(config.width, 2 * config.latent)

    def forward(self, context: Context, actions: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        first = self.first.expand(len(actions), 1, -1)
        x = torch.cat([first, self.seen(context.pooled).unsqueeze(1), self.done(actions) + self.places], dim=1)
        mask = torch.cat([torch.ones_like(real[:, :1]).expand(-1, 2), real], dim=1)  # (B, 2 + K)
        for block in self.blocks:
            x = block(x, mask=mask)
        mean, spread = self.outward(self.norm(x[:, 0])).chunk(2, dim=-1)
        return mean, spread
