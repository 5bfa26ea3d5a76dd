"""How long named stages take, again and again: wall time and the processor time of the whole process.

with watch("vision"): ...  ->  watch.times("vision"): p50, p99, most
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds; `processor`: what all threads together worked."""

    p50: float
    p99: float
    most: float
    processor_p50: float
    processor_p99: float
    count: int

    def to_json(self) -> dict[str, float]:
        return asdict(self)


class Stopwatch:
    def __init__(self) -> None:
        self._laps: dict[str, list[tuple[float, float]]] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        begin = self.now()
        yield
        wall, work = self.now()
        self.note(name, (wall - begin[0], work - begin[1]))

    @staticmethod
    def now() -> tuple[float, float]:
        """Wall and processor time, s."""
        return time.perf_counter(), time.process_time()

    def note(self, name: str, lap: tuple[float, float]) -> None:
        """A lap that was measured elsewhere."""
        self._laps.setdefault(name, []).append(lap)

    def clear(self, *, but: str) -> None:
        """Forget all laps but those of one stage."""
        self._laps = {name: laps for name, laps in self._laps.items() if name == but}

    def wall(self, name: str) -> np.ndarray:
        return np.array([wall for wall, _ in self._laps.get(name, ())])

    def times(self, name: str) -> Times:
        laps = np.array(self._laps[name])  # (N, 2)
        wall = laps[:, 0]
        return Times(
            p50=float(np.median(wall)),
            p99=float(np.quantile(wall, 0.99)),
            most=float(wall.max()),
            processor_p50=float(np.median(laps[:, 1])),
            processor_p99=float(np.quantile(laps[:, 1], 0.99)),
            count=len(laps),
        )
