"""What is said of a policy's doubt: how many failing episodes it catches in time, at how many false alarms.

Calibration, held-out episodes -> lines, one for all signals together and one for each alone -> uncertainty.{json,md,svg}
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from volition.data.atomic import replacing, write_json
from volition.eval.uncertainty_fit import Heard, Verdict, curve, judged
from volition.safety.calibration import Calibration

FOLDER = Path("docs/studies")
NAME = "uncertainty"
HEADINGS = ("signals", "failing caught in time", "95 %", "false alarms", "95 %", "lead s")
MEANING: dict[str, str] = {
    "change": "how much a new chunk differs from the one before about the same moments",
    "time": "how long the instruction has been under way",
    "strange": "distance of the fused feature from those of the training windows",
    "spread": "how much several samples of the chunk differ",
    "unseen": "how likely it is that the thing that is meant is in no picture",
    "vague": "how spread out the place is where it is looked for",
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One detector: the first is the one that is written beside the checkpoint."""

    name: str
    calibration: Calibration
    verdict: Verdict
    curve: list[dict[str, float]]


def line_of(name: str, calibration: Calibration, held_out: Sequence[Heard]) -> Line:
    return Line(
        name=name,
        calibration=calibration,
        verdict=judged(calibration, held_out),
        curve=curve(calibration, held_out),
    )


def cells(line: Line) -> list[str]:
    found = line.verdict
    return [
        line.name,
        f"{found.caught} of {found.failing}",
        _interval(found.catches),
        f"{found.alarmed} of {found.successful}",
        _interval(found.alarms),
        "" if found.lead_s is None else f"{found.lead_s:.1f}",
    ]


def _interval(ends: tuple[float, float]) -> str:
    return f"{100 * ends[0]:.0f}-{100 * ends[1]:.0f} %"


def show(lines: Sequence[Line]) -> None:
    shown = Table(title="Failing episodes caught before they fail, at the calibrated threshold")
    for number, heading in enumerate(HEADINGS):
        shown.add_column(heading, justify="left" if number == 0 else "right")
    for line in lines:
        shown.add_row(*cells(line))
    Console().print(shown)


def report(
    lines: Sequence[Line],
    *,
    policy: str,
    command: str,
    episodes: Mapping[str, Sequence[Heard]],
    name: str = NAME,
) -> None:
    """Into docs/studies."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, no GPU used"
    told: dict[str, Any] = {"command": command, "machine": machine, "policy": policy}
    told["episodes"] = {
        part: [{"key": one.key, "success": one.success, "why": one.why, "ended_s": one.ended_s} for one in found]
        for part, found in episodes.items()
    }
    told["lines"] = [
        {
            "name": line.name,
            "calibration": line.calibration.to_json(),
            "held_out": line.verdict.to_json(),
            "curve": line.curve,
        }
        for line in lines
    ]
    write_json(FOLDER / f"{name}.json", json.loads(json.dumps(told)))
    with replacing(FOLDER / f"{name}.md") as beside:
        beside.write_text(markdown(lines, policy=policy, command=command, machine=machine, name=name), encoding="utf-8")
    plot(lines, FOLDER / f"{name}.svg")
    print(f"Written: {FOLDER / name}.json, .md, .svg")


def markdown(lines: Sequence[Line], *, policy: str, command: str, machine: str, name: str = NAME) -> str:
    first = lines[0].calibration
    rows = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    rows += ["| " + " | ".join(cells(line)) + " |" for line in lines]
    weights = ", ".join(f"{one.name} {one.weight:.2f}" for one in first.signals)
    used = [one.name for one in first.signals]
    meaning = [f"- **{name}**: {MEANING[name]}" for name in MEANING if name in used]
    return "\n".join(
        [
            "# A policy's doubt",
            "",
            f"Made by `{command}` on {machine}; the policy is {policy}. What is done with it: "
            "[Safety](../safety.md#when-the-policy-is-unsure).",
            "",
            f"Episodes of scenes that no data set has. The threshold was set on other episodes, for at most "
            f"{100 * first.alarms:g} % false alarms among successful ones. Caught is a failing episode whose doubt reached the "
            "threshold before it failed; lead is the median time from there to the failure. “all” is what acts; the lines "
            "below it have one signal, or lack one, and a threshold of their own.",
            "",
            *rows,
            "",
            f"Weights of “all”: {weights}.",
            "",
            *meaning,
            "",
            f"![Failing episodes caught against false alarms]({name}.svg)",
            "",
        ]
    )


def plot(lines: Sequence[Line], path: Path) -> None:
    """Caught against false alarms over all thresholds; bands are 95 % intervals of the first line."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "volition"
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(6.5, 5.5), layout="constrained")
    for number, line in enumerate(lines):
        alarms = [100 * point["alarms"] for point in line.curve]
        caught = [100 * point["caught"] for point in line.curve]
        axis.step(alarms, caught, where="post", label=line.name, linewidth=2.4 if number == 0 else 1.0)
        if number == 0:
            low, high = ([100 * point[end] for point in line.curve] for end in ("caught_low", "caught_high"))
            axis.fill_between(alarms, low, high, step="post", alpha=0.15)
            found = line.verdict
            axis.plot(
                100 * found.alarmed / max(found.successful, 1),
                100 * found.caught / max(found.failing, 1),
                "o",
                color="black",
            )
    axis.axvline(100 * lines[0].calibration.alarms, color="grey", linewidth=0.8, linestyle=":")
    axis.set_xlim(0, 100)
    axis.set_ylim(0, 100)
    axis.set_xlabel("successful episodes that raise an alarm, %")
    axis.set_ylabel("failing episodes caught before they fail, %")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, loc="lower right")
    with replacing(path) as beside:
        figure.savefig(beside, metadata={"Date": None})
    pyplot.close(figure)
