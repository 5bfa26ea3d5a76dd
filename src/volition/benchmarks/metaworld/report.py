"""`volition bench metaworld report`: what the trials in a folder say, beside what others published.

OUT/trials.jsonl, manifest.json -> Scores, tables, films -> OUT/results.json, results.md, tiers.svg, report.html
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Shown

from volition.benchmarks.metaworld import page as pages
from volition.benchmarks.metaworld import tables
from volition.benchmarks.metaworld.configs import ReportConfig
from volition.benchmarks.metaworld.errors import MetaWorldError
from volition.benchmarks.metaworld.evaluate import MANIFEST
from volition.benchmarks.metaworld.films import filmed
from volition.benchmarks.metaworld.results import SHORT, Scores, decides, of_suite, scores
from volition.benchmarks.metaworld.train import COST
from volition.benchmarks.metaworld.trial import Row
from volition.benchmarks.metaworld.world import HORIZON
from volition.data.atomic import read_json, replacing, write_json
from volition.data.store import Dataset
from volition.eval.runner import TRIALS, known_rows
from volition.teach.ledger import LEDGER


def report(config: ReportConfig) -> int:
    """Write and print; returns 0."""
    rows = sorted(known_rows(config.out / TRIALS).values(), key=lambda row: row["key"])
    score = scores(of_suite(rows, "plain"))
    if score is None:
        raise MetaWorldError(f"{config.out} has no plain trials; run `volition bench metaworld eval` first.")
    manifest = read_json(config.out / MANIFEST)
    spent = _spent(rows, manifest, config.data)
    found = [tables.beside(rows, manifest), tables.tiers(rows), tables.tasks(rows), tables.cost(rows, manifest, spent)]
    said = sentences(rows, score, manifest, config.data)
    films = filmed(rows, config.films, config.out, manifest)
    title = f"Meta-World, {len(score.tasks)} tasks, one policy: {100 * score.average:.1f} %"
    write_json(config.out / "results.json", _results(rows, manifest, spent, said))
    _write(
        config.out / "results.md",
        "\n".join([f"# {title}\n", *(f"{text}\n" for text in said), *(one.markdown for one in found)]),
    )
    _write(config.out / "tiers.svg", pages.alone(pages.bars(score)))
    _write(config.out / "report.html", pages.page(title, said, found, score, rows, films))
    _print(found[:2])
    print(f"Written: {config.out / 'report.html'}, results.md, results.json, tiers.svg")
    return 0


def sentences(rows: Sequence[Row], score: Scores, manifest: dict[str, Any], data: Sequence[Path]) -> list[str]:
    """What the tables do not say by themselves."""
    found = [
        f"One policy ({manifest['recipe']}, {manifest['parameters'] / 1e6:.1f} M parameters), {len(score.tasks)} tasks, "
        f"{score.all.of} trials on seeds from {manifest['first_seed']}: {100 * score.average:.1f} ± {100 * score.half:.1f} % "
        f"as the mean of {len(score.tiers)} tier{'s' * (len(score.tiers) > 1)}, {100 * score.all.rate:.1f} % ({score.all.between}) over episodes.",
        f"It sees {', '.join(manifest['cameras'])} at {manifest['pixels']} px (corner2: the part of the published picture in "
        "which things happen), the hand's place and the gripper's opening, and nothing else.",
    ]
    if not score.whole:
        found.append("Not all 50 tasks were tried, so the average cannot be compared with the published ones.")
    taught = labels(data)
    if taught:
        found.append(taught)
    words = decides(rows)
    if words is not None:
        own, swapped = words
        found.append(
            f"Does the word decide? Told the sentence of the task that looks alike, it still did the scene's own task in "
            f"{swapped.count} of {swapped.of} trials ({swapped.between}); told its own sentence, in {own.count} of {own.of}."
        )
    return found


def labels(data: Sequence[Path]) -> str:
    """How many demonstrations, and how often the expert was asked beyond them."""
    parts = []
    for folder in data:
        with Dataset(folder) as dataset:
            infos = [record.info for record in dataset.metadata.episodes]
            corrected = bool(read_json(folder / LEDGER)["recipe"].get("weights"))
        asked = sum(info["labels"] for info in infos)
        what = "corrections" if corrected else "demonstrations"
        parts.append(f"{len(infos)} {what} ({asked} frames{', each an expert query' if corrected else ''})")
    return f"Taught on {' and '.join(parts)}." if parts else ""


def _spent(rows: Sequence[Row], manifest: dict[str, Any], data: Sequence[Path]) -> dict[str, float | None]:
    """Core-hours. Of demonstrations wall time times workers; of training and trials what the processor counted."""
    hours: list[float] = []
    for folder in data:
        runs = read_json(folder / LEDGER)["runs"]
        hours.append(sum(run["seconds"] * min(run["workers"], run["cores"]) for run in runs) / 3600)
    cost = Path(manifest["folder"]).parent / COST
    return {
        "demonstrations": sum(hours) if hours else None,
        "training": read_json(cost)["core_hours"] if cost.exists() else None,
        "trials": sum(row["core_s"] for row in rows) / 3600,
    }


def _results(rows: Sequence[Row], manifest: dict[str, Any], spent: Any, said: Sequence[str]) -> dict[str, Any]:
    found = {
        suite: [score.to_json() for limit in (HORIZON, SHORT) if (score := scores(of_suite(rows, suite), limit))]
        for suite in tables.SUITES
    }
    return {"sentences": list(said), "suites": found, "core_hours": spent, "manifest": manifest}


def _write(path: Path, text: str) -> None:
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def _print(found: Sequence[tables.Table]) -> None:
    """Without the sources, which are long."""
    console = Console()
    for one in found:
        shown, columns = Shown(title=one.title), [at for at, name in enumerate(one.headings) if name != "source"]
        for at in columns:
            shown.add_column(one.headings[at], justify="left" if at in one.left else "right")
        for number, row in enumerate(one.rows):
            shown.add_row(*(row[at] for at in columns), style="bold" if number in one.bold else "")
        console.print(shown)
