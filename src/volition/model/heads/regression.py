"""The pooled context through an MLP to a chunk of numbers: the head of the fast CPU policy, and the baseline of all.

    Context.pooled (B, D) -> 512 -> 512 ----┐
    Context.direct (B, F), where there is --┴-> (B, K, A)

Regression gives the mean (MSE) or the median (L1) of what was shown; where two ways are equally good, neither. The median
of something that is nearly always 0 is 0: a robot that seldom walks learns to stand. So errors in a speed count the more
the rarer the speed is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from volition.errors import ContractError
from volition.model.heads.chunk import average, between, cleaned, sizes
from volition.model.inputs import Context, Targets

LOSSES = {"mse": functional.mse_loss, "l1": functional.l1_loss, "huber": functional.smooth_l1_loss}
USUAL = 2.0  # standard deviations: a speed up to there is usual


@dataclass(frozen=True, kw_only=True)
class RegressionConfig:
    actions: int
    steps: int
    hidden: tuple[int, ...] = (512, 512)
    loss: Literal["mse", "l1", "huber"] = "mse"  # huber: squared below an error of `beta`, straight above
    beta: float = 1.0
    speeds: tuple[int, ...] = ()  # action dimensions that are speeds
    weights: tuple[float, ...] | None = None  # of each action dimension in the loss; None: all 1
    dropout: float = 0.0
    direct: int = 0  # F

    def __post_init__(self) -> None:
        sizes("RegressionConfig", actions=self.actions, steps=self.steps)
        sizes("RegressionConfig.hidden", **{str(layer): size for layer, size in enumerate(self.hidden)})
        between("RegressionConfig", 0, 1, dropout=self.dropout)
        if self.beta <= 0 or not all(0 <= one < self.actions for one in self.speeds):
            raise ContractError(
                f"RegressionConfig.beta is {self.beta} and .speeds {self.speeds}; the one must be positive, the others numbers "
                f"of actions, 0 to {self.actions - 1}."
            )
        if self.loss not in LOSSES:
            raise ContractError(f"RegressionConfig.loss is {self.loss!r}; it must be one of {', '.join(LOSSES)}.")
        if self.weights is not None:
            if len(self.weights) != self.actions:
                raise ContractError(
                    f"RegressionConfig.weights has {len(self.weights)} numbers; it needs one for each of {self.actions} actions."
                )
            between("RegressionConfig.weights", 0, float("inf"), **{str(i): w for i, w in enumerate(self.weights)})


def mlp(inward: int, hidden: tuple[int, ...], outward: int, dropout: float = 0.0) -> nn.Sequential:
    """Linear layers with GELU between them; without `hidden`, one linear layer."""
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(inward, size), nn.GELU(), nn.Dropout(dropout)]
        inward = size
    return nn.Sequential(*layers, nn.Linear(inward, outward))


class Regression(nn.Module):
    def __init__(self, config: RegressionConfig, *, context: int) -> None:
        super().__init__()
        self.config = config
        self.layers = mlp(context, config.hidden, config.steps * config.actions, config.dropout)
        self.direct = nn.Linear(config.direct, config.steps * config.actions, bias=False) if config.direct else None
        if self.direct is not None:
            nn.init.zeros_(self.direct.weight)
        weights = torch.tensor(config.weights or (1.0,) * config.actions)
        self.register_buffer("weights", weights, persistent=False)

    def loss(self, context: Context, targets: Targets, *, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        wanted, real = cleaned("Regression", targets, self.config.steps, self.config.actions)
        shape = {"beta": self.config.beta} if self.config.loss == "huber" else {}
        errors = LOSSES[self.config.loss](self.act(context), wanted, reduction="none", **shape)
        return {self.config.loss: average(errors * self._weights(wanted), real)}

    def _weights(self, wanted: Tensor) -> Tensor:
        """Of each dimension, and of rare speeds by how rare they are: (B, K, A)."""
        weights = self.get_buffer("weights").expand_as(wanted)
        if not self.config.speeds:
            return weights
        weights, speeds = weights.clone(), list(self.config.speeds)
        weights[..., speeds] *= (wanted[..., speeds].abs() / USUAL).clamp(min=1).square()
        return weights

    def act(self, context: Context, *, rng: torch.Generator | None = None) -> Tensor:
        chunk = self.layers(context.pooled)
        if self.direct is not None:
            if context.direct is None:
                raise ContractError("This head was built for what actions follow directly, and its fusion gives none.")
            with torch.autocast(chunk.device.type, enabled=False):  # a centimetre is a small part of where a hand is
                chunk = chunk.float() + self.direct(context.direct.float())
        return chunk.unflatten(-1, (self.config.steps, self.config.actions))
