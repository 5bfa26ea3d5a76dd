"""Notices a control loop that no longer ticks. Guard --beat--> Watchdog --(no beat)--> e-stop, and whatever stops the robot.

The shield can only answer when it is asked; a loop that hangs asks nothing. The watchdog runs in its own thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from volition.errors import ContractError
from volition.safety.estop import EStop


class Watchdog:
    """Between `start` and `stop` there has to be a `beat` every `limit_s` of real time, or the e-stop is pressed.

    `on_silence` is called once each time, from the watchdog's thread: for a robot with a stop of its own. The e-stop
    stays pressed when the loop comes back, so that it comes back into the safe action.
    """

    def __init__(self, estop: EStop, *, limit_s: float = 0.5, on_silence: Callable[[], None] | None = None) -> None:
        if not 0.02 <= limit_s <= 60.0:
            raise ContractError(f"Watchdog.limit_s is {limit_s}; it must be 0.02 to 60 s.")
        self._estop, self._limit, self._on_silence = estop, limit_s, on_silence
        self._wake = threading.Condition()
        self._last = 0.0
        self._running = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self.stop()
        with self._wake:
            self._running, self._last = True, time.monotonic()
        self._thread = threading.Thread(target=self._watch, name="volition-watchdog", daemon=True)
        self._thread.start()

    def beat(self) -> None:
        self._last = time.monotonic()  # one assignment: no lock in the control tick

    def allow(self, seconds: float) -> None:
        """Somebody has to be waited for: the next beat may come this much later."""
        self._last = time.monotonic() + seconds

    def stop(self) -> None:
        with self._wake:
            self._running = False
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _watch(self) -> None:
        told = False
        with self._wake:
            while self._running:
                silent = time.monotonic() - self._last
                if silent <= self._limit:
                    told = False
                elif not told:
                    told = True
                    self._estop.press(f"watchdog: the control loop has not ticked for {silent:.2f} s")
                    if self._on_silence is not None:
                        self._on_silence()
                self._wake.wait(max(0.005, min(self._limit, self._limit - silent)) if not told else self._limit)
