"""Flow matching: a chunk flows from noise to an action along straight lines whose direction is learned.

    training: a point on the line from noise (time 0) to the action (time 1) --Denoiser--> action - noise
    acting:   noise --10 steps of Euler along what the Denoiser says--> (B, K, A)
              with a Guide: each step leads to where the Denoiser says, led by what will be done anyway

Sources: Liu et al. 2022, arXiv:2209.03003; the times from a beta distribution: Black et al. 2024 (pi0), arXiv:2410.24164.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from volition.errors import ContractError
from volition.model.heads.chunk import average, cleaned, sizes, transformer
from volition.model.heads.denoiser import Denoiser
from volition.model.heads.guide import Guide, learnable
from volition.model.heads.noise import normal, uniform
from volition.model.inputs import Context, Targets


@dataclass(frozen=True, kw_only=True)
class FlowConfig:
    actions: int
    steps: int
    width: int = 256
    heads: int = 8
    layers: int = 4
    dropout: float = 0.0
    times: Literal["uniform", "beta"] = "beta"  # beta: more often near the noise, where the way is decided
    rounds: int = 10  # of Euler, when acting

    def __post_init__(self) -> None:
        sizes("FlowConfig", actions=self.actions, steps=self.steps, rounds=self.rounds)
        transformer("FlowConfig", self.width, self.heads, self.layers, self.dropout)
        if self.times not in ("uniform", "beta"):
            raise ContractError(f"FlowConfig.times is {self.times!r}; it must be 'uniform' or 'beta'.")


class Flow(nn.Module):
    continues = True  # takes a Guide

    def __init__(self, config: FlowConfig, *, context: int) -> None:
        super().__init__()
        self.config = config
        self.denoiser = Denoiser(
            config.actions,
            config.steps,
            width=config.width,
            heads=config.heads,
            layers=config.layers,
            dropout=config.dropout,
            context=context,
        )

    def loss(self, context: Context, targets: Targets, *, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        wanted, real = cleaned("Flow", targets, self.config.steps, self.config.actions)
        noise = normal(tuple(wanted.shape), wanted, rng)
        time = uniform((len(wanted),), wanted, rng)
        if self.config.times == "beta":
            time = 0.999 * (1 - time ** (2 / 3))  # Beta(1.5, 1) by the inverse of its distribution, u ** (1 / 1.5)
        along = time[:, None, None]
        guess = self.denoiser((1 - along) * noise + along * wanted, time, context, real)
        return {"flow": average((guess - (wanted - noise)).square(), real)}

    @torch.no_grad()
    def act(self, context: Context, *, rng: torch.Generator | None = None, guide: Guide | None = None) -> Tensor:
        size, rounds = len(context.tokens), self.config.rounds
        chunk = normal((size, self.config.steps, self.config.actions), context.tokens, rng)
        context = context if guide is None else learnable(context)
        for index in range(rounds):
            time = chunk.new_full((size,), index / rounds)
            if guide is None:
                way = self.denoiser(chunk, time, context)
            else:
                way = self._led(chunk, time, context, guide, index / rounds)
            chunk = chunk + way / rounds
        return chunk if guide is None else guide.held(chunk)

    def _led(self, chunk: Tensor, time: Tensor, context: Context, guide: Guide, done: float) -> Tensor:
        """The way to where the chunk would end, led by the guide."""
        left = 1 - done

        def guess(at: Tensor) -> Tensor:
            return at + left * self.denoiser(at, time, context)

        return (guide.led(guess, chunk, done) - chunk) / left
