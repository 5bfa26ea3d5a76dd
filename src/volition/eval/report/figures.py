"""What the page says beyond the tables: do the words decide, how far chains go, what makes it harder, what failures are.

rows -> Share, and lists of them -> page.py
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from volition.eval.intervals import wilson
from volition.eval.runner import Row


@dataclass(frozen=True, kw_only=True)
class Share:
    """So many of so many."""

    name: str
    count: int
    of: int

    @property
    def rate(self) -> float:
        return self.count / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.count, self.of)

    @property
    def percent(self) -> str:
        return f"{100 * self.rate:.0f} %"

    @property
    def between(self) -> str:
        low, high = self.interval
        return f"{100 * low:.0f}-{100 * high:.0f} %"


def share(name: str, rows: Iterable[Row], of: str = "success") -> Share:
    values = [bool(row[of]) for row in rows]
    return Share(name=name, count=sum(values), of=len(values))


def by(rows: Iterable[Row], name: str) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[name], []).append(row)
    return groups


def suites(rows: Sequence[Row]) -> list[Share]:
    return [share(name, found) for name, found in by(rows, "suite").items()]


def words(rows: Sequence[Row]) -> list[Share]:
    """Told another thing in the scenes of `skills`: what was done."""
    swapped = [row for row in rows if row["suite"] == "swap"]
    if not swapped:
        return []
    neither = [not row["success"] and not row["old_words"] for row in swapped]
    return [
        share("does what the new words say", swapped),
        share("does what the old words said", swapped, "old_words"),
        Share(name="does neither", count=sum(neither), of=len(neither)),
    ]


def chain_length(rows: Sequence[Row]) -> tuple[float, float] | None:
    """How many of five steps are done on average, and half of the 95 % interval; None without chains."""
    done = [row["done"] for row in rows if row["suite"] == "chains"]
    if not done:
        return None
    return float(np.mean(done)), 1.96 * float(np.std(done)) / math.sqrt(len(done))


def chain_steps(rows: Sequence[Row]) -> list[Share]:
    """How many chains have so many steps done, and more."""
    chains = [row for row in rows if row["suite"] == "chains"]
    most = max((row["goals"] for row in chains), default=0)
    return [
        Share(name=f"{step} step{'s' * (step > 1)}", count=sum(row["done"] >= step for row in chains), of=len(chains))
        for step in range(1, most + 1)
    ]


def complexity(rows: Sequence[Row]) -> list[tuple[Share, float]]:
    """Whole commands done, by how many steps they ask for; and how many steps of them on average."""
    plain = [row for row in rows if row["suite"] in ("skills", "steps", "chains")]
    found = []
    for (goals, alone), group in sorted(_by_complexity(plain).items(), key=lambda item: (item[0][0], not item[0][1])):
        name = "1 action, alone on the table" if alone else f"{goals} step{'s' * (goals > 1)}, long table"
        found.append((share(name, group), float(np.mean([row["done"] for row in group]))))
    return found


def _by_complexity(rows: Iterable[Row]) -> dict[tuple[int, bool], list[Row]]:
    groups: dict[tuple[int, bool], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["goals"], row["suite"] == "skills"), []).append(row)
    return groups


def axes(rows: Sequence[Row]) -> tuple[Share | None, list[Share]]:
    """Of the robustness suite; and before it the same scenes with nothing changed, if they were tried."""
    hard = [row for row in rows if row["suite"] == "robustness"]
    plain = [row for row in rows if row["suite"] == "skills"]
    found = [share(name, group) for name, group in by(hard, "condition").items()]
    return (share("nothing changed", plain) if plain else None), found


def failures(rows: Sequence[Row]) -> dict[str, Counter[str]]:
    """How trials ended, by skill, without those that were made harder or told another thing; with them if there are no others."""
    plain = [row for row in rows if row["suite"] not in ("robustness", "swap")] or list(rows)
    return {
        skill: Counter("success" if row["success"] else row["why"] for row in group)
        for skill, group in by(plain, "skill").items()
    }


def reasons(rows: Sequence[Row]) -> dict[str, Counter[str]]:
    """What the shield did, by reason, of each skill."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        found.setdefault(row["skill"], Counter()).update(row["interventions"])
    return found
