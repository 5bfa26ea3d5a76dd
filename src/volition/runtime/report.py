"""What the loop tells: a Tick for every control tick (to recorders, videos, viewers), a RunSummary for every run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from volition.types import ActionPoint, Command, Intervention, RobotState

# done, failed: the policy says so. reached: `until` is true. time: the limit. stopped: e-stop or Ctrl-C. error: it raised.
Status = Literal["done", "failed", "reached", "time", "stopped", "error"]


@dataclass(frozen=True, kw_only=True)
class Tick:
    """One control tick, after its command has gone to the robot."""

    index: int
    stamp: float
    state: RobotState
    action: ActionPoint | None  # None until the first chunk
    command: Command | None  # what the body made of it, before the shield
    safe: Command  # what the robot got
    chunk_status: str  # of the chunk that runs: running, done or failed; "" before the first
    note: str  # of the chunk that runs
    images: Mapping[str, np.ndarray]  # the last that were seen, at most a policy tick old
    shield: str  # guard.status
    interventions: tuple[Intervention, ...]  # since the last tick


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """What came of one run."""

    instruction: str
    status: Status
    duration_s: float  # until it was decided to end; the rest after it is not counted
    ticks: int
    misses: int  # control ticks that began too late, with those left out altogether
    worst_late_s: float
    accepted: int  # chunks that ran
    refused: int  # chunks that the shield or the executor refused
    late: int  # of the refused: all their steps had passed, or they came out of order
    errors: int  # inferences that raised
    latency_p50_s: float | None  # None: no inference ended
    latency_max_s: float | None
    interventions: Mapping[str, int]  # the shield's, by reason
    stops: int  # how often the shield took over
    notes: tuple[tuple[float, str], ...] = field(default=())

    @property
    def on_time(self) -> float:
        """The share of control ticks that began in time."""
        return 1.0 - self.misses / max(1, self.ticks)
