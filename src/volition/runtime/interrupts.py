"""Ctrl-C as a flag that the loop looks at between ticks, so that it never comes in the middle of a command to the robot."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


def never() -> bool:
    return False


@contextlib.contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a flag that the loop looks at between ticks; the second raises at once.

    A KeyboardInterrupt out of nowhere could come in the middle of a command to the robot.
    """
    presses: list[int] = []  # no lock: a handler may interrupt whatever holds one

    def note(number: int, frame: object) -> None:
        presses.append(number)
        if len(presses) > 1:
            raise KeyboardInterrupt

    def interrupted() -> bool:
        return bool(presses)

    if threading.current_thread() is not threading.main_thread():
        yield interrupted  # signals go to the main thread only
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
