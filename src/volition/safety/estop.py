"""The emergency stop: a latch that any thread may press and only a deliberate reset releases. Read by the guard each tick."""

from __future__ import annotations

import threading


class EStop:
    """Pressed it stays pressed, and remembers why it was pressed first, until `reset`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._why: str | None = None

    @property
    def pressed(self) -> bool:
        with self._lock:
            return self._why is not None

    @property
    def why(self) -> str:
        """Why it was pressed; empty while it is not."""
        with self._lock:
            return self._why or ""

    def press(self, why: str = "pressed") -> None:
        with self._lock:
            if self._why is None:
                self._why = why or "pressed"

    def reset(self) -> None:
        with self._lock:
            self._why = None
