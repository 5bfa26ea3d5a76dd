"""Keeps a robot under the one loop for as long as it is active: a task when it is told one, else standing by.

    tell(instruction) -> Loop.run (task) -> Loop (standing) -> ...   each through the same guard to robot.command at 50 Hz

Shared by ROS 1 and ROS 2, and knows nothing of either. Standing by is the same loop with nobody to ask: it commands rest,
and after an emergency stop the shield's safe action, until it is told something.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from volition.errors import VolitionError
from volition.robots.robot import Robot
from volition.runtime.clock import Clock
from volition.runtime.doubt import Doubt
from volition.runtime.executor import Executor
from volition.runtime.inference import Answer, Inference
from volition.runtime.loop import Body, Loop
from volition.runtime.recorder import Recorder
from volition.runtime.report import RunSummary, Tick
from volition.runtime.sight import Sight
from volition.safety.guard import Guard
from volition.safety.watchdog import Watchdog
from volition.types import ActionSpec, Observation

STAND = "stand by"
LATE = 0.005  # s
TAKING = 6.0  # s that a policy may take to understand its instruction, during which nothing ticks
WRITING = 10.0  # s that a recording may take to be written


@dataclass(frozen=True, kw_only=True)
class Report:
    """What the pilot is doing, for people and supervisors."""

    state: str = "inactive"  # inactive, standing, running, stopped (emergency stop), fault
    instruction: str = ""  # of the task that runs or ran last
    ended: str = ""  # how the last task ended: done, failed, time, stopped, halted, replaced, refused
    note: str = ""  # the policy's words, or why it was refused, stopped or failed
    shield: str = ""
    tasks: int = 0  # instructions taken, the refused ones too
    ticks: int = 0
    late: int = 0  # ticks that came more than 5 ms later than one period after the tick before
    worst_gap_s: float = 0.0  # the longest time between two ticks
    latency_s: float | None = None  # the policy's median, of the last task
    stops: int = 0  # how often the shield took over


class _Nobody:
    """An Inference without a policy."""

    busy = False

    def start(self, instruction: str) -> None: ...

    def submit(self, observation: Observation) -> None: ...

    def poll(self, now: float) -> Answer | None:
        return None

    def close(self) -> None: ...


class _Unwatched(Recorder):
    """Writing a long task down takes its time, in which nothing ticks."""

    def __init__(self, folder: Path, watchdog: Watchdog | None) -> None:
        super().__init__(folder)
        self._watchdog = watchdog

    def save(self, summary: RunSummary) -> Path:
        if self._watchdog is not None:
            self._watchdog.allow(WRITING)
        return super().save(summary)


@dataclass(kw_only=True)
class Parts:
    """What the pilot joins; made by the node."""

    robot: Robot
    inference: Inference
    action_spec: ActionSpec
    body: Body
    guard: Guard
    clock: Clock
    doubt: Doubt | None = None  # what is done when the policy is unsure
    sight: Sight | None = None  # whether pictures can be believed
    watchdog: Watchdog | None = None  # as the guard's; runs while the pilot does
    task_limit_s: float = 120.0
    record: Path | None = None  # folder; each task is recorded into one of its own
    on_tick: Callable[[Tick], None] = field(default=lambda tick: None)


class Pilot:
    """`start` once, then `tell` and `halt` from any thread, at last `stop`. All counts are since the start."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._told: deque[str] = deque(maxlen=1)  # the latest is what counts
        self._halt, self._stop = threading.Event(), threading.Event()
        self._report, self._faults = Report(), parts.guard.faults()
        self._last: float | None = None  # when the last tick was
        self._period = 1.0 / parts.robot.spec.control_rate_hz
        self._thread = threading.Thread(target=self._live, name="volition-control", daemon=True)

    @property
    def report(self) -> Report:
        with self._lock:
            return self._report

    @property
    def active(self) -> bool:
        """Whether it commands."""
        return self._thread.is_alive() and not self._stop.is_set()

    def start(self) -> None:
        """Begin to command; raises while the robot's state is not known."""
        self._parts.robot.read()
        if self._parts.watchdog is not None:
            self._parts.watchdog.start()
        self._thread.start()

    def tell(self, instruction: str) -> None:
        """Do this instead of what is being done."""
        self._told.append(instruction)

    def halt(self) -> None:
        """End the task, come to rest and stand by."""
        self._told.clear()
        self._halt.set()

    def stop(self, *, wait_s: float = 3.0) -> bool:
        """Come to rest and command no more. False if the control thread does not end."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(wait_s)
        if self._parts.watchdog is not None and not self._thread.is_alive():
            self._parts.watchdog.stop()
        return not self._thread.is_alive()

    def _live(self) -> None:
        try:
            while not self._stop.is_set():
                self._stand()
                if self._told and not self._stop.is_set():
                    self._do(self._told.popleft())
            self._note(state="inactive")
        except Exception as error:  # whatever it is, it ends here: nobody above this thread would see it
            self._note(state="fault", note=f"{type(error).__name__}: {error}")

    def _stand(self) -> None:
        loop = self._loop(_Nobody(), "standing", rest_s=math.inf)
        loop.start(STAND, limit_s=1e-3)  # over at once; what is stepped is the rest after it, which has no end
        while not (self._told or self._stop.is_set()):
            loop.step()

    def _do(self, instruction: str) -> None:
        parts, before = self._parts, self.report
        recorder = (
            None if parts.record is None else _Unwatched(parts.record / f"task-{before.tasks:04d}", parts.watchdog)
        )
        self._halt.clear()
        if parts.watchdog is not None:
            parts.watchdog.allow(TAKING)
        self._note(instruction=instruction, note="", ended="", tasks=before.tasks + 1)
        try:
            summary = self._loop(parts.inference, "running", recorder=recorder).run(
                instruction,
                limit_s=parts.task_limit_s,
                until=lambda state: bool(self._told) or self._stop.is_set() or self._halt.is_set(),
            )
        except VolitionError as error:
            if self.report.ticks > before.ticks:
                raise
            self._note(ended="refused", note=str(error))  # by the policy, before the robot was touched
            return
        ended = summary.status
        if ended == "reached":
            ended = "replaced" if self._told else "halted"
        note = summary.notes[-1][1] if summary.status == "stopped" and summary.notes else self.report.note
        self._note(ended=ended, note=note, latency_s=summary.latency_p50_s)

    def _loop(
        self,
        inference: Inference,
        state: str,
        *,
        recorder: Recorder | None = None,
        rest_s: float = 0.6,
    ) -> Loop:
        parts, task = self._parts, state == "running"

        def on_tick(tick: Tick) -> None:
            self._count(tick, state)
            parts.on_tick(tick)

        return Loop(
            robot=parts.robot,
            inference=inference,
            executor=Executor(parts.action_spec),
            body=parts.body,
            guard=parts.guard,
            clock=parts.clock,
            recorder=recorder,
            on_tick=on_tick,
            doubt=parts.doubt if task else None,
            sight=parts.sight if task else None,
            cameras=False,
            rest_s=rest_s,
        )

    def _count(self, tick: Tick, state: str) -> None:
        report = self.report
        gap = 0.0 if self._last is None else tick.stamp - self._last
        self._last = tick.stamp
        stopped = self._parts.guard.estop.pressed
        self._note(
            state="stopped" if stopped else state,
            note=self._parts.guard.estop.why if stopped else tick.note or report.note,
            shield=tick.shield,
            ticks=report.ticks + 1,
            late=report.late + (gap > self._period + LATE),
            worst_gap_s=max(report.worst_gap_s, gap),
            stops=self._parts.guard.faults() - self._faults,
        )

    def _note(self, **changes: object) -> None:
        with self._lock:
            self._report = replace(self._report, **changes)  # pyright: ignore[reportArgumentType]
