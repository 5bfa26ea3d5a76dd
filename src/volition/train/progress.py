"""The bar of a training run, and its pace: rows a second, the share of time spent waiting for data, time left."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

SAY = 60.0  # s between lines where there is no terminal
WINDOW = 100  # steps that the pace is of

Report = Callable[[int, float, str, "Pace"], None]  # step, share of the run behind, what to say, pace


class Pace:
    """Of the last WINDOW steps; `waiting` also of the whole run, which is what its report states."""

    def __init__(self) -> None:
        self._steps: deque[tuple[float, float, int]] = deque(maxlen=WINDOW)
        self.seconds = self.waited = 0.0
        self.rows = 0

    def add(self, seconds: float, waited: float, rows: int) -> None:
        """A step took `seconds`, of which it `waited` for data, and trained with `rows`."""
        self._steps.append((seconds, waited, rows))
        self.seconds += seconds
        self.waited += waited
        self.rows += rows

    @property
    def rows_per_s(self) -> float:
        return sum(rows for _, _, rows in self._steps) / max(sum(seconds for seconds, _, _ in self._steps), 1e-9)

    @property
    def waiting(self) -> float:
        """Share of the time, 0 to 1."""
        return sum(waited for _, waited, _ in self._steps) / max(sum(seconds for seconds, _, _ in self._steps), 1e-9)


@contextmanager
def reporting(total: int | None, first: float, *, quiet: bool) -> Iterator[Report]:
    """A bar on stderr, where that is a terminal; elsewhere a line now and then. `first` share of the run is behind already."""
    columns = (TextColumn("Training"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[said]}"), TimeElapsedColumn())  # fmt: skip
    terminal = sys.stderr.isatty()
    bar = Progress(*columns, console=Console(stderr=True), disable=quiet or not terminal, refresh_per_second=4)
    begin = last = time.monotonic()

    def report(step: int, share: float, said: str, pace: Pace) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < (0.25 if terminal else SAY) and share < 1:
            return
        last = now
        left = (now - begin) * (1 - share) / (share - first) if share > first else 0.0
        count = f"step {step}" + (f" of {total}" if total else "")
        rest = f", {_duration(left)} left" if left else ""
        text = f"{count}, {said}, {pace.rows_per_s:.0f} samples/s, {pace.waiting:.0%} waiting for data{rest}"
        bar.update(task, completed=share, said=text)
        if not terminal and not quiet:
            print(text, file=sys.stderr, flush=True)

    with bar:
        task = bar.add_task("", total=1.0, said="")
        yield report


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"  # fmt: skip
