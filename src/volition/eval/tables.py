"""What is said of trials: a line for each suite, condition and skill, with Wilson's intervals; as JSON and as Markdown.

rows of trials -> table -> lines -> cells -> results.md, the console, report.html
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from volition.eval.intervals import wilson
from volition.eval.runner import Row

HEADINGS = (
    "suite", "condition", "skill", "successes", "95 %", "time s", "hands m", "jerk", "inference ms", "falls", "violations",
    "shield", "failures",
)  # fmt: skip


def table(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """A line for each suite, condition and skill; and one for all skills of a condition that has several."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["suite"], row["condition"], row["skill"]), []).append(row)
    conditions: dict[tuple[str, str], list[Row]] = {}
    for (suite, condition, _), found in groups.items():
        conditions.setdefault((suite, condition), []).extend(found)
    lines: list[dict[str, Any]] = []
    for (suite, condition), found in conditions.items():
        skills = [key for key in groups if key[:2] == (suite, condition)]
        lines += [line(*key, groups[key]) for key in skills]
        if len(skills) > 1:
            lines.append(line(suite, condition, "all", found))
    return lines


def line(suite: str, condition: str, skill: str, rows: list[Row]) -> dict[str, Any]:
    successes = sum(row["success"] for row in rows)
    low, high = wilson(successes, len(rows))
    times = [row["time_s"] for row in rows if row["success"]]
    took = [row["inference_ms"] for row in rows if row.get("inference_ms") is not None]
    shield = Counter({})
    for row in rows:
        shield.update(row["interventions"])
    return {
        "suite": suite,
        "condition": condition,
        "skill": skill,
        "trials": len(rows),
        "successes": successes,
        "low": low,
        "high": high,
        "time_s": float(np.median(times)) if times else None,
        "hand_m": float(np.median([row["hand_m"] for row in rows])),
        "jerk": float(np.median([row["jerk"] for row in rows])),
        "inference_ms": float(np.median(took)) if took else None,
        "falls": sum(row["fell"] for row in rows),
        "violations": sum(row["violations"] for row in rows),
        "shield": dict(shield.most_common()),
        "failures": dict(Counter(row["why"] for row in rows if not row["success"]).most_common()),
        "steps": float(np.mean([row["done"] for row in rows])),
    }


def sentences(rows: Sequence[Row]) -> list[str]:
    """What the tables do not show: how far chains go, and whether the words decide."""
    found: list[str] = []
    chains = [row for row in rows if row["suite"] == "chains"]
    if chains:
        mean = float(np.mean([row["done"] for row in chains]))
        half = 1.96 * float(np.std([row["done"] for row in chains])) / math.sqrt(len(chains))
        found.append(f"Chains: {mean:.2f} +- {half:.2f} of {chains[0]['goals']} steps over {len(chains)} chains.")
    swapped = [row for row in rows if row["suite"] == "swap"]
    if swapped:
        new, old = sum(row["success"] for row in swapped), sum(row["old_words"] for row in swapped)
        found.append(
            f"Words: told something else in the same scene, {new} of {len(swapped)} follow the new words, {old} did what "
            "the old ones said."
        )
    return found


def cells(one: dict[str, Any]) -> list[str]:
    shield = sum(one["shield"].values())
    return [
        one["suite"],
        one["condition"],
        one["skill"],
        f"{one['successes']} of {one['trials']}",
        f"{100 * one['low']:.0f}-{100 * one['high']:.0f} %",
        "" if one["time_s"] is None else f"{one['time_s']:.1f}",
        f"{one['hand_m']:.1f}",
        f"{one['jerk']:.0f}",
        "" if one["inference_ms"] is None else f"{one['inference_ms']:.0f}",
        str(one["falls"]),
        str(one["violations"]),
        str(shield),
        ", ".join(f"{count} {why}" for why, count in one["failures"].items()),
    ]


def markdown(lines: Sequence[dict[str, Any]]) -> str:
    rows = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    return "\n".join([*rows, *("| " + " | ".join(cells(one)) + " |" for one in lines)]) + "\n"
