"""`volition compress`: a smaller, faster policy, written only if it still does in closed loop what it did, as safely.

Checkpoint -> export/smaller.py -> the same trials before and after -> verdict -> the folder (or none), and a report
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from volition.data.atomic import replacing as replacing_file
from volition.data.atomic import write_json
from volition.eval.intervals import wilson
from volition.eval.paired import compared
from volition.eval.report.manifest import hash_of
from volition.eval.runner import Crew, Row
from volition.eval.suites import TRIED, jobs_of
from volition.eval.tried import try_all
from volition.export.command import CompressConfig
from volition.export.export import compare, put
from volition.export.folder import megabytes, read, replacing
from volition.export.smaller import decision_ms, recorded, smaller
from volition.model.checkpoint import Checkpoint, load

BEFORE, AFTER = "before", "after"
UNSAFE = ("fell", "violations", "stops")  # of a trial: the robot fell, a limit was broken, the shield took over
HEADINGS = ("", "before", "after")
_ROUNDS = 60


class Refused(Exception):
    """So that the folder beside is not put in place."""


def compress(config: CompressConfig) -> int:
    """0: written; 1: refused, with the reasons, and only the report is there."""
    console, checkpoint = Console(), load(config.checkpoint)
    report = config.out.with_name(config.out.name + ".report")
    found: dict[str, Any] = {}
    try:
        with replacing(config.out) as beside:
            with console.status("Making it smaller"):
                cuts = smaller(
                    beside,
                    checkpoint,
                    share=config.prune,
                    int8=config.int8,
                    data=config.data,
                    observations=config.observations,
                    seed=config.seed,
                )
                found = _measured(beside, checkpoint, config)
            rows = _tried(config, checkpoint, beside, report)
            found |= verdict(*rows, margin=config.margin) | {"cuts": [asdict(cut) for cut in cuts]}
            if found["refused"]:
                raise Refused
    except Refused:
        pass
    _write(report, config, found)
    _print(console, found)
    if found["refused"]:
        for why in found["refused"]:
            console.print(f"Refused: {why}", highlight=False)
        console.print(f"Nothing was written but {report}.", highlight=False)
        return 1
    console.print(f"Written: {config.out}. Try it: volition eval {config.out}", highlight=False)
    return 0


def verdict(before: Sequence[Row], after: Sequence[Row], *, margin: float) -> dict[str, Any]:
    """Of the same trials with both. `refused`: why the smaller one may not take the other's place; empty: it may.

    Not worse than `margin`, by the lower end of the interval of the paired difference: what cannot be shown is refused.
    And no more trials in which something unsafe happened.
    """
    pair = compared(after, before)
    refused = [
        f"in {one['suite']} success may be {-100 * one['low']:.0f} % lower ({one['better']} trials only after, "
        f"{one['worse']} only before, of {one['trials']}), and {100 * margin:.0f} % are allowed; more --episodes say more."
        for one in pair
        if one["low"] < -margin
    ]
    unsafe = {
        side: {what: sum(bool(row[what]) for row in rows) for what in UNSAFE}
        for side, rows in ((BEFORE, before), (AFTER, after))
    }
    refused += [
        f"trials with {what}: {unsafe[AFTER][what]} after, {unsafe[BEFORE][what]} before."
        for what in UNSAFE
        if unsafe[AFTER][what] > unsafe[BEFORE][what]
    ]
    successes = {side: sum(bool(row["success"]) for row in rows) for side, rows in ((BEFORE, before), (AFTER, after))}
    return {"trials": len(before), "successes": successes, "unsafe": unsafe, "paired": pair, "refused": refused}


def _measured(folder: Path, checkpoint: Checkpoint, config: CompressConfig) -> dict[str, Any]:
    """Sizes and times, beside those of the same policy exported as it is; and how much the decisions differ."""
    plain = folder.with_name(f".{config.out.name}.plain")
    shutil.rmtree(plain, ignore_errors=True)
    try:
        plain.mkdir()
        put(plain, checkpoint, "onnx")
        both = {BEFORE: read(plain), AFTER: read(folder)}
        given = recorded(both[BEFORE], checkpoint, config.data, 20, config.seed)
        took = decision_ms(both, given, rounds=_ROUNDS)
        differs = compare(folder, checkpoint, config.data, 20, config.seed)
        return {
            "megabytes": {side: round(megabytes(one.path), 1) for side, one in both.items()},
            "policy_megabytes": {side: round(one.file("policy").stat().st_size / 1e6, 2) for side, one in both.items()},
            "decision_ms": {side: round(wall, 2) for side, (wall, _) in took.items()},
            "processor_ms": {side: round(work, 2) for side, (_, work) in took.items()},
            "difference": differs.by_unit,
        }
    finally:
        shutil.rmtree(plain, ignore_errors=True)


def _tried(config: CompressConfig, checkpoint: Checkpoint, folder: Path, report: Path) -> tuple[list[Row], list[Row]]:
    """The same trials with the original and with the folder. Those of the original are kept from run to run."""
    names = [name.strip() for name in config.skills.split(",") if name.strip()]
    names = names or [name for name in checkpoint.design.shapes.tasks if name in TRIED]
    jobs = jobs_of(["skills"], config.episodes, names)
    shutil.rmtree(report / AFTER, ignore_errors=True)
    sides: list[list[Row]] = []
    for side, one in ((BEFORE, config.checkpoint), (AFTER, folder)):
        manifest = {"checkpoint": hash_of(one), "policy": str(one)}
        sides.append(try_all(manifest, jobs, report / side, Crew(checkpoint=one, workers=config.workers)))
    return sides[0], sides[1]


def lines(found: dict[str, Any]) -> list[list[str]]:
    """The table: what, before, after."""

    def row(name: str, key: str, unit: str) -> list[str]:
        return [name, *(f"{found[key][side]:.1f} {unit}" for side in (BEFORE, AFTER))]

    shown = [
        row("the network", "policy_megabytes", "MB"),
        row("the folder", "megabytes", "MB"),
        row("a decision, one thread, median", "decision_ms", "ms"),
        row("of it processor time", "processor_ms", "ms"),
    ]
    trials, successes = found["trials"], found["successes"]
    said = []
    for side in (BEFORE, AFTER):
        low, high = wilson(successes[side], trials)
        said.append(f"{successes[side]} of {trials} ({100 * low:.0f}-{100 * high:.0f} %)")
    shown.append(["successes (95 %)", *said])
    for what in UNSAFE:
        shown.append([f"trials with {what}", *(str(found["unsafe"][side][what]) for side in (BEFORE, AFTER))])
    return shown


def markdown(found: dict[str, Any]) -> str:
    head = ["| " + " | ".join(HEADINGS) + " |", "|---|---|---|"]
    return "\n".join([*head, *("| " + " | ".join(row) + " |" for row in lines(found))]) + "\n"


def _write(report: Path, config: CompressConfig, found: dict[str, Any]) -> None:
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(config).items()}
    write_json(report / "results.json", {"settings": settings, **found})
    with replacing_file(report / "results.md") as beside:
        beside.write_text(markdown(found), encoding="utf-8")


def _print(console: Console, found: dict[str, Any]) -> None:
    table = Table(title="Before and after")
    for number, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if number else "left")
    for row in lines(found):
        table.add_row(*row)
    console.print(table)
    largest = ", ".join(f"{value:.1e} {unit}" for unit, value in found["difference"].items())
    console.print(f"Decisions differ by at most {largest} on recorded observations.", highlight=False)
    for one in found["paired"]:
        console.print(
            f"Paired difference of success: {100 * one['difference']:+.1f} % ({100 * one['low']:+.1f} to "
            f"{100 * one['high']:+.1f} %), McNemar p {one['p']:.2g}.",
            highlight=False,
        )
