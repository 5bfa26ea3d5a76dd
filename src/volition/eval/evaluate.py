"""`volition eval`: suites of trials, a table with intervals, and with another checkpoint what differs pair by pair.

EvalConfig -> jobs_of -> run_jobs -> Tables -> OUT/trials.jsonl, results.json, results.md
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import volition
from volition.data.atomic import write_json
from volition.errors import ContractError
from volition.eval.configs import EvalConfig
from volition.eval.intervals import wilson
from volition.eval.runner import Row, run_jobs
from volition.eval.suites import SUITES, jobs_of
from volition.model.checkpoint import load

MANIFEST, RESULTS = "manifest.json", "results.json"
WIDE = 150  # characters that the whole table needs
HEADINGS = (
    "suite", "condition", "skill", "successes", "95 %", "time s", "hands m", "jerk", "falls", "violations", "shield", "failures",
)  # fmt: skip


def evaluate(config: EvalConfig) -> int:
    """Try, write and print; returns 0."""
    names = list(SUITES) if config.suite == "all" else _names(config.suite)
    jobs = jobs_of(names, config.episodes, _names(config.skills))
    rows = _tried(config.checkpoint, jobs, config.out, config)
    lines = table(rows)
    results: dict[str, Any] = {"lines": lines, "sentences": sentences(rows)}
    _print(lines, f"{config.checkpoint}: {len(rows)} trials")
    if config.against is not None:
        others = _tried(config.against, jobs, config.out / "against", config)
        results["against"] = compared(rows, others)
        _print_compared(results["against"], config)
    for sentence in results["sentences"]:
        Console().print(sentence)
    write_json(config.out / RESULTS, results)
    (config.out / "results.md").write_text(markdown(lines), encoding="utf-8")
    print(f"Written: {config.out / RESULTS}, results.md, trials.jsonl")
    return 0


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _tried(checkpoint: Path, jobs: Sequence[Any], out: Path, config: EvalConfig) -> list[Row]:
    """Trials of a checkpoint; a folder with those of another one is refused."""
    load(checkpoint)  # a sentence now rather than a worker's death
    known = {"checkpoint": _hash(checkpoint), "version": volition.__version__}
    path = out / MANIFEST
    if path.exists() and json.loads(path.read_text(encoding="utf-8"))["checkpoint"] != known["checkpoint"]:
        raise ContractError(f"{out} holds trials of another checkpoint; give another folder with --out.")
    out.mkdir(parents=True, exist_ok=True)
    write_json(
        path,
        {
            **known,
            "suite": config.suite,
            "episodes": config.episodes,
            "skills": config.skills,
            "shown": str(config.shown or ""),
        },
    )
    return run_jobs(checkpoint, jobs, out, workers=config.workers, device=config.device, shown=config.shown)


def _hash(checkpoint: Path) -> str:
    import hashlib

    digest = hashlib.sha256()
    for name in ("model.safetensors", "stats.json"):
        digest.update((checkpoint / name).read_bytes())
    return digest.hexdigest()


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


def compared(rows: Sequence[Row], others: Sequence[Row]) -> list[dict[str, Any]]:
    """Pair by pair on the same seeds, for each suite: McNemar's exact test, and the interval of the difference."""
    found: list[dict[str, Any]] = []
    for suite in dict.fromkeys(row["suite"] for row in rows):
        pairs = [(a["success"], b["success"]) for a, b in zip(rows, others, strict=True) if a["suite"] == suite]
        better = sum(a and not b for a, b in pairs)
        worse = sum(b and not a for a, b in pairs)
        count = len(pairs)
        difference = (better - worse) / count
        # Newcombe's simple interval of a paired difference; the test below is exact.
        spread = math.sqrt(max(better + worse - (better - worse) ** 2 / count, 0.0)) / count
        found.append(
            {
                "suite": suite,
                "trials": count,
                "better": better,
                "worse": worse,
                "difference": difference,
                "low": difference - 1.96 * spread,
                "high": difference + 1.96 * spread,
                "p": mcnemar(better, worse),
            }
        )
    return found


def mcnemar(better: int, worse: int) -> float:
    """The two-sided exact p-value: as unlikely as this if each disagreement were a coin's toss."""
    count = better + worse
    if count == 0:
        return 1.0
    tail = sum(math.comb(count, k) for k in range(min(better, worse) + 1)) / 2**count
    return min(1.0, 2 * tail)


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
        str(one["falls"]),
        str(one["violations"]),
        str(shield),
        ", ".join(f"{count} {why}" for why, count in one["failures"].items()),
    ]


def markdown(lines: Sequence[dict[str, Any]]) -> str:
    rows = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    return "\n".join([*rows, *("| " + " | ".join(cells(one)) + " |" for one in lines)]) + "\n"


def _print(lines: Sequence[dict[str, Any]], title: str) -> None:
    console = Console()
    shown = range(len(HEADINGS)) if console.width >= WIDE else [1, 2, 3, 4, 5, 8, 9, 11]
    found = Table(title=title)
    for number in shown:
        left = number < 3 or number == len(HEADINGS) - 1
        found.add_column(HEADINGS[number], justify="left" if left else "right", no_wrap=number in (2, 3, 4))
    for one in lines:
        row = cells(one)
        found.add_row(*(row[number] for number in shown), style="bold" if one["skill"] == "all" else "")
    console.print(found)


def _print_compared(found: Sequence[dict[str, Any]], config: EvalConfig) -> None:
    shown = Table(title=f"{config.checkpoint} against {config.against}, pair by pair")
    for heading in ("suite", "pairs", "only the first", "only the other", "difference", "95 %", "McNemar p"):
        shown.add_column(heading, justify="right")
    for one in found:
        shown.add_row(
            one["suite"], str(one["trials"]), str(one["better"]), str(one["worse"]),
            f"{100 * one['difference']:+.1f} %", f"{100 * one['low']:+.1f} to {100 * one['high']:+.1f} %", f"{one['p']:.3g}",
        )  # fmt: skip
    Console().print(shown)
