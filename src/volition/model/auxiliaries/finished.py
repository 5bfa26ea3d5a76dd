"""Finished: whether what was asked is done."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from volition.errors import ContractError
from volition.model.auxiliaries.parts import Sizes, mean_of, mlp, same_shape
from volition.model.inputs import Context, Inputs, Targets, Words


@dataclass(frozen=True, kw_only=True)
class FinishedConfig:
    weight: float = 0.1
    hidden: int = 64

    def __post_init__(self) -> None:
        if self.hidden < 1:
            raise ContractError(f"hidden is {self.hidden}; it must be at least 1.")


class Finished(nn.Module):
    """Whether what was asked is done. The one auxiliary that a policy also uses when it runs."""

    def __init__(self, config: FinishedConfig, *, sizes: Sizes) -> None:
        super().__init__()
        self.config = config
        self.judge = mlp(sizes.context, config.hidden, 1)

    def share(self, context: Context) -> Tensor:
        """(B,) the probability that it is done."""
        return self.judge(context.pooled).squeeze(-1).sigmoid()

    def losses(
        self, tokens: Tensor, words: Words, context: Context, inputs: Inputs, targets: Targets
    ) -> dict[str, Tensor]:
        finished = targets.truth.finished
        if finished is None:
            return {}
        same_shape("finished", finished, (inputs.size,))
        logits = self.judge(context.pooled).squeeze(-1)
        known = finished.isfinite()
        wanted = torch.where(known, finished, 0).to(logits.dtype)
        loss = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        return {"finished": self.config.weight * mean_of(loss, known)}
