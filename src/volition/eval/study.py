"""Studies: many trials in worker processes, one table with intervals, one plot, written where the docs show them."""

from __future__ import annotations

import json
import os
import platform
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from volition.eval.intervals import wilson
from volition.processes import pool

Row = dict[str, Any]
FOLDER = Path("docs/studies")


@dataclass(frozen=True)
class Column:
    """A figure of the table: its key in the rows, its heading, and what it is."""

    key: str
    heading: str
    meaning: str


@dataclass(frozen=True, kw_only=True)
class Study:
    name: str
    title: str
    columns: tuple[Column, ...]
    conditions: dict[str, str]  # name -> what is done

    def report(self, rows: list[Row], *, seed: int, command: str, write: bool) -> None:
        """Print the table; write it as JSON, Markdown and a plot."""
        table = [self._condition(name, [row for row in rows if row["condition"] == name]) for name in self.conditions]
        table = [line for line in table if line["trials"]]
        self._print(table)
        if not write:
            return
        FOLDER.mkdir(parents=True, exist_ok=True)
        content = {"command": command, "first_seed": seed, "machine": _machine(), "table": table, "trials": rows}
        _replace(
            FOLDER / f"{self.name}.json", json.dumps(content, indent=None, separators=(",", ":"), default=_plain) + "\n"
        )
        _replace(FOLDER / f"{self.name}.md", self._markdown(table, command, seed))
        self._plot(table, rows)
        Console().print(f"Written: {FOLDER / self.name}.json, .md, .svg")

    def _condition(self, name: str, rows: list[Row]) -> Row:
        falls = sum(bool(row["fell"]) for row in rows)
        low, high = wilson(falls, len(rows)) if rows else (0.0, 1.0)
        line: Row = {"condition": name, "trials": len(rows), "falls": falls, "falls_low": low, "falls_high": high}
        line["stops"] = sum(int(row["stops"]) for row in rows)
        for column in self.columns:
            values = np.array([row[column.key] for row in rows if column.key in row])
            if len(values):
                line[column.key] = {
                    "median": float(np.median(values)),
                    "p95": float(np.percentile(values, 95)),
                    "max": float(values.max()),
                }
        if any("passed" in row for row in rows):
            line["passed"] = sum(bool(row.get("passed")) for row in rows)
            line["passed_low"], line["passed_high"] = wilson(line["passed"], len(rows))
        if any("why" in row for row in rows):
            line["failures"] = dict(Counter(str(row["why"]) for row in rows if not row["passed"]).most_common())
        return line

    def _cells(self, line: Row) -> list[str]:
        cells = [line["condition"], str(line["trials"])]
        if "passed" in line:
            cells.append(f"{line['passed']} ({100 * line['passed_low']:.0f}-{100 * line['passed_high']:.0f} %)")
        if "failures" in line:
            cells.append(", ".join(f"{count} {why}" for why, count in line["failures"].items()) or "none")
        cells.append(f"{line['falls']} (up to {100 * line['falls_high']:.1f} %)")
        cells.append(str(line["stops"]))
        for column in self.columns:
            figure = line.get(column.key)
            cells.append(f"{figure['median']:.1f} / {figure['p95']:.1f} / {figure['max']:.1f}" if figure else "")
        return cells

    def _headings(self, table: list[Row]) -> list[str]:
        passed = ["as it must"] if any("passed" in line for line in table) else []
        failures = ["failures"] if any("failures" in line for line in table) else []
        return [
            "condition",
            "trials",
            *passed,
            *failures,
            "falls",
            "shield stops",
            *(column.heading for column in self.columns),
        ]

    def _print(self, table: list[Row]) -> None:
        shown = Table(title=f"{self.title}: median / 95 % / max over trials")
        for number, heading in enumerate(self._headings(table)):
            shown.add_column(heading, justify="left" if number == 0 else "right")
        for line in table:
            shown.add_row(*self._cells(line))
        Console().print(shown)

    def _markdown(self, table: list[Row], command: str, seed: int) -> str:
        headings = self._headings(table)
        lines = [
            f"# {self.title}",
            "",
            f"Made by `{command}`, first seed {seed}, on {_machine()}.",
            "Figures are median / 95th percentile / maximum over the trials; falls with the upper end of the 95 % Wilson interval.",
            "",
            "| " + " | ".join(headings) + " |",
            "|" + "---|" * len(headings),
            *("| " + " | ".join(self._cells(line)) + " |" for line in table),
            "",
            *(f"- **{name}**: {text}" for name, text in self.conditions.items()),
            "",
            *(f"- *{column.heading}*: {column.meaning}" for column in self.columns),
            "",
            f"![{self.title}]({self.name}.svg)",
            "",
        ]
        return "\n".join(lines)

    def _plot(self, table: list[Row], rows: list[Row]) -> None:
        import matplotlib

        matplotlib.use("Agg")
        matplotlib.rcParams["svg.hashsalt"] = "volition"
        from matplotlib import pyplot

        figure, axes = pyplot.subplots(2, -(-len(self.columns) // 2), figsize=(13, 7), layout="constrained")
        for axis, column in zip(axes.flat, self.columns, strict=False):
            names = [line["condition"] for line in table if column.key in line]
            values = [
                [row[column.key] for row in rows if row["condition"] == name and column.key in row] for name in names
            ]
            if values:
                axis.boxplot(values, orientation="horizontal", tick_labels=names, whis=(0, 100), widths=0.6)
            axis.set_title(column.heading, fontsize=10)
            axis.invert_yaxis()
            axis.grid(axis="x", alpha=0.3)
        for axis in list(axes.flat)[len(self.columns) :]:
            axis.set_visible(False)
        figure.savefig(FOLDER / f"{self.name}.svg", metadata={"Date": None})
        pyplot.close(figure)


def run_trials(trial: Callable[[Any], Row], jobs: Sequence[Any], *, workers: int, label: str) -> list[Row]:
    """Run every job in a pool of processes, with progress; rows come back in the order of the jobs."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    rows: list[Row | None] = [None] * len(jobs)
    with Progress(*columns) as progress, pool(workers) as executor:
        bar = progress.add_task(label, total=len(jobs))
        futures = {executor.submit(trial, job): number for number, job in enumerate(jobs)}
        for future in as_completed(futures):
            rows[futures[future]] = future.result()
            progress.advance(bar)
    return [row for row in rows if row is not None]


def _machine() -> str:
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return round(value.item(), 5) if isinstance(value, np.floating) else value.item()
    raise TypeError(f"{type(value).__name__} does not belong in a study's rows")


def _replace(path: Path, text: str) -> None:
    scratch = path.with_name(path.name + ".part")
    scratch.write_text(text)
    scratch.replace(path)
