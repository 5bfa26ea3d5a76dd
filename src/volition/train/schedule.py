"""The learning rate over a run: a straight warm-up, then half a cosine down to a floor. For `trainer.py`."""

from __future__ import annotations

import math

from volition.train.config import TrainConfig


def progress(config: TrainConfig, step: int, seconds: float) -> float:
    """How much of the run is behind, 0 to 1, before `step` (from 0), after `seconds` spent on steps."""
    if config.minutes is not None:
        return min(1.0, seconds / (60 * config.minutes))
    return min(1.0, step / config.steps)


def learning_rate(config: TrainConfig, step: int, seconds: float) -> float:
    """The learning rate of `step` (from 0). The warm-up counts steps even where the run is bounded by time."""
    rise = min(1.0, (step + 1) / (config.warmup_steps + 1))
    if config.minutes is not None:
        along = progress(config, step, seconds)
    else:
        along = max(0.0, min(1.0, (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)))
    fall = config.floor + (1 - config.floor) * 0.5 * (1 + math.cos(math.pi * along))
    return config.rate * rise * fall
