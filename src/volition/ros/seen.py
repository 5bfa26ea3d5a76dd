"""How often each topic brings something, and what is missing: counted by the node, told in its diagnostics."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from threading import Lock

_KEPT = 64


class Seen:
    """One topic's arrivals, counted by one thread and told by another: a message that comes after more than 1.5 usual gaps counts those
    that are missing."""

    def __init__(self) -> None:
        self.count, self.missing = 0, 0
        self._stamps: deque[float] = deque(maxlen=_KEPT)
        self._lock = Lock()

    def add(self, stamp: float) -> None:
        """By the header stamp, which says when it was made: late is not lost."""
        with self._lock:
            usual = self._usual()
            if usual is not None and stamp - self._stamps[-1] > 1.5 * usual:
                self.missing += round((stamp - self._stamps[-1]) / usual) - 1
            self.count += 1
            self._stamps.append(stamp)

    def rate_hz(self, now: float) -> float:
        """Over the last messages, at most two seconds; 0 when nothing came in that time."""
        with self._lock:
            recent = [stamp for stamp in self._stamps if stamp > now - 2.0]
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 and recent[-1] > recent[0] else 0.0

    def _usual(self) -> float | None:
        """The median gap, once there are enough."""
        if len(self._stamps) < 8:
            return None
        stamps = list(self._stamps)
        gaps = sorted(after - before for before, after in pairwise(stamps))
        return max(gaps[len(gaps) // 2], 1e-4)
