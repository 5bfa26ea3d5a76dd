"""What a training run writes down as it goes: figures as JSON lines, the same for TensorBoard, and a plot of them.

    trainer -> Journal -> out/metrics.jsonl, out/events/, out/curves.svg

The JSON lines are the record; the others are made from them. A resumed run drops the lines after its state, so that the
record is that of a run which never stopped. Where the disk is full, lines wait in memory.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from volition.data.atomic import replacing
from volition.data.errors import DataError
from volition.train import events
from volition.train.curves import write_curves
from volition.train.errors import TrainError

PLOT = 60.0  # s
LINES, EVENTS, CURVES = "metrics.jsonl", "events", "curves.svg"


class Journal:
    """`step` is what the run goes on from; 0 begins a new record."""

    def __init__(self, out: Path, step: int = 0) -> None:
        self._out = out
        self._lines = [line for line in read(out) if line["step"] <= step] if step else []
        text = "".join(map(_dump, self._lines))
        with replacing(out / LINES) as beside:
            beside.write_text(text, encoding="utf-8")
        folder = out / EVENTS
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.volition"):
            old.unlink()
        now = time.time()
        self._jsonl = _Appending(out / LINES)
        self._events = _Appending(folder / f"events.out.tfevents.{now:.0f}.volition")
        self._plotted = -math.inf
        self._events.add(events.header(now) + b"".join(map(_event, self._lines)))

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """One line; what is not finite is null in it."""
        line: dict[str, Any] = {"step": step, "time": round(time.time(), 3)}
        line |= {name: value if math.isfinite(value) else None for name, value in figures.items()}
        self._lines.append(line)
        self._jsonl.add(_dump(line).encode())
        self._events.add(_event(line))

    def plot(self, *, last: bool) -> None:
        """Not more often than once in PLOT seconds, but for the last time: it takes half a second."""
        now = time.monotonic()
        if not last and now - self._plotted < PLOT:
            return
        self._plotted = now
        try:
            write_curves(self._lines, self._out / CURVES)
        except DataError as error:
            print(f"{error} The run goes on without.", file=sys.stderr)


def read(out: Path) -> list[dict[str, Any]]:
    """The lines of a run; a last one that a kill cut short is left out."""
    path = out / LINES
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    found: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(json.loads(line))
        except ValueError as error:
            if number < len(lines):
                raise TrainError(f"{path}, line {number}, is not JSON: {error}. Remove the line.") from error
    return found


class _Appending:
    """Appends whole pieces to a file; what does not fit on the disk is kept, and tried again with the next piece."""

    def __init__(self, path: Path) -> None:
        self._path, self._waiting, self._said = path, b"", False

    def add(self, piece: bytes) -> None:
        self._waiting += piece
        try:
            with self._path.open("ab") as file:
                size = file.tell()
                try:
                    file.write(self._waiting)
                    file.flush()
                except OSError:
                    file.truncate(size)
                    raise
        except OSError as error:
            if not self._said:
                print(f"{self._path} cannot be written: {error.strerror}. Its lines wait in memory.", file=sys.stderr)
            self._said = True
        else:
            self._waiting, self._said = b"", False


def _dump(line: Mapping[str, Any]) -> str:
    return json.dumps(line, allow_nan=False, ensure_ascii=False) + "\n"


def _event(line: Mapping[str, Any]) -> bytes:
    figures = {name: value for name, value in line.items() if name not in ("step", "time") and value is not None}
    return events.scalars(line["time"], line["step"], figures)
