"""SIGTERM and Ctrl-C end a run between two steps, after a save; a second one ends it at once. For `trainer.py`."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, NoReturn

TERMINATED = 128 + signal.SIGTERM  # what a shell reports of a process that SIGTERM ended


class Stop:
    """While entered, the first signal is noted in `asked`; the handlers before are then back in place."""

    def __init__(self) -> None:
        self.asked: int = 0  # the signal's number
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():  # elsewhere Python has no signals
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    @staticmethod
    def end(asked: int) -> NoReturn:
        """Ends as the signal would have: KeyboardInterrupt (exit code 130), or exit code 143."""
        if asked == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(TERMINATED)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.asked = number
        self.__exit__()
