"""What is said of the ways to execute chunks: a table, two plots, the rows behind them. Written by `real_time.py`.

rows of trials -> lines, one a checkpoint, condition and way, compared with the robot that waits -> real_time.{json,md,svg}
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from volition.data.atomic import replacing, write_json
from volition.eval.intervals import wilson
from volition.eval.paired import mcnemar
from volition.eval.runner import Row
from volition.runtime.ways import MEANING

FOLDER = Path("docs/studies")
NAME, BASE = "real_time", "wait"
HEADINGS = (
    "policy", "added ms", "frames lost", "way", "successes", "95 %", "against wait", "p", "time s", "jerk", "jerk to wait",
    "falls", "shield stops",
)  # fmt: skip
WIDE = 130  # characters that the whole table needs
NARROW = (1, 2, 3, 4, 5, 9, 10)  # columns of a narrow console
COLOURS = {"wait": "#b0b7c3", "switch": "#d98c5f", "blend": "#3a6ea5", "ensemble": "#5aa469", "continue": "#8e5ea2"}


def lines_of(found: Mapping[str, Sequence[Row]]) -> list[dict[str, Any]]:
    """Conditions in the order in which they were tried."""
    lines: list[dict[str, Any]] = []
    for policy, rows in found.items():
        groups: dict[tuple[float, float, str], list[Row]] = {}
        for row in rows:
            groups.setdefault((row["lost"], row["added_ms"], row["way"]), []).append(row)
        for (lost, added, way), group in groups.items():
            lines.append(_line(policy, added, lost, way, group, groups.get((lost, added, BASE))))
    return lines


def _line(policy: str, added: float, lost: float, way: str, rows: list[Row], base: list[Row] | None) -> dict[str, Any]:
    successes = sum(row["success"] for row in rows)
    low, high = wilson(successes, len(rows))
    times = [row["time_s"] for row in rows if row["success"]]
    jerk = float(np.median([row["jerk"] for row in rows]))
    line: dict[str, Any] = {
        "policy": policy,
        "added_ms": added,
        "lost": lost,
        "way": way,
        "trials": len(rows),
        "successes": successes,
        "low": low,
        "high": high,
        "time_s": float(np.median(times)) if times else None,
        "jerk": jerk,
        "falls": sum(row["fell"] for row in rows),
        "stops": sum(row["stops"] for row in rows),
    }
    if base is not None and way != BASE:
        other = {(row["skill"], row["seed"]): row for row in base}
        pairs = [(row, other[row["skill"], row["seed"]]) for row in rows]
        better = sum(a["success"] and not b["success"] for a, b in pairs)
        worse = sum(b["success"] and not a["success"] for a, b in pairs)
        line |= {"better": better, "worse": worse, "p": mcnemar(better, worse)}
        line["jerk_ratio"] = float(np.median([a["jerk"] / max(b["jerk"], 1e-9) for a, b in pairs]))
    return line


def cells(line: Mapping[str, Any]) -> list[str]:
    compared = "p" in line
    return [
        line["policy"],
        f"{line['added_ms']:g}",
        f"{100 * line['lost']:.0f} %",
        line["way"],
        f"{line['successes']} of {line['trials']}",
        f"{100 * line['low']:.0f}-{100 * line['high']:.0f} %",
        f"+{line['better']} -{line['worse']}" if compared else "",
        f"{line['p']:.2g}" if compared else "",
        "" if line["time_s"] is None else f"{line['time_s']:.1f}",
        f"{line['jerk']:.0f}",
        f"{line['jerk_ratio']:.2f}" if compared else "",
        str(line["falls"]),
        str(line["stops"]),
    ]


def report(found: Mapping[str, Sequence[Row]], *, command: str, settings: Mapping[str, Any], write: bool) -> None:
    """Print the table; write it with its plot and the rows."""
    lines = lines_of(found)
    console = Console()
    columns = range(1, len(HEADINGS)) if console.width >= WIDE else NARROW
    for policy in found:
        shown = Table(title=policy)
        for column in columns:
            shown.add_column(HEADINGS[column], justify="left" if HEADINGS[column] == "way" else "right", no_wrap=True)
        for line in lines:
            if line["policy"] == policy:
                shown.add_row(*(cells(line)[column] for column in columns))
        console.print(shown)
    if not write:
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, no GPU used"
    told = {"command": command, "machine": machine, "settings": settings, "lines": lines, "trials": found}
    write_json(FOLDER / f"{NAME}.json", json.loads(json.dumps(told, default=str)))
    with replacing(FOLDER / f"{NAME}.md") as beside:
        beside.write_text(markdown(lines, command, machine), encoding="utf-8")
    plot(lines, FOLDER / f"{NAME}.svg")
    print(f"Written: {FOLDER / NAME}.json, .md, .svg")


def markdown(lines: Sequence[Mapping[str, Any]], command: str, machine: str) -> str:
    rows = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    rows += ["| " + " | ".join(cells(line)) + " |" for line in lines]
    tried = dict.fromkeys(line["way"] for line in lines)
    meaning = [f"- **{way}**: {MEANING[way]}" for way in MEANING if way in tried]
    return "\n".join(
        [
            "# Chunks in real time",
            "",
            f"Made by `{command}` on {machine}. What it means: [Real time](../realtime.md).",
            "",
            "Every way has the same scenes and words. The added latency comes on top of the scene's own; a lost frame never "
            "reaches the policy. “Against wait” counts the trials in which only this way, or only the robot that waits, "
            "succeeds; p is McNemar's. Jerk is the root mean square over the arms' joints as sent, rad/s³, the median over "
            "trials; “jerk to wait” the median ratio on the same seeds. The shield takes chunks of up to 1.5 s.",
            "",
            *rows,
            "",
            *meaning,
            "",
            f"![Success and jerk of each way]({NAME}.svg)",
            "",
        ]
    )


def plot(lines: Sequence[Mapping[str, Any]], path: Path) -> None:
    """A row of two panels for each policy: success with its interval, and jerk."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "volition"
    from matplotlib import pyplot

    policies = list(dict.fromkeys(line["policy"] for line in lines))
    figure, axes = pyplot.subplots(
        len(policies), 2, figsize=(11, 3.4 * len(policies)), layout="constrained", squeeze=False
    )
    for (left, right), policy in zip(axes, policies, strict=True):
        own = [line for line in lines if line["policy"] == policy]
        places = list(dict.fromkeys((line["lost"], line["added_ms"]) for line in own))
        names = [f"{added:g} ms" + (f"\n{100 * lost:.0f} % lost" if lost else "") for lost, added in places]
        ways = list(dict.fromkeys(line["way"] for line in own))
        for number, way in enumerate(ways):
            some = [line for line in own if line["way"] == way]
            at = np.array([places.index((line["lost"], line["added_ms"])) for line in some])
            at = at + 0.8 * ((number + 0.5) / len(ways) - 0.5)
            rates = np.array([line["successes"] / line["trials"] for line in some])
            spread = np.array(
                [[rate - line["low"], line["high"] - rate] for rate, line in zip(rates, some, strict=True)]
            )
            width, colour = 0.8 / len(ways), COLOURS[way]
            left.bar(at, 100 * rates, width, color=colour, label=way)
            left.errorbar(at, 100 * rates, yerr=100 * np.clip(spread.T, 0, None), fmt="none", color="black", lw=0.8)
            right.bar(at, [line["jerk"] for line in some], width, color=colour, label=way)
        for axis, text in ((left, "successes, %"), (right, "jerk, rad/s³")):
            axis.set_xticks(range(len(places)), names, fontsize=8)
            axis.set_ylabel(text)
            axis.grid(axis="y", alpha=0.3)
        left.set_ylim(0, 100)
        left.set_title(policy, fontsize=10)
        right.legend(fontsize=8)
    with replacing(path) as beside:
        figure.savefig(beside, metadata={"Date": None})
    pyplot.close(figure)
