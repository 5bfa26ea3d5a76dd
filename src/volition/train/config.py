"""Every choice of a training run that is not the model's or the data's; checked when it is built. For `trainer.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from volition.train.errors import TrainError


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A step is one change of the weights, from `accumulate` batches. Intervals are in steps; 0 is never."""

    steps: int = 10_000
    minutes: float | None = None  # instead of steps: time spent on steps, over all resumed runs; not bit-exact
    clock: Literal["wall", "processor"] = (
        "wall"  # of `minutes`: processor time of all threads is fair on a busy machine
    )
    learning_rate: float | None = None  # at its highest; None: the recipe's own, or 3e-4
    warmup_steps: int = 200
    floor: float = 0.1  # of the learning rate, where the cosine ends
    weight_decay: float = 0.01
    rates: Mapping[str, float] = field(default_factory=dict)  # part of the model -> multiplier of the learning rate
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0  # norm of the gradient; 0 is off
    ema: float = 0.999  # of the averaged weights; 0 is off
    accumulate: int = 1
    precision: Literal["auto", "float32", "bf16"] = "auto"
    compile: bool = False
    threads: int = 0  # of torch; 0 leaves them
    seed: int = 0
    channels_last: bool = False
    gradient_checkpointing: bool = False
    parallel: Literal["ddp", "fsdp"] = "ddp"  # where torchrun starts several processes
    device: str = "auto"
    log_every: int = 10
    save_every: int = 1000
    validate_every: int = 1000
    validation_batches: int = 50  # at most
    evaluate_every: int = 0
    keep: int = 2  # states to go on from
    patience: int = 10  # steps in a row that may be not finite

    def __post_init__(self) -> None:
        for name, least, most in (
            ("steps", 1, 1 << 40), ("warmup_steps", 0, 1 << 40), ("accumulate", 1, 65536), ("threads", 0, 4096),
            ("seed", 0, (1 << 63) - 1), ("log_every", 1, 1 << 40), ("save_every", 0, 1 << 40),
            ("validate_every", 0, 1 << 40), ("validation_batches", 1, 1 << 40), ("evaluate_every", 0, 1 << 40),
            ("keep", 1, 1000), ("patience", 1, 1_000_000),
        ):  # fmt: skip
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise TrainError(f"TrainConfig.{name} is {value!r}; it must be a whole number from {least} to {most}.")
        for name, least, most in (
            ("rate", 1e-12, 1e3), ("floor", 0.0, 1.0), ("weight_decay", 0.0, 1e3),
            ("clip", 0.0, 1e9), ("ema", 0.0, 0.9999999),
        ):  # fmt: skip
            self._number("learning_rate" if name == "rate" else name, getattr(self, name), least, most)
        if self.minutes is not None:
            self._number("minutes", self.minutes, 1e-6, 1e9)
        for place, beta in enumerate(self.betas):
            self._number(f"betas[{place}]", beta, 0.0, 0.9999999)
        for prefix, multiplier in self.rates.items():
            self._number(f"rates[{prefix!r}]", multiplier, 1e-9, 1e6)  # 0 is what freezing is for (adapt.py)
        for name, allowed in (
            ("precision", ("auto", "float32", "bf16")),
            ("parallel", ("ddp", "fsdp")),
            ("clock", ("wall", "processor")),
        ):
            if getattr(self, name) not in allowed:
                raise TrainError(f"TrainConfig.{name} is {getattr(self, name)!r}; it must be {' or '.join(allowed)}.")
        if self.minutes is None and self.warmup_steps >= self.steps > 1:
            raise TrainError(
                f"TrainConfig.warmup_steps is {self.warmup_steps} of {self.steps} steps; leave some to train at full rate."
            )

    @property
    def rate(self) -> float:
        return 3e-4 if self.learning_rate is None else self.learning_rate

    @staticmethod
    def _number(name: str, value: float, least: float, most: float) -> None:
        if not isinstance(value, int | float) or not least <= value <= most:  # a comparison with NaN is False
            raise TrainError(f"TrainConfig.{name} is {value!r}; it must be a number from {least:g} to {most:g}.")
