"""What the trials say: shares by task and tier with Wilson's intervals, the tier average, and what it cost.

rows of trials, steps allowed -> Scores -> results.json, results.md, report.html
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from volition.benchmarks.metaworld.tasks import TASKS, TIER, TIERS
from volition.benchmarks.metaworld.trial import Row
from volition.benchmarks.metaworld.world import FIRST, HORIZON
from volition.eval.report.figures import Share

SHORT = 400  # steps: some report what is done by then
COMPARABLE = 10  # episodes a task, as published


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Of one suite within so many steps. `tasks` and `tiers` have what was tried; `all` is over episodes."""

    limit: int
    tasks: tuple[Share, ...]
    tiers: tuple[Share, ...]
    all: Share

    @property
    def average(self) -> float:
        """The mean of the tiers' means: the published figure, if all four were tried."""
        return float(np.mean([tier.rate for tier in self.tiers]))

    @property
    def half(self) -> float:
        """Half of the 95 % interval of `average`, from those of the tiers."""
        widths = [high - low for low, high in (tier.interval for tier in self.tiers)]
        return math.sqrt(sum((width / 2) ** 2 for width in widths)) / len(widths)

    @property
    def whole(self) -> bool:
        """All 50 tasks were tried."""
        return len(self.tasks) == len(TASKS)

    def to_json(self) -> dict[str, Any]:
        return {
            "steps": self.limit,
            "tier_average": self.average,
            "tier_average_half_interval": self.half,
            "all_50_tasks": self.whole,
            "episodes": _share(self.all),
            "tiers": {one.name: _share(one) for one in self.tiers},
            "tasks": {one.name: _share(one) for one in self.tasks},
        }


def scores(rows: Sequence[Row], limit: int = HORIZON) -> Scores | None:
    """None where nothing was tried. A tier's mean is over its tasks, which all have the same number of episodes."""
    if not rows:
        return None

    def share(name: str, found: Sequence[Row]) -> Share:
        done = [row["success"] and row["steps"] <= limit for row in found]
        return Share(name=name, count=sum(done), of=len(done))

    tried = [task for task in TASKS if any(row["task"] == task for row in rows)]
    tasks = tuple(share(task, [row for row in rows if row["task"] == task]) for task in tried)
    tiers = tuple(
        share(tier, [row for row in rows if row["tier"] == tier])
        for tier in TIERS
        if any(TIER[task] == tier for task in tried)
    )
    return Scores(limit=limit, tasks=tasks, tiers=tiers, all=share("all", rows))


def of_suite(rows: Sequence[Row], suite: str) -> list[Row]:
    return [row for row in rows if row["suite"] == suite]


def comparable(rows: Sequence[Row]) -> list[Row]:
    """The first 10 seeds of each task, if there are more."""
    return [row for row in rows if row["seed"] < FIRST + COMPARABLE]


def failures(rows: Sequence[Row]) -> dict[str, Counter[str]]:
    """How each task's trials ended, worst task first."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        found.setdefault(row["task"], Counter())["success" if row["success"] else row["why"]] += 1
    return dict(sorted(found.items(), key=lambda item: item[1]["success"] / item[1].total()))


def decides(rows: Sequence[Row]) -> tuple[Share, Share] | None:
    """The scene's own task done: told its own sentence, and told that of the task that looks alike, same tasks and seeds."""
    swapped = of_suite(rows, "swap")
    seeds = {(row["task"], row["seed"]) for row in swapped}
    own = [row for row in of_suite(rows, "plain") if (row["task"], row["seed"]) in seeds]
    if not own:
        return None
    first, second = scores(own), scores([row for row in swapped if (row["task"], row["seed"]) in _seeds(own)])
    return None if first is None or second is None else (first.all, second.all)


def _seeds(rows: Sequence[Row]) -> set[tuple[str, int]]:
    return {(row["task"], row["seed"]) for row in rows}


def _share(one: Share) -> dict[str, Any]:
    low, high = one.interval
    return {"successes": one.count, "trials": one.of, "rate": one.rate, "low": low, "high": high}
