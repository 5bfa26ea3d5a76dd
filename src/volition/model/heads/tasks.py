"""A head a task, and a classifier that says which task it is when nobody told. The choice is made for each sample alone.

    Context.pooled --classifier--> task (B,), unless it is given --> the head of that task --> (B, K, A)

The classifier reads the pooled context rather than the words alone: heads know nothing else, every fusion puts the
instruction into it, and a task is sometimes told by what lies on the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from volition.errors import ContractError
from volition.model.heads.chunk import average, between, sizes
from volition.model.heads.named import named
from volition.model.heads.regression import mlp
from volition.model.inputs import Context, Targets, rows
from volition.model.parts import Head


@dataclass(frozen=True, kw_only=True)
class PerTaskConfig:
    hidden: tuple[int, ...] = (256,)  # layers of the classifier
    weight: float = 1.0  # of the classifier's cross-entropy
    dropout: float = 0.0

    def __post_init__(self) -> None:
        sizes("PerTaskConfig.hidden", **{str(layer): size for layer, size in enumerate(self.hidden)})
        between("PerTaskConfig", 0, float("inf"), weight=self.weight)
        between("PerTaskConfig", 0, 1, dropout=self.dropout)


class PerTask(nn.Module):
    """`heads` in the order of the tasks' ids; all give chunks of one size."""

    def __init__(self, config: PerTaskConfig, heads: Mapping[str, nn.Module], *, context: int) -> None:
        super().__init__()
        self.config = config
        self.tasks = tuple(heads)
        self.heads = named("PerTask", heads)
        self.classifier = mlp(context, config.hidden, len(heads), config.dropout)

    def head(self, task: str) -> Head:
        return cast(Head, self.heads[task])

    def classify(self, context: Context) -> Tensor:
        """Logits of the tasks (B, tasks)."""
        return self.classifier(context.pooled)

    def loss(self, context: Context, targets: Targets, *, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        """A sample of an unknown task teaches the head that would act on it, and the classifier nothing."""
        logits = self.classify(context)
        task = self._chosen(logits, targets.task)
        terms: dict[str, Tensor] = {}
        steps = targets.real.sum().clamp(min=1)
        for index, name in enumerate(self.tasks):
            which = (task == index).nonzero().squeeze(-1)
            if len(which):
                some = rows(targets, which)
                share = some.real.sum() / steps  # so that the sum is the mean over the whole batch's real steps
                for term, value in self.head(name).loss(rows(context, which), some, rng=rng).items():
                    terms[term] = terms[term] + share * value if term in terms else share * value
        if targets.task is not None:
            errors = functional.cross_entropy(logits, targets.task.clamp(min=0), reduction="none")
            terms["task"] = self.config.weight * average(errors, targets.task >= 0)
        return terms

    def act(self, context: Context, *, rng: torch.Generator | None = None, task: Tensor | None = None) -> Tensor:
        """`task` (B,) as in Inputs: -1, or None for all, where nobody said."""
        chosen = self._chosen(self.classify(context), task)
        parts: list[tuple[str, Tensor, Tensor]] = []  # task, whose, their chunks
        for index, name in enumerate(self.tasks):
            which = (chosen == index).nonzero().squeeze(-1)
            if len(which):
                parts.append((name, which, self.head(name).act(rows(context, which), rng=rng)))
        if not parts:
            raise ContractError("PerTask was given an empty batch; it needs at least one sample.")
        size = {name: tuple(chunk.shape[1:]) for name, _, chunk in parts}
        if len(set(size.values())) > 1:
            raise ContractError(f"PerTask's heads give chunks of {size}; all must have the same steps and actions.")
        order = torch.cat([which for _, which, _ in parts]).argsort()
        return torch.cat([chunk for _, _, chunk in parts])[order]

    def _chosen(self, logits: Tensor, task: Tensor | None) -> Tensor:
        likeliest = logits.argmax(-1)  # (B,): over tasks, for each sample
        if task is None:
            return likeliest
        if task.shape != likeliest.shape or bool(((task < -1) | (task >= len(self.tasks))).any()):
            raise ContractError(
                f"PerTask was given tasks {task.tolist()} for {len(logits)} samples; each is -1 (unknown) or "
                f"0 to {len(self.tasks) - 1}: {', '.join(self.tasks)}."
            )
        return torch.where(task >= 0, task, likeliest)
