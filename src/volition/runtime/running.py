"""What one run of the loop has come to so far; the loop writes it, the summary comes out at its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from volition.runtime.oversight import Driver, Who
from volition.runtime.report import RunSummary, Status, Tick
from volition.runtime.rest import Rest
from volition.types import ActionChunk, ActionPoint, Command, Intervention, RobotState

_NOTES = 1000  # a run keeps its latest


@dataclass
class Running:
    """What one run has come to so far."""

    instruction: str
    begin: float
    limit: float
    deadline: float  # when the next tick is due
    last: float  # when the last tick was
    until: Callable[[RobotState], bool] | None
    ticks: int = 0
    misses: int = 0
    worst: float = 0.0
    accepted: int = 0
    refused: int = 0
    late: int = 0
    errors: int = 0
    seen: int = 0  # guard events that have been handed out, of all it ever had
    counts: Mapping[str, int] = field(default_factory=dict)  # the guard's, at first of before, then of this run
    stops: int = 0
    policy_at: float = 0.0
    status: Status | None = None  # set when it is decided that the run ends
    ended: float = 0.0
    verdict: tuple[Status, float] | None = None  # the policy's, and when to act on it
    rest: Rest | None = None  # while no policy is followed
    who: Who = "policy"  # is followed
    driver: Driver | None = None  # of the person, when that is who
    approved: bool = False  # the chunk that runs has a person behind it, however old it grows
    blind: str = ""  # what is wrong with the pictures
    safe: tuple[Command, ...] = ()  # the last two sent
    images: Mapping[str, np.ndarray] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)
    notes: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=_NOTES))

    def tick(
        self,
        now: float,
        state: RobotState,
        made: tuple[ActionPoint | None, Command | None, Command],
        chunk: ActionChunk | None,
        shield: str,
        fresh: tuple[Intervention, ...],
    ) -> Tick:
        """What the loop tells of the tick that has just been done. `made`: the action, its command, and what was sent."""
        action, command, safe = made
        index, self.ticks = self.ticks, self.ticks + 1
        return Tick(
            index=index,
            stamp=now,
            state=state,
            action=action,
            command=command,
            safe=safe,
            chunk_status="" if chunk is None else chunk.status,
            note="" if chunk is None else chunk.note,
            images=self.images,
            shield=shield,
            interventions=fresh,
        )

    def summary(self) -> RunSummary:
        return RunSummary(
            instruction=self.instruction,
            status=self.status or "error",
            duration_s=self.ended - self.begin,
            ticks=self.ticks,
            misses=self.misses,
            worst_late_s=self.worst,
            accepted=self.accepted,
            refused=self.refused,
            late=self.late,
            errors=self.errors,
            latency_p50_s=float(np.median(self.latencies)) if self.latencies else None,
            latency_max_s=max(self.latencies, default=None),
            interventions=self.counts,
            stops=self.stops,
            notes=tuple((stamp - self.begin, text) for stamp, text in self.notes),
        )
