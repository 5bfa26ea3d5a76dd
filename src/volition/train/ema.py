"""The exponential moving average of the trained weights: what is validated, evaluated and deployed. For `trainer.py`.

    average <- d * average + (1 - d) * weight,   d = min(decay, (1 + n) / (10 + n)) at the n-th update

The rising decay is what TensorFlow's ExponentialMovingAverage does with `num_updates`: it forgets the start sooner.
Buffers are not averaged. A parameter that is frozen is its own average and costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from volition.train.optimiser import trainable


class Ema:
    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self._weights: dict[str, Tensor] = {name: one.detach() for name, one in trainable(model).items()}
        self.averages = {name: one.clone() for name, one in self._weights.items()}

    def update(self) -> None:
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        with torch.no_grad():
            # one call for all, as torch's optimisers do: on a GPU a thousand small ones would cost milliseconds
            averages, weights = list(self.averages.values()), list(self._weights.values())
            torch._foreach_lerp_(averages, weights, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """The model has the averages inside, its own weights again afterwards. No copy of all at once is made."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, average in self.averages.items():
            kept = average.clone()
            average.copy_(self._weights[name])
            self._weights[name].copy_(kept)
