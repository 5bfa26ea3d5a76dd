"""The shield with its memory: what the runtime's loop holds. It counts, logs, tells its status and never raises in a tick."""

from __future__ import annotations

from collections import Counter, deque
from pathlib import Path

from volition.errors import ContractError
from volition.safety import reasons
from volition.safety.estop import EStop
from volition.safety.log import EventLog, summarise, table
from volition.safety.obstacles import Surroundings
from volition.safety.shield import Shield, ShieldMemory
from volition.safety.watchdog import Watchdog
from volition.types import ActionChunk, Command, Intervention, RobotState

_KEPT = 10_000  # events: what fits in memory however long the run; the log file has them all


class Guard:
    """One robot's shield over one run, for one loop's thread (only `estop` and `surroundings` may be touched by others)."""

    def __init__(
        self,
        shield: Shield,
        *,
        estop: EStop | None = None,
        surroundings: Surroundings | None = None,
        watchdog: Watchdog | None = None,
    ) -> None:
        self.shield = shield
        self.estop = estop if estop is not None else EStop()
        self.surroundings = surroundings if surroundings is not None else Surroundings()
        self._watchdog = watchdog
        self.events: deque[Intervention] = deque(maxlen=_KEPT)
        self.dropped = 0  # events that no longer fit
        self.caution = 1.0  # share of all speeds, of whoever watches the policy
        self._memory: ShieldMemory | None = None
        self._last_stamp: float | None = None
        self._reported: Intervention | None = None
        self._counts: Counter[str] = Counter()
        self._faults = 0
        self._status = "clear"
        self._log: EventLog | None = None

    def start(self, state: RobotState, now: float) -> None:
        """Begin a run from the measured posture at rest; raises on a state that is not usable. The e-stop stays as it is."""
        self._memory = self.shield.start(state, self._memory)
        self._last_stamp, self._reported, self._status = None, None, "clear"
        self.caution = 1.0

    def log_to(self, path: Path) -> None:
        """Write every event from now on to a file of JSON lines."""
        self.close()
        self._log = EventLog(path)

    def close(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None

    def forget(self) -> None:
        """The clock went back: stamps from before it say nothing about order."""
        self._last_stamp = None

    def admit(self, chunk: ActionChunk, now: float) -> ActionChunk | None:
        """The chunk to use, or None when it is refused."""
        try:
            admitted, found = self.shield.admit(chunk, now, self._last_stamp)
        except Exception as error:  # whatever a chunk can be wrong in, the tick goes on without it
            self.report(Intervention(stamp=now, reason=reasons.BAD_CHUNK, where="chunk", detail=repr(error)))
            return None
        self._keep(found)
        if admitted is not None:
            self._last_stamp = admitted.stamp
        return admitted

    def apply(self, command: Command | None, state: RobotState, now: float) -> Command:
        """The command to send this tick. A failure inside the shield is a fault like any other."""
        memory = self._memory
        if memory is None:
            raise ContractError("Guard.apply was called before Guard.start; start it with one measured state.")
        if self._watchdog is not None:
            self._watchdog.beat()
        was_holding = self.holding
        try:
            if self._reported is not None and not self.estop.pressed:
                sent, self._memory, found = self.shield.stop(memory, now, self._reported)
                found = ()  # it is among the events since it was reported
            else:
                sent, self._memory, found = self.shield.limit(
                    command,
                    state,
                    memory,
                    now,
                    stopped=self.estop.pressed,
                    around=self.surroundings.latest,
                    caution=self.caution,
                )
        except Exception as error:  # the last line: nothing may keep the robot from its safe action
            why = Intervention(stamp=now, reason=reasons.SHIELD, where=type(error).__name__, detail=str(error))
            sent, self._memory, found = self.shield.stop(memory, now, why)
        self._reported = None
        if self.holding and not was_holding:
            self._faults += 1
        self._status = self._describe(found)
        self._keep(found)
        return sent

    def report(self, intervention: Intervention) -> None:
        """Record what others saw, such as a policy's exception; a fault holds the robot for the next tick at least."""
        self._keep((intervention,))
        if intervention.reason in reasons.FAULTS:
            self._reported = intervention

    def counts(self) -> dict[str, int]:
        """How often each reason occurred, dropped events included."""
        return dict(self._counts)

    def faults(self) -> int:
        """Times the robot went into its safe action: rising edges, not ticks."""
        return self._faults

    @property
    def holding(self) -> bool:
        """Whether the last tick was the safe action."""
        return self._memory is not None and self._memory.fault is not None

    @property
    def status(self) -> str:
        """For people: "clear", "limiting: jerk" or "HOLD: stale"."""
        return self._status

    def summary(self) -> str:
        """A table of the kept events: reason, count, first, last, where most often."""
        text = table(summarise(self.events))
        if self.dropped:
            text += f"\n({self.dropped} older events are not in this table)"
        if self._log is not None and self._log.lost:
            text += f"\n({self._log.lost} events could not be written to {self._log.name})"
        return text

    def _keep(self, found: tuple[Intervention, ...]) -> None:
        for intervention in found:
            self.dropped += len(self.events) == _KEPT
            self.events.append(intervention)
            self._counts[intervention.reason] += 1
            if self._log is not None:
                self._log.write(intervention)

    def _describe(self, found: tuple[Intervention, ...]) -> str:
        if self._memory is not None and self._memory.fault is not None:
            return f"HOLD: {self._memory.fault}"
        if not found:
            return "clear"
        return f"limiting: {Counter(event.reason for event in found).most_common(1)[0][0]}"
