"""The tables of the report as headings and rows of text: beside what others published, by tier, by task, and the cost.

Scores, rows, manifest -> Table -> Markdown, or HTML by eval/report/html.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from volition.benchmarks.metaworld.published import PUBLISHED
from volition.benchmarks.metaworld.results import COMPARABLE, SHORT, Scores, comparable, failures, of_suite, scores
from volition.benchmarks.metaworld.tasks import TIER, TIERS
from volition.benchmarks.metaworld.trial import Row
from volition.benchmarks.metaworld.world import HORIZON
from volition.eval.report.figures import Share

SUITES = {
    "plain": "as asked in training, unseen seeds",
    "paraphrases": "held-out sentences",
    "swap": "told the sentence of the task that looks alike; the scene's own task done all the same",
}


@dataclass(frozen=True, kw_only=True)
class Table:
    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: tuple[int, ...] = (0,)  # columns of words
    bold: tuple[int, ...] = ()

    @property
    def markdown(self) -> str:
        lines = ["| " + " | ".join(self.headings) + " |", "|" + "---|" * len(self.headings)]
        lines += [
            "| " + " | ".join(f"**{cell}**" if number in self.bold and cell else cell for cell in row) + " |"
            for number, row in enumerate(self.rows)
        ]
        return f"## {self.title}\n\n" + "\n".join(lines) + "\n"


def beside(rows: Sequence[Row], manifest: dict[str, Any]) -> Table:
    """Ours and the published ones, in per cent; no average where not all tasks were tried."""
    plain = of_suite(rows, "plain")
    short = comparable(plain)
    ours = [("", scores(plain)), (f", {SHORT} steps", scores(plain, SHORT))]
    if len(short) < len(plain):
        ours.append((f", first {COMPARABLE} seeds of each task", scores(short)))
    parameters = f"{manifest['parameters'] / 1e6:.1f} M"
    lines = [
        (one.name, one.parameters, *(f"{tier:.1f}" for tier in one.tiers), f"{one.average:.1f}", one.source)
        for one in PUBLISHED
    ]
    own = [(f"ours{what}", parameters, *_tiers(found), _source(found, manifest)) for what, found in ours if found]
    return Table(
        title="Beside the published table",
        headings=("model", "parameters", *TIERS, "average", "source"),
        rows=(*own, *lines),
        left=(0, 7),
        bold=tuple(range(len(own))),
    )


def tiers(rows: Sequence[Row]) -> Table:
    lines: list[tuple[str, ...]] = []
    bold: list[int] = []
    for suite, meaning in SUITES.items():
        found = of_suite(rows, suite)
        for limit in (HORIZON, SHORT):
            score = scores(found, limit)
            if score is None:
                continue
            lines += [(suite, str(limit), one.name, *_cells(one)) for one in (*score.tiers, score.all)]
            bold.append(len(lines))
            average = f"{100 * score.average:.1f} ± {100 * score.half:.1f}"
            lines.append((suite, str(limit), "tier average", average, "", meaning))
    headings = ("suite", "steps", "tier", "%", "95 %", "trials")
    return Table(title="By tier", headings=headings, rows=tuple(lines), left=(0, 2, 5), bold=tuple(bold))


def tasks(rows: Sequence[Row]) -> Table:
    plain, ends = of_suite(rows, "plain"), failures(of_suite(rows, "plain"))
    long, short = scores(plain), scores(plain, SHORT)
    others = {
        suite: {one.name: one for one in found.tasks}
        for suite in ("paraphrases", "swap")
        if (found := scores(of_suite(rows, suite)))
    }
    lines = []
    for one, early in zip(long.tasks if long else (), short.tasks if short else (), strict=True):
        won = [row["steps"] for row in plain if row["task"] == one.name and row["success"]]
        kinds = ", ".join(f"{count} {why}" for why, count in ends[one.name].most_common() if why != "success")
        more = [f"{100 * of[one.name].rate:.0f}" if one.name in of else "" for of in others.values()]
        typical = f"{np.median(won):.0f}" if won else ""
        lines.append(
            (one.name, TIER[one.name], *_cells(one), f"{100 * early.rate:.0f}", *more, typical, kinds)
        )  # fmt: skip
    headings = ("task", "tier", "%", "95 %", "trials", f"% in {SHORT}", *others, "steps, median", "failures")
    return Table(title="By task", headings=headings, rows=tuple(lines), left=(0, 1, len(headings) - 1))


def cost(rows: Sequence[Row], manifest: dict[str, Any], spent: dict[str, float | None]) -> Table:
    """`spent`: core-hours by stage; None where nobody measured."""
    known = [hours for hours in spent.values() if hours is not None]
    lines = [
        ("parameters", f"{manifest['parameters']:,}".replace(",", " ")),
        ("of them learned", f"{manifest['trainable']:,}".replace(",", " ")),
        ("cameras", f"{', '.join(manifest['cameras'])}, {manifest['pixels']} px"),
        ("a decision", f"{np.median([row['decision_ms'] for row in rows]):.1f} ms, every {manifest['execute']} steps"),
        *((f"core-hours, {what}", "not measured" if one is None else f"{one:.2f}") for what, one in spent.items()),
        ("core-hours, all", f"{sum(known):.2f}"),
        ("machine", manifest["machine"]),
        ("checkpoint", manifest["checkpoint"][:16]),
    ]
    return Table(title="What it took", headings=("what", "how much"), rows=tuple(lines), left=(0, 1))


def _tiers(found: Scores) -> tuple[str, ...]:
    known = {one.name: one for one in found.tiers}
    cells = [f"{100 * known[tier].rate:.1f}" if tier in known else "" for tier in TIERS]
    return (*cells, f"{100 * found.average:.1f}" if found.whole else "")


def _source(found: Scores, manifest: dict[str, Any]) -> str:
    what = "" if found.whole else f"{len(found.tasks)} of 50 tasks; "
    return f"{what}{found.all.of} trials, {', '.join(manifest['cameras'])}"


def _cells(one: Share) -> tuple[str, str, str]:
    return f"{100 * one.rate:.1f}", one.between, f"{one.count} of {one.of}"
