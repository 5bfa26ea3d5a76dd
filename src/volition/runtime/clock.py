"""Time as the loop sees it: seconds that start near 0 and never go back. Code is given a Clock and asks no other.

The simulator's clock (volition.sim) is the third kind: its `sleep_until` steps physics, so that the same loop
runs in simulation and on a robot. The robot's stamps and the loop's clock must be the same clock.
"""

from __future__ import annotations

import math
import time
from typing import Protocol

from volition.errors import ContractError


class Clock(Protocol):
    """`sleep_until` returns at once for a time that has passed."""

    def now(self) -> float: ...

    def sleep_until(self, time: float, /) -> None: ...


class RealClock:
    """The machine's monotonic time since this clock was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def now(self) -> float:
        return time.monotonic() - self._start

    def sleep_until(self, time_: float, /) -> None:
        # Linux wakes a sleeper within about 0.1 ms. Spinning would be finer, but it would hold Python's
        # interpreter lock against the inference thread, which costs more than it gains.
        while (left := time_ - self.now()) > 0:
            time.sleep(left)


class FakeClock:
    """Jumps: waiting takes no time at all."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def sleep_until(self, time_: float, /) -> None:
        if not math.isfinite(time_):
            raise ContractError(f"FakeClock.sleep_until got {time_}; it must be a finite time.")
        self._now = max(self._now, time_)

    def advance(self, seconds: float) -> None:
        self.sleep_until(self._now + seconds)
