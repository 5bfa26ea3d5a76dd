"""What a person decides about a running robot: approve, pause, take over, resume. Asked by the loop once a tick.

    person (keyboard, topics, HTTP: any thread) -> Oversight -> Loop (rests, follows the person, follows the policy)

Whatever is decided, every command still passes the shield. The emergency stop is not here: it is the guard's, and wins.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Literal, Protocol, get_args

from volition.errors import ContractError
from volition.safety import reasons
from volition.types import ActionChunk, Command, Intervention, RobotState

Approve = Literal["nothing", "instructions", "chunks"]
Who = Literal["policy", "nobody", "person"]


class Driver(Protocol):
    """A person's way to give commands: `begin` when it takes over, then `command` every tick."""

    def begin(self, state: RobotState, sent: Command) -> None: ...

    def command(self, state: RobotState, now: float) -> Command | None: ...


class Oversight:
    """Any thread may call the first group of methods; the second is the loop's."""

    def __init__(self, approve: Approve = "nothing") -> None:
        if approve not in get_args(Approve):
            raise ContractError(f"Oversight.approve is {approve!r}; it must be one of {', '.join(get_args(Approve))}.")
        self._lock = threading.Lock()
        self._approve: Approve = approve
        self._who: Who = "policy"
        self._driver: Driver | None = None
        self._waiting: str | ActionChunk | None = None
        self._answer: bool | None = None
        self._events: deque[tuple[str, str]] = deque(maxlen=100)

    # For the person.

    def pause(self, why: str = "") -> None:
        """Rest within the limits, hands keep their hold, until `resume`."""
        with self._lock:
            self._switch("nobody", None, reasons.PAUSED, why)

    def take_over(self, driver: Driver, why: str = "") -> None:
        """Commands come from the driver until `resume` or `pause`."""
        with self._lock:
            self._switch("person", driver, reasons.TAKEN_OVER, why)

    def resume(self, why: str = "") -> None:
        """Follow the policy again, from where the robot is then."""
        with self._lock:
            if self._who != "policy":
                self._switch("policy", None, reasons.RESUMED, why)

    def approve(self) -> bool:
        """Yes to what waits; False if nothing does."""
        return self._say(True)

    def refuse(self) -> bool:
        """No to what waits; False if nothing does."""
        return self._say(False)

    @property
    def question(self) -> str:
        """What waits for a yes, in words; empty when nothing does."""
        with self._lock:
            if isinstance(self._waiting, ActionChunk):
                chunk = self._waiting
                seconds = chunk.values.shape[0] * chunk.dt
                return f"{seconds:.1f} s of {chunk.spec} actions" + (f": {chunk.note}" if chunk.note else "")
            return self._waiting or ""

    @property
    def status(self) -> str:
        """For people."""
        with self._lock:
            if self._who != "policy":
                return "paused" if self._who == "nobody" else "taken over"
            return "waiting for approval" if self._waiting is not None else "following the policy"

    # For the loop.

    @property
    def who(self) -> Who:
        """Who is followed now; nobody also while something waits for a yes."""
        with self._lock:
            return "nobody" if self._who == "policy" and self._waiting is not None else self._who

    @property
    def driver(self) -> Driver | None:
        with self._lock:
            return self._driver

    @property
    def asks_for_chunks(self) -> bool:
        return self._approve == "chunks"

    def begin(self, instruction: str) -> None:
        """A run begins. Nothing of an earlier one waits any more; a pause goes on."""
        with self._lock:
            self._waiting = self._answer = None
            if self._approve == "instructions":
                self._wait(f"the instruction “{instruction}”")

    def ask(self, question: str) -> None:
        """The robot rests until the person says yes to this, or no, which ends the run."""
        with self._lock:
            if self._waiting is None:
                self._wait(question)

    def put(self, chunk: ActionChunk) -> None:
        """This chunk waits for a yes."""
        with self._lock:
            self._wait(chunk)

    def answer(self) -> tuple[bool, ActionChunk | None] | None:
        """The person's answer, once, and the chunk it is about (None: the instruction)."""
        with self._lock:
            if self._answer is None:
                return None
            said, chunk = self._answer, self._waiting if isinstance(self._waiting, ActionChunk) else None
            self._waiting = self._answer = None
            return said, chunk

    def events(self, now: float) -> list[Intervention]:
        """What has happened since the last call, for the log."""
        with self._lock:
            found = [Intervention(stamp=now, reason=reason, where="person", detail=why) for reason, why in self._events]
            self._events.clear()
            return found

    def _switch(self, who: Who, driver: Driver | None, reason: str, why: str) -> None:
        if who == self._who and driver is self._driver:
            return
        self._who, self._driver = who, driver
        if isinstance(self._waiting, ActionChunk):  # it was made for where the robot was
            self._waiting = self._answer = None
        self._events.append((reason, why))

    def _wait(self, what: str | ActionChunk) -> None:
        self._waiting, self._answer = what, None
        self._events.append((reasons.WAITING, what if isinstance(what, str) else what.note))

    def _say(self, yes: bool) -> bool:
        with self._lock:
            if self._waiting is None or self._answer is not None:
                return False
            self._answer = yes
            self._events.append((reasons.APPROVED if yes else reasons.NOT_APPROVED, ""))
            return True
