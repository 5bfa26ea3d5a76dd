"""All recipes on one data set, with the same time to train, on the same held-out scenes: `python -m volition.eval.comparison`.

    data set -> the pace of each recipe -> volition train RECIPE (as many steps as fit into the same minutes)
    -> volition eval's runner -> docs/studies/recipes.{json,md,svg}

Each has a process and a thread of its own, two at once. Only the pace is a matter of time, so the machine should do
nothing else while it is taken (the first minutes); from then on all is counted in steps and comes out the same however
busy the machine is. Stopped, it goes on with the recipes it was at.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, wait
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from volition.data.atomic import write_json
from volition.data.store import Dataset
from volition.errors import VolitionError
from volition.eval.intervals import wilson
from volition.eval.runner import TRIALS, bar, run_jobs
from volition.eval.suites import Job, seeds
from volition.model.checkpoint import load
from volition.model.recipes import RECIPES, recipe
from volition.processes import pool
from volition.train.errors import TrainError

FOLDER = Path("docs/studies")
FLOOR = "simple"
LINE, LOG, PACE = "line.json", "log.txt", "pace.json"  # of each recipe, in its folder
PACED_MINUTES = 0.7  # of training at most, to take the pace
HEADINGS = (
    "recipe", "gives", "successes", "95 %", "wrong thing", "parameters", "trained", "windows/s", "steps", "error of the hand mm",
    "ms a decision",
)  # fmt: skip
WIDE = ("gives", "parameters", "windows/s", "error of the hand mm")  # not on the screen, in the files only


def compare(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """A line a recipe; what is known already is not done again."""
    folders = {name: arguments.out / name for name in arguments.recipes}
    with pool(arguments.workers) as executor, bar() as progress:
        _all(
            executor, progress, pace, {name: it for name, it in folders.items() if not (it / PACE).exists()}, arguments
        )
        _all(executor, progress, one, {name: it for name, it in folders.items() if not (it / LINE).exists()}, arguments)
    lines = [json.loads((folder / LINE).read_text(encoding="utf-8")) for folder in folders.values()]
    _print(lines)
    return lines


def _all(
    executor: Executor,
    progress: Progress,
    work: Callable[..., str],
    folders: dict[str, Path],
    arguments: argparse.Namespace,
) -> None:
    """`work` for each recipe, with a bar of its own."""
    bars = {name: progress.add_task(name, total=100, rate="waits") for name in folders}
    waiting = {executor.submit(work, name, folder, arguments): name for name, folder in folders.items()}
    while waiting:
        ended, _ = wait(waiting, timeout=2, return_when=FIRST_COMPLETED)
        for name in waiting.values():
            share, said = _so_far(folders[name], arguments)
            progress.update(bars[name], completed=100 * share, rate=said)
        for future in ended:
            name, said = waiting.pop(future), future.result()
            progress.update(bars[name], completed=100, rate=said)
            if not sys.stderr.isatty():
                print(f"{name}: {said}", file=sys.stderr, flush=True)


def pace(name: str, folder: Path, arguments: argparse.Namespace) -> str:
    """How many steps fit into the minutes, by the processor time that a few take.

    Of a tenth of the episodes, whose sentences are soon all known: a frozen language encoder reads each once, at first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOG).open("a", encoding="utf-8") as log, tempfile.TemporaryDirectory() as scratch:
        trial = Path(scratch) / "paced"
        budget = [
            "--minutes",
            str(min(PACED_MINUTES, arguments.minutes)),
            "--clock",
            "processor",
            "--log-every",
            "1",
            "--warmup-steps",
            "1",
        ]
        command = [*_training(name, trial, arguments), *budget, "--held-out", "0.9"]
        _run(command, log)
        spent = [row["seconds"] for row in _metrics(trial) if "seconds" in row]
    step_s = float(np.median(np.diff([0.0, *spent])[len(spent) // 2 :]))
    steps = max(1, round(60 * arguments.minutes / step_s))
    write_json(folder / PACE, {"step_s": step_s, "steps": steps, "minutes": arguments.minutes})
    return f"{steps} steps of {1000 * step_s:.0f} ms"


def one(name: str, folder: Path, arguments: argparse.Namespace) -> str:
    """Train and try one recipe, in a process of its own that speaks to its log."""
    steps = json.loads((folder / PACE).read_text(encoding="utf-8"))["steps"]
    with (folder / LOG).open("a", encoding="utf-8") as log:
        sys.stderr = log
        if not (folder / "last" / "config.json").exists():
            budget = ["--steps", str(steps), "--warmup-steps", str(min(50, steps // 10)), "--resume"]
            _run([*_training(name, folder, arguments), *budget], log)
        line = _try(name, folder, arguments)
    write_json(folder / LINE, line)
    return f"{line['successes']} of {line['trials']}"


def _run(command: list[str], log: TextIO) -> None:
    code = subprocess.run(command, stdout=log, stderr=log).returncode
    if code:
        raise TrainError(f"A training ended with exit code {code}; {log.name} says why.")


def _metrics(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "metrics.jsonl").read_text(encoding="utf-8")
    return [json.loads(row) for row in text.splitlines()]


def _so_far(folder: Path, arguments: argparse.Namespace) -> tuple[float, str]:
    """Half of it is training."""
    trials, metrics, paced = folder / "trials" / TRIALS, folder / "metrics.jsonl", folder / PACE
    if trials.exists():
        done = trials.read_bytes().count(b"\n")
        return 0.5 + 0.5 * done / arguments.episodes, f"trial {done}"
    if not metrics.exists() or not paced.exists():
        return 0.0, "waits"
    rows = metrics.read_bytes().splitlines()[:-1]  # the last may still be in writing
    step = json.loads(rows[-1])["step"] if rows else 0
    return 0.5 * min(1, step / json.loads(paced.read_text(encoding="utf-8"))["steps"]), "trains"


def _training(name: str, folder: Path, arguments: argparse.Namespace) -> list[str]:
    return [
        sys.executable, "-m", "volition.cli", "train", name, "--data", str(arguments.data), "--skills", arguments.skill, "--out", str(folder),
        "--threads", "1", "--loaders", "1", "--size", arguments.size, "--batch", str(arguments.batch), "--seed", str(arguments.seed),
        "--validate-every", "0", "--validation-batches", "20", "--save-every", "500", "--ema", "0.99",
    ]  # fmt: skip


def _try(name: str, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    checkpoint = load(folder / "last")
    jobs = [
        Job(suite="recipes", condition=name, skill=arguments.skill, seed=seed, limit_s=arguments.seconds)
        for seed in seeds(arguments.skill, arguments.episodes, "train")
    ]
    shown = arguments.data if checkpoint.design.shapes.shown else None
    rows = run_jobs(folder / "last", jobs, folder / "trials", workers=1, shown=shown)
    successes = sum(row["success"] for row in rows)
    low, high = wilson(successes, len(rows))
    validated = [row for row in _metrics(folder) if "validation/loss" in row]
    hands = [
        value for key, value in (validated[-1] if validated else {}).items()
        if key.startswith("validation/error/") and key.endswith("[m]")
    ]  # fmt: skip
    model = checkpoint.model
    return {
        "recipe": name,
        "gives": recipe(name).gives,
        "successes": successes,
        "trials": len(rows),
        "low": low,
        "high": high,
        "falls": sum(row["fell"] for row in rows),
        "violations": sum(row["violations"] for row in rows),
        "why": {why: sum(row["why"] == why for row in rows) for why in sorted({row["why"] for row in rows})},
        "parameters": sum(one.numel() for one in model.parameters()),
        "trained": sum(one.numel() for one in model.parameters() if one.requires_grad),
        "steps": checkpoint.about["step"],
        "windows_per_s": arguments.batch / json.loads((folder / PACE).read_text(encoding="utf-8"))["step_s"],
        "hand_mm": 1000 * float(np.mean(hands)) if hands else None,
        "decision_ms": _decision_ms(folder / "last"),
    }


def _decision_ms(folder: Path) -> float:
    """In a process with one thread, as evaluations run."""
    program = (
        "import sys, torch; torch.set_num_threads(1); from volition.model.checkpoint import load; "
        "from volition.model.table import decision_ms; c = load(sys.argv[1]); print(decision_ms(c.model, c.design.shapes, 20))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(folder)], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def cells(line: dict[str, Any]) -> list[str]:
    return [
        line["recipe"],
        line["gives"],
        f"{line['successes']} of {line['trials']}",
        f"{100 * line['low']:.0f}-{100 * line['high']:.0f} %",
        str(line["why"].get("wrong_thing", 0)),
        f"{line['parameters'] / 1e6:.1f} M",
        f"{line['trained'] / 1e6:.1f} M",
        f"{line['windows_per_s']:.0f}",
        str(line["steps"]),
        "" if line["hand_mm"] is None else f"{line['hand_mm']:.1f}",
        f"{line['decision_ms']:.0f}",
    ]


def report(lines: list[dict[str, Any]], arguments: argparse.Namespace) -> None:
    """Best first, as JSON, Markdown and a plot."""
    ordered = sorted(lines, key=lambda line: -line["successes"])
    with Dataset(arguments.data) as dataset:
        data = f"{dataset.episodes} demonstrations, {len(dataset)} frames, fingerprint {dataset.fingerprint()[:12]}"
    command = (
        f"python -m volition.eval.comparison --data DATA --skill {arguments.skill} --minutes {arguments.minutes:g} "
        f"--episodes {arguments.episodes} --seconds {arguments.seconds:g} --size {arguments.size} --batch {arguments.batch} --seed {arguments.seed}"
    )
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    FOLDER.mkdir(parents=True, exist_ok=True)
    content = {
        "command": command,
        "machine": machine,
        "data": data,
        "made": time.strftime("%Y-%m-%d"),
        "lines": ordered,
    }
    write_json(FOLDER / "recipes.json", content)
    rows = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    rows += ["| " + " | ".join(cells(line)) + " |" for line in ordered]
    text = [
        "# The recipes compared",
        "",
        f"`{arguments.skill}`: {data}. Each recipe, at size {arguments.size}, was trained for as many steps as fit into {arguments.minutes:g} minutes of one core "
        f"({machine}), then tried in {arguments.episodes} scenes that no data set has, {arguments.seconds:g} s each. Made by `{command}`.",
        "",
        *rows,
        "",
        "![Successes of each recipe with their 95 % intervals](recipes.svg)",
        "",
    ]
    (FOLDER / "recipes.md").write_text("\n".join(text), encoding="utf-8")
    _plot(ordered)


def _plot(lines: list[dict[str, Any]]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "volition"
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(8, 0.4 * len(lines) + 1), layout="constrained")
    rates = np.array([line["successes"] / line["trials"] for line in lines])
    below = rates - np.array([line["low"] for line in lines])
    above = np.array([line["high"] for line in lines]) - rates
    places = np.arange(len(lines))
    axis.barh(places, 100 * rates, color=["#b0b7c3" if line["recipe"] == FLOOR else "#3a6ea5" for line in lines])
    axis.errorbar(
        100 * rates, places, xerr=100 * np.clip([below, above], 0, None), fmt="none", color="black", capsize=3
    )
    axis.set_yticks(places, [line["recipe"] for line in lines])
    axis.invert_yaxis()
    axis.set_xlim(0, 100)
    axis.set_xlabel("successes, %")
    figure.savefig(FOLDER / "recipes.svg", metadata={"Date": None})
    pyplot.close(figure)


def _print(lines: list[dict[str, Any]]) -> None:
    """What fits into 80 columns."""
    shown = Table(title="Recipes compared")
    kept = [heading for heading in HEADINGS if heading not in WIDE]
    for heading in kept:
        shown.add_column(heading, justify="left" if heading == "recipe" else "right")
    for line in lines:
        shown.add_row(*(cell for heading, cell in zip(HEADINGS, cells(line), strict=True) if heading in kept))
    Console().print(shown)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a data set of one skill")
    parser.add_argument("--out", type=Path, default=Path("out/comparison"))
    parser.add_argument("--skill", default="press_button")
    parser.add_argument("--minutes", type=float, default=8.0, help="of training, each, on one core (default 8)")
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=8.0, help="that a trial has (default 8)")
    parser.add_argument("--size", default="small", choices=("standard", "small", "test"))
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="recipes at once (default 2)")
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--dry", action="store_true", help="print the table only")
    arguments = parser.parse_args()
    try:
        lines = compare(arguments)
    except VolitionError as error:
        sys.exit(f"volition: {error}")
    if not arguments.dry:
        report(lines, arguments)


if __name__ == "__main__":
    main()
