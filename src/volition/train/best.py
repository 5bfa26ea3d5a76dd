"""Which weights of a run to keep for deployment: those that succeed most often in closed loop. For `trainer.py`.

    validation, evaluation -> Best.offer -> Export -> out/best/

Success decides; where it is equal, the lower held-out loss; where that is equal or unknown, the later step. A run without
evaluations is judged by held-out loss. The best of many noisy measurements is flattered: report its success on
seeds that chose nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import nn

from volition.train.adapt import plain_weights
from volition.train.errors import TrainError


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What is known of the weights at a step. None: not measured."""

    step: int
    success: float | None = None
    loss: float | None = None  # held out

    def __post_init__(self) -> None:
        if self.success is not None and not math.isfinite(self.success):
            raise TrainError(f"The evaluation at step {self.step} gave success {self.success}; it must be a number.")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def beats(self, other: Candidate | None) -> bool:
        if other is None:
            return self.success is not None or self.loss is not None
        return self._key() >= other._key()

    def _key(self) -> tuple[float, float, int]:
        unknown = self.loss is None or math.isnan(self.loss)
        return (
            -math.inf if self.success is None else self.success,
            -math.inf if unknown else -(self.loss or 0.0),
            self.step,
        )


def success_of(figures: Mapping[str, float], step: int) -> float:
    if "success" not in figures:
        raise TrainError(f"The evaluation at step {step} gave {', '.join(figures) or 'nothing'}; it must give success.")
    return float(figures["success"])


def write_weights(folder: Path, model: nn.Module, known: Mapping[str, Any]) -> None:
    """The Export for those who have none: the weights alone, low-rank adapters merged."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in plain_weights(model).items()}
    save_file(tensors, folder / "model.safetensors", metadata={name: str(value) for name, value in known.items()})
