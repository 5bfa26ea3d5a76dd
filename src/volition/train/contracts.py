"""What the trainer asks of a model, of data and of those who look on: all that `train/` knows of them.

Batches -> Trainable.losses -> trainer -> Evaluate, Export
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from volition.data.share import WHOLE, Share
from volition.model.inputs import Inputs, Targets

Batch = tuple[Inputs, Targets]


class Trainable(Protocol):
    """A torch module. `losses` are weighted terms, each a mean over the batch's real entries; their sum is minimised.

    Optional: `gradient_checkpointing(on)`, and `shards() -> modules` that FSDP may keep in parts (each is called, not
    only its methods).
    """

    def losses(self, inputs: Inputs, targets: Targets, *, rng: torch.Generator | None) -> dict[str, Tensor]: ...

    def act(self, inputs: Inputs, *, rng: torch.Generator | None) -> Tensor: ...  # (B, K, A)


class Batches(Protocol):
    """Epochs of batches. An epoch is the same whenever it is asked for; `skip` batches of it are left out unmade, and of
    the others the rows that are not in the `share`."""

    def epoch(self, number: int, *, skip: int = 0, share: Share = WHOLE) -> Iterator[Batch]: ...

    def __len__(self) -> int: ...  # batches an epoch


@dataclass(frozen=True, kw_only=True)
class Physical:
    """How actions in the model's scale become physical ones: a name and a unit for each dimension."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    convert: Callable[[Tensor], Tensor]  # (..., A) -> (..., A), on the CPU, float64
    discrete: tuple[str, ...] = ()  # dimensions that hold ids: judged by accuracy


# The step and the model as it would be deployed (averaged weights, evaluation mode) -> figures, "success" among them.
Evaluate = Callable[[int, nn.Module], dict[str, float]]
# Writes a checkpoint of the model into a folder that exists and is empty; the last argument says what is known of it.
Export = Callable[[Path, nn.Module, dict[str, Any]], None]
