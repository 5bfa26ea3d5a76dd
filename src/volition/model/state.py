"""What the robot feels of itself, and what it did before, as tokens beside those of pictures and words.

    state (B, T, S), seen --MLP a step, a place for each--> T tokens ┐
    done  (B, H, A), done_mask --the same, its own weights--> H tokens ┴--> (B, T + H, width)

Steps before the episode began, and actions not yet taken, are exactly zero whatever stands in their slots.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from volition.errors import ContractError
from volition.model.inputs import Inputs


@dataclass(frozen=True, kw_only=True)
class StateConfig:
    state: int  # S
    history: int = 1  # T
    actions: int = 0  # A of the actions done before; 0: they are not looked at
    done: int = 0  # H, how many of them
    width: int = 128
    hidden: int = 128
    # How often in training a sample feels nothing, so that it learns to look. By torch's own generator, as every dropout.
    dropout_state: float = 0.0

    def __post_init__(self) -> None:
        if min(self.state, self.history, self.width, self.hidden) < 1:
            raise ContractError(
                f"A state encoder for {self.state} numbers, {self.history} steps, {self.width} wide with {self.hidden} "
                "hidden cannot be built; all must be at least 1."
            )
        if (self.actions > 0) != (self.done > 0) or min(self.actions, self.done) < 0:
            raise ContractError(
                f"actions={self.actions} and done={self.done}: give both (how wide an action is, and how many are "
                "remembered), or neither."
            )
        if not 0 <= self.dropout_state < 1:
            raise ContractError(f"dropout_state is {self.dropout_state}; it is a share, at least 0 and below 1.")


class StateEncoder(nn.Module):
    """Inputs to (B, history + done, width)."""

    def __init__(self, config: StateConfig) -> None:
        super().__init__()
        self.config = config
        self.width = config.width
        self.tokens = config.history + config.done  # M
        self.felt = Steps(config.state, config.history, config)
        self.acted = Steps(config.actions, config.done, config) if config.done else None

    def forward(self, inputs: Inputs) -> Tensor:
        tokens = self.felt("state", inputs.state, inputs.seen)  # (B, T, width)
        if self.acted is not None:
            if inputs.done is None or inputs.done_mask is None:
                raise ContractError(
                    f"This state encoder looks at the last {self.config.done} actions and was given none; fill "
                    "Inputs.done and done_mask, or build it with actions=0, done=0."
                )
            # Both are dropped together: what was done tells what is felt.
            tokens = torch.cat([tokens, self.acted("done", inputs.done, inputs.done_mask)], dim=1)
        if self.training and self.config.dropout_state:
            felt = torch.rand(tokens.shape[0], 1, 1, device=tokens.device) >= self.config.dropout_state
            tokens = tokens * felt  # not made larger where it stays: it is all or nothing, not a noise
        return tokens


class Steps(nn.Module):
    """One row of numbers a step to one token a step; zero where a step is not real."""

    def __init__(self, numbers: int, steps: int, config: StateConfig) -> None:
        super().__init__()
        self.numbers = numbers
        self.layers = nn.Sequential(
            nn.Linear(numbers, config.hidden), nn.GELU(), nn.Linear(config.hidden, config.width)
        )
        self.places = nn.Parameter(torch.randn(steps, config.width) * 0.02)

    def forward(self, name: str, values: Tensor, real: Tensor) -> Tensor:
        wanted = (values.shape[0], self.places.shape[0], self.numbers)
        if values.shape != wanted or real.shape != wanted[:2]:
            raise ContractError(
                f"{name} is {tuple(values.shape)} with a mask {tuple(real.shape)}; this state encoder was built for "
                f"{wanted} and {wanted[:2]}."
            )
        absent = ~real.unsqueeze(-1)
        # Before too: nothing is said of what stands in a slot that is not real, and NaN times zero is NaN.
        return (self.layers(values.masked_fill(absent, 0)) + self.places).masked_fill(absent, 0)
