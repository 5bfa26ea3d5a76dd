"""How well a model does on batches it was not trained with: losses, errors of its actions in physical units, accuracy.

    Batches (held out) -> losses, act -> sums over real action steps and processes -> figures by name

Loss terms are means weighted by each batch's real action steps. Random numbers are the same at every validation, and
training's are not touched. Called by `trainer.py`; of a checkpoint alone by whoever compares models.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from volition.model.inputs import to
from volition.train.contracts import Batches, Physical
from volition.train.distributed import Processes
from volition.train.errors import TrainError
from volition.train.precision import autocast
from volition.train.seeds import generator

_VALIDATION = 0x56414C  # keeps its random numbers apart from those of training


def validate(
    model: Any,
    data: Batches,
    processes: Processes,
    *,
    physical: Physical | None = None,
    batches: int | None = None,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
) -> dict[str, float]:
    """`loss`, `loss/<term>`, and with `physical`: `error/<dimension> [unit]`, the mean absolute error, and for ids
    `accuracy/<dimension>`, the share that is right. `batches` is how many to use at most."""
    sums: dict[str, float] = {}
    with evaluating(model), torch.no_grad(), autocast(dtype, processes.device):
        for place, (inputs, targets) in enumerate(islice(data.epoch(0, share=processes.share), batches)):
            inputs, targets = to(inputs, processes.device), to(targets, processes.device)
            rng = generator(processes.device, _VALIDATION, seed, place, processes.rank)
            real = targets.real
            found = {f"loss/{name}": term.item() * int(real.sum()) for name, term in
                     model.losses(inputs, targets, rng=rng).items()}  # fmt: skip
            found["loss"] = sum(found.values())
            if physical is not None:
                found |= _errors(physical, model.act(inputs, rng=rng), targets.actions, real)
            for name, value in {**found, "steps": float(real.sum())}.items():
                sums[name] = sums.get(name, 0.0) + value
    if not sums:
        raise TrainError("The held-out data gave no batches; hold out more episodes or use smaller batches.")
    names = sorted(sums)
    everywhere = dict(zip(names, processes.total([sums[name] for name in names]), strict=True))
    steps = everywhere.pop("steps")
    if steps == 0:
        raise TrainError("The held-out data has no real action steps: every target is padding.")
    return {name: value / steps for name, value in everywhere.items()}


def _errors(physical: Physical, made: Tensor, wanted: Tensor, real: Tensor) -> dict[str, float]:
    """Sums over the real steps, by dimension."""
    if made.shape != wanted.shape or wanted.shape[-1] != len(physical.names):
        raise TrainError(
            f"The model gave actions {tuple(made.shape)} for targets {tuple(wanted.shape)} with the dimensions "
            f"{', '.join(physical.names)}; all three must agree."
        )
    made, wanted = (physical.convert(one.double().cpu())[real.cpu()] for one in (made, wanted))  # (n, A)
    found: dict[str, float] = {}
    for place, (name, unit) in enumerate(zip(physical.names, physical.units, strict=True)):
        a, b = made[:, place], wanted[:, place]
        if name in physical.discrete:
            found[f"accuracy/{name}"] = (a.round() == b.round()).double().sum().item()
        else:
            found[f"error/{name} [{unit}]"] = (a - b).abs().sum().item()
    return found


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, then every module as it was: a frozen part may be kept in evaluation mode during training."""
    before = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in before.items():
            module.training = training
