"""`volition safety report`: what the shield did in a run, as a table by reason and joint and as a timeline.

run.json (the recorder's) or events as JSON lines (the guard's log) -> rows, safety.svg
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from volition.errors import ContractError
from volition.runtime.recorder import load_run
from volition.safety import reasons
from volition.safety.configs import ReportConfig
from volition.safety.log import read_log
from volition.types import Intervention

_COLOURS = {"safe action": "#c0392b", "refuse": "#8e44ad", "trim": "#e08e0b", "person": "#2471a3", "unknown": "#7f8c8d"}
_JOIN = 0.1  # s: events of one kind nearer than this are one bar


@dataclass(frozen=True, kw_only=True)
class Line:
    """One reason at one place."""

    answer: str
    reason: str
    where: str
    count: int
    first: float  # s since the run began
    last: float
    worst: tuple[float | None, float | None]  # before and after, of the event that changed most


@dataclass(frozen=True, kw_only=True)
class Run:
    name: str
    begin: float
    end: float
    status: str
    stops: int | None
    events: tuple[Intervention, ...]


def report(config: ReportConfig) -> int:
    run = read(config.run)
    console = Console()
    for text in words(run):
        console.print(text, highlight=False)
    if run.events:
        console.print(_table(lines(run)))
    beside = config.run if config.run.is_dir() else config.run.parent
    out = config.out or beside / "safety.svg"
    timeline(run, out)
    console.print(f"Timeline: {out}")
    return 0


def read(path: Path) -> Run:
    """A recorded run's folder, or a file of events."""
    if path.is_dir():
        about = load_run(path).about
        return _recorded(path, about)
    if not path.is_file():
        raise ContractError(f"{path} does not exist; give a recorded run's folder, or a file of events.")
    events = tuple(read_log(path))
    stamps = [event.stamp for event in events] or [0.0]
    return Run(name=path.name, begin=min(stamps), end=max(stamps), status="", stops=None, events=events)


def _recorded(path: Path, about: Mapping[str, Any]) -> Run:
    try:
        events = tuple(_event(one) for one in about["interventions"])
        summary = about["summary"]
        arrays = load_run(path).arrays
        stamps = [float(stamp) for stamp in arrays.get("stamp", [])] or [0.0]
        name = f"{path.name}: “{about['instruction']}”"
        return Run(
            name=name, begin=stamps[0], end=stamps[-1], status=summary["status"], stops=summary["stops"], events=events
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ContractError(f"{path / 'run.json'} is not of a recorded run: {type(error).__name__}: {error}") from error


def _event(fields: Mapping[str, Any]) -> Intervention:
    """Numbers that JSON does not know were written as text."""
    numbers = {name: None if fields.get(name) is None else float(fields[name]) for name in ("before", "after")}
    return Intervention(**{**fields, **numbers})


def answer_of(reason: str) -> str:
    for answer, known in (
        ("safe action", reasons.FAULTS),
        ("refuse", reasons.REFUSALS),
        ("trim", reasons.LIMITS),
        ("person", reasons.OVERSIGHT),
    ):
        if reason in known:
            return answer
    return "unknown"


def lines(run: Run) -> list[Line]:
    """One a reason and place: safe actions first, then what was most frequent."""
    groups: dict[tuple[str, str], list[Intervention]] = {}
    for event in run.events:
        groups.setdefault((event.reason, event.where), []).append(event)
    found = [
        Line(
            answer=answer_of(reason),
            reason=reason,
            where=where,
            count=len(group),
            first=group[0].stamp - run.begin,
            last=group[-1].stamp - run.begin,
            worst=max(((event.before, event.after) for event in group), key=_change),
        )
        for (reason, where), group in groups.items()
    ]
    order = list(_COLOURS)
    return sorted(found, key=lambda line: (order.index(line.answer), -line.count, line.reason, line.where))


def _change(values: tuple[float | None, float | None]) -> float:
    before, after = values
    return abs(before - after) if before is not None and after is not None and before == before else -1.0


def words(run: Run) -> list[str]:
    counts = Counter(answer_of(event.reason) for event in run.events)
    ended = f", ended: {run.status}" if run.status else ""
    stops = "" if run.stops is None else f"; the safe action was taken {run.stops} times"
    what = ", ".join(f"{count} × {answer}" for answer, count in counts.most_common()) or "the shield changed nothing"
    return [f"{run.name}, {run.end - run.begin:.1f} s{ended}", f"{what}{stops}"]


def _table(rows: Sequence[Line]) -> Table:
    table = Table(title="What the shield did")
    for name in ("answer", "reason", "where"):
        table.add_column(name, overflow="fold")
    for name in ("count", "first s", "last s", "before", "after"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        numbers = ["" if value is None else f"{value:.3g}" for value in row.worst]
        times = (f"{row.first:.2f}", f"{row.last:.2f}")
        table.add_row(row.answer, row.reason, row.where, str(row.count), *times, *numbers)
    return table


def bars(stamps: Sequence[float]) -> list[tuple[float, float]]:
    """(begin, length) of stretches in which events follow each other closely."""
    found: list[list[float]] = []
    for stamp in sorted(stamps):
        if found and stamp - found[-1][1] <= _JOIN:
            found[-1][1] = stamp
        else:
            found.append([stamp, stamp])
    return [(begin, max(end - begin, 0.02)) for begin, end in found]


def timeline(run: Run, out: Path) -> None:
    """A row a reason, over the run's time."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = list(dict.fromkeys(line.reason for line in lines(run)))
    figure, axes = plt.subplots(figsize=(9, 0.8 + 0.32 * max(1, len(rows))), layout="constrained")
    for row, reason in enumerate(rows):
        stamps = [event.stamp - run.begin for event in run.events if event.reason == reason]
        axes.broken_barh(bars(stamps), (row - 0.35, 0.7), color=_COLOURS[answer_of(reason)])
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(max(0, len(rows) - 1) + 0.6, -0.6)
    axes.set_xlim(0, max(run.end - run.begin, 0.1))
    axes.set_xlabel("s since the run began")
    axes.set_title("What the shield did (red: safe action, orange: trim, purple: refuse, blue: person)", fontsize=9)
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None)
    finally:
        plt.close(figure)
