"""`volition eval`: suites of trials, a table with intervals, and with another checkpoint what differs pair by pair.

EvalConfig -> asked -> try_all -> tables -> OUT/trials.jsonl, results.json, results.md, films -> report.html
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from volition.data.atomic import replacing, write_json
from volition.errors import ContractError
from volition.eval.configs import EvalConfig
from volition.eval.contestants import is_rival
from volition.eval.paired import compared
from volition.eval.report.agreement import Agreement, again, agreement
from volition.eval.report.films import filmed
from volition.eval.report.manifest import manifest_of
from volition.eval.report.page import Report, page
from volition.eval.report.recorded import PAGE, against, read_report
from volition.eval.runner import Crew, Row
from volition.eval.suites import asked
from volition.eval.tables import HEADINGS, cells, markdown, sentences, table
from volition.eval.tried import AGAINST, try_all
from volition.export.folder import is_exported

OUT = Path("out/report")
RESULTS = "results.json"
WIDE = 160  # characters that the whole table needs
NARROW = (1, 2, 3, 4, 5, 9, 10, 12)  # columns of a narrow console


def evaluate(config: EvalConfig) -> int:
    """Try, write and print; returns 0, or 1 where a report was to be reproduced and was not."""
    if config.reproduce is None:
        _report(config)
        return 0
    recorded = read_report(config.reproduce)
    config = again(recorded, config)
    print(f"Into {config.out}, again: {recorded.manifest['command']}")
    return _print_agreement(agreement(recorded, _report(config, reproduces=recorded.manifest["made"])))


def _report(config: EvalConfig, *, reproduces: str = "") -> list[Row]:
    """All trials, those of the other checkpoint too."""
    out, checkpoint = config.out or OUT, config.checkpoint
    if checkpoint is None:
        raise ContractError("There is no checkpoint to try; give its folder.")
    jobs = asked(config.suite, config.episodes, config.skills)
    manifest = manifest_of(config, checkpoint, reproduces=reproduces)
    rows = try_all(manifest, jobs, out, _crew(config, checkpoint))
    others: list[Row] = []
    lines = table(rows)
    results: dict[str, Any] = {"lines": lines, "sentences": sentences(rows)}
    _print(lines, f"{checkpoint}: {len(rows)} trials")
    if config.against is not None:
        other = manifest_of(config, config.against, reproduces=reproduces)
        others = try_all(other, jobs, out / AGAINST, _crew(config, config.against))
        results["against"] = compared(rows, others)
        _print_compared(results["against"], config)
    for sentence in results["sentences"]:
        Console().print(sentence)
    write_json(out / RESULTS, results)
    (out / "results.md").write_text(markdown(lines), encoding="utf-8")
    # Films show what a policy looks at, which neither of these can say.
    films = filmed(
        rows, 0 if is_rival(checkpoint) or is_exported(checkpoint) else config.films, out, _crew(config, checkpoint)
    )
    report = Report(
        manifest=manifest, rows=rows, lines=lines, films=films, compared=results.get("against", []), others=others
    )
    with replacing(out / PAGE) as beside:
        beside.write_text(page(report), encoding="utf-8")
    print(f"Written: {out / PAGE}, {RESULTS}, results.md, trials.jsonl")
    return [*rows, *against(others)]


def _crew(config: EvalConfig, checkpoint: Path) -> Crew:
    return Crew(checkpoint=checkpoint, workers=config.workers, device=config.device, shown=config.shown)


def _print(lines: Sequence[dict[str, Any]], title: str) -> None:
    console = Console()
    shown = range(len(HEADINGS)) if console.width >= WIDE else NARROW
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


def _print_agreement(found: Sequence[Agreement]) -> int:
    """0 if every line agrees, else 1."""
    shown = Table(title="Then and now")
    for number, heading in enumerate(("suite", "condition", "skill", "then", "now", "same outcome", "same time", "")):
        shown.add_column(heading, justify="left" if number in (0, 1, 2, 7) else "right")
    for one in found:
        shown.add_row(
            one.suite, one.condition, one.skill, f"{one.then} of {one.trials}", f"{one.now} of {one.trials}",
            f"{one.same} of {one.trials}", f"{one.timed} of {one.trials}", "agrees" if one.agrees else "[bold]differs",
        )  # fmt: skip
    Console().print(shown)
    wrong = [one for one in found if not one.agrees]
    trials, same = sum(one.trials for one in found), sum(one.same for one in found)
    verdict = "Reproduced" if not wrong else "Not reproduced"
    print(
        f"{verdict}: {len(found) - len(wrong)} of {len(found)} lines agree; {same} of {trials} trials ended as before."
    )
    return 1 if wrong else 0
