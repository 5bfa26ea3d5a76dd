"""What the shield did, kept: interventions as JSON lines in a file, and as a table of reasons. Written by the guard."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from volition.errors import ContractError
from volition.safety import reasons
from volition.types import Intervention


class EventLog:
    """Appends one JSON object a line. A failing disk must not stop the robot: lines it costs are counted in `lost`."""

    def __init__(self, path: Path) -> None:
        self.lost = 0
        try:
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise ContractError(f"The shield's log cannot be written to {path}: {error}") from error

    def write(self, intervention: Intervention) -> None:
        record = {key: _plain(value) for key, value in asdict(intervention).items() if value not in (None, "", {})}
        try:
            self._file.write(json.dumps(record, allow_nan=False) + "\n")
            if intervention.reason in reasons.FAULTS:
                self._file.flush()
        except (OSError, ValueError):  # disk full, file closed: counted, and said in the guard's table
            self.lost += 1

    def close(self) -> None:
        self._file.close()

    @property
    def name(self) -> str:
        return os.fspath(self._file.name)


def read_log(path: Path) -> list[Intervention]:
    """The interventions in a log file."""
    found: list[Intervention] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            found.append(Intervention(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise ContractError(f"{path}, line {number}, is not an intervention: {error}") from error
    return found


@dataclass(frozen=True, kw_only=True)
class Row:
    """One reason over a run."""

    reason: str
    meaning: str
    count: int
    first: float  # s
    last: float  # s
    where: str  # most often


def summarise(events: Iterable[Intervention]) -> list[Row]:
    """One row a reason, faults first, then the most frequent."""
    groups: dict[str, list[Intervention]] = {}
    for event in events:
        groups.setdefault(event.reason, []).append(event)
    rows = [
        Row(
            reason=reason,
            meaning=reasons.MEANINGS.get(reason, ""),
            count=len(group),
            first=min(event.stamp for event in group),
            last=max(event.stamp for event in group),
            where=Counter(event.where for event in group).most_common(1)[0][0],
        )
        for reason, group in groups.items()
    ]
    return sorted(rows, key=lambda row: (row.reason not in reasons.FAULTS, -row.count))


def table(rows: Iterable[Row]) -> str:
    """The rows as text to print."""
    cells = [("reason", "count", "first s", "last s", "where most often", "meaning")]
    cells += [(r.reason, str(r.count), f"{r.first:.2f}", f"{r.last:.2f}", r.where, r.meaning) for r in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def _plain(value: object) -> object:
    """JSON knows no NaN: such a number is written as text."""
    return str(value) if isinstance(value, float) and value - value != 0 else value
