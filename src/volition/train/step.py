"""One change of the weights: losses, gradients, clipping, AdamW. A step that is not finite changes nothing. For `trainer.py`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from volition.model.inputs import to
from volition.train.config import TrainConfig
from volition.train.contracts import Batch
from volition.train.distributed import Losses, Processes
from volition.train.errors import TrainError
from volition.train.optimiser import adamw, set_rate, trainable
from volition.train.precision import autocast, resolve
from volition.train.seeds import generator


@dataclass(frozen=True, kw_only=True)
class Outcome:
    terms: dict[str, float]  # means over the global batch
    norm: float  # of the gradient, before clipping

    @property
    def loss(self) -> float:
        return math.fsum(self.terms.values()) if all(map(math.isfinite, self.terms.values())) else math.nan

    @property
    def finite(self) -> bool:
        return math.isfinite(self.loss) and math.isfinite(self.norm)


class Stepper:
    """Takes the model over: its device, its layout in memory, its split among processes; then its optimiser."""

    def __init__(self, model: nn.Module, config: TrainConfig, processes: Processes) -> None:
        self.model, self.config, self.processes = model, config, processes
        _checkpoint_gradients(model, config.gradient_checkpointing)
        if config.channels_last:
            model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self._losses: Losses = processes.place(model)
        if config.compile:
            self._losses = torch.compile(self._losses)
        self.optimiser = adamw(model, config, fused=processes.parallel != "fsdp")
        self.dtype = resolve(config.precision, processes.device)
        self._parameters = trainable(model)
        # these take statistics from every batch, also from one that is not finite
        self._norms = [one for one in model.modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]
        model.train()

    def __call__(self, step: int, parts: list[Batch], weights: list[float], rate: float) -> Outcome:
        """`weights` are of the parts' losses, as `distributed.shares` gives them."""
        kept = [(buffer, buffer.clone()) for norm in self._norms if norm.training for buffer in norm.buffers()]
        self.optimiser.zero_grad(set_to_none=True)
        terms: dict[str, Tensor] = {}
        for place, (batch, weight) in enumerate(zip(parts, weights, strict=True)):
            for name, term in self._backward(step, place, batch, weight, last=place == len(parts) - 1).items():
                terms[name] = terms[name] + term if name in terms else term
        grads = [one.grad for one in self._parameters.values() if one.grad is not None]
        local = torch.nn.utils.get_total_norm(grads)
        norm = self.processes.whole(local)
        names = sorted(terms)
        # the one place that waits for the device
        here = torch.stack([norm.float(), *(terms[name].float() for name in names)]).tolist()
        sums = self.processes.total([here[0] / self.processes.world, *here[1:]])
        outcome = Outcome(norm=sums[0], terms=dict(zip(names, sums[1:], strict=True)))
        if outcome.finite:
            if self.config.clip:
                torch.nn.utils.clip_grads_with_norm_(self._parameters.values(), self.config.clip, local)
            set_rate(self.optimiser, rate)
            self.optimiser.step()
        else:
            for buffer, before in kept:
                buffer.copy_(before)
        return outcome

    def broken(self) -> list[str]:
        """Parameters whose last gradient is not finite."""
        grads = {name: one.grad for name, one in self._parameters.items() if one.grad is not None}
        return [name for name, grad in grads.items() if not torch.isfinite(self.processes.whole(grad)).all()]

    def _backward(self, step: int, place: int, batch: Batch, weight: float, *, last: bool) -> dict[str, Tensor]:
        processes = self.processes
        inputs, targets = (to(part, processes.device) for part in batch)
        rng = generator(processes.device, self.config.seed, step, processes.rank, place)
        with processes.accumulating(self.model, last=last):
            with autocast(self.dtype, processes.device):
                terms = self._losses(inputs, targets, rng=rng)
            if not terms:
                raise TrainError("The model gave no loss terms; losses() must give at least one.")
            loss: Tensor = torch.stack([term.float() for term in terms.values()]).sum() * weight
            if not loss.requires_grad:
                raise TrainError("No loss depends on a trained parameter; unfreeze what the losses are to change.")
            loss.backward()
        return {name: term.detach() * (weight / processes.world) for name, term in terms.items()}


def _checkpoint_gradients(model: Any, on: bool) -> None:
    hook = getattr(model, "gradient_checkpointing", None)
    if callable(hook):
        hook(on)
    elif on:
        raise TrainError(
            f"{type(model).__name__} has no gradient_checkpointing(on); leave TrainConfig.gradient_checkpointing off."
        )
