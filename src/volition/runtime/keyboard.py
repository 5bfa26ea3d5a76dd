"""A person at a terminal: keys to the emergency stop, the oversight and walking by hand.

terminal --Keyboard (its own thread)--> EStop, Oversight, Walk
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from volition.runtime.drivers import Walk
from volition.runtime.oversight import Oversight

if TYPE_CHECKING:  # a noun of safety; its package needs nothing, but the object is passed in anyway
    from volition.safety.estop import EStop

HELP = (
    "space: emergency stop   R: reset it   p: pause   r: resume   y/n: approve or refuse   "
    "t: take over, then w/s forward and back, a/d left and right, q/e turn, x stand"
)
_SPEED = {
    "w": (0.3, 0.0, 0.0),
    "s": (-0.3, 0.0, 0.0),
    "a": (0.0, 0.2, 0.0),
    "d": (0.0, -0.2, 0.0),
    "q": (0.0, 0.0, 0.4),
    "e": (0.0, 0.0, -0.4),
    "x": (0.0, 0.0, 0.0),
}


class Keyboard:
    """A context: while it is open single keys act at once, and the terminal is as before when it closes.

    `descriptor` is a terminal or a pipe; standard input without it. Its end is an emergency stop if `stop_at_end`:
    nobody watches any more.
    """

    def __init__(
        self,
        estop: EStop,
        oversight: Oversight | None = None,
        walk: Walk | None = None,
        *,
        descriptor: int | None = None,
        stop_at_end: bool = True,
    ) -> None:
        self._estop, self._oversight, self._walk = estop, oversight, walk
        self._input = sys.stdin.fileno() if descriptor is None else descriptor
        self._stop_at_end = stop_at_end
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._before: list[object] | None = None
        self._keys = self._table()

    def __enter__(self) -> Keyboard:
        if os.isatty(self._input):
            import termios
            import tty

            self._before = termios.tcgetattr(self._input)
            tty.setcbreak(self._input)
        self._thread = threading.Thread(target=self._read, name="volition-keyboard", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._thread is not None:
            self._thread.join(1.0)
        if self._before is not None:
            import termios

            with contextlib.suppress(termios.error):  # the terminal is gone
                termios.tcsetattr(self._input, termios.TCSADRAIN, self._before)  # pyright: ignore[reportArgumentType]

    def press(self, key: str) -> None:
        """What a key does; unknown ones do nothing."""
        if key in self._keys:
            self._keys[key]()
        elif self._walk is not None and key in _SPEED:
            self._walk.set(*_SPEED[key])

    def _table(self) -> dict[str, Callable[[], object]]:
        keys: dict[str, Callable[[], object]] = {
            " ": lambda: self._estop.press("the space bar"),
            "R": self._estop.reset,
        }
        oversight, walk = self._oversight, self._walk
        if oversight is not None:
            keys |= {"p": oversight.pause, "r": oversight.resume, "y": oversight.approve, "n": oversight.refuse}
        if oversight is not None and walk is not None:
            keys["t"] = lambda: oversight.take_over(walk)
        return keys

    def _read(self) -> None:
        while not self._closing.is_set():
            if not select.select([self._input], [], [], 0.1)[0]:
                continue
            try:
                text = os.read(self._input, 64)
            except OSError:  # the terminal was closed
                text = b""
            if not text:
                if self._stop_at_end and not self._closing.is_set():
                    self._estop.press("the keyboard is gone")
                return
            for key in text.decode(errors="ignore"):
                self.press(key)
