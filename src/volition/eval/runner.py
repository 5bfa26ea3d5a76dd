"""Runs trials of a checkpoint in worker processes, writes each down as it ends, and goes on where it was stopped.

Jobs -> workers (a Tester each) -> trials.jsonl, one row a trial -> rows in the order of the jobs
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from volition.data.store import Dataset
from volition.errors import VolitionError
from volition.eval.contestants import is_rival
from volition.eval.suites import Job
from volition.eval.trials import Tester
from volition.export.folder import is_exported, read
from volition.model.checkpoint import load
from volition.processes import pool
from volition.sim.language.say import say
from volition.sim.scene import Goal, Scene

TRIALS = "trials.jsonl"
Row = dict[str, Any]
Task = TypeVar("Task")
Result = TypeVar("Result")
_tester: Tester | None = None  # a worker's own


@dataclass(frozen=True, kw_only=True)
class Crew:
    """Worker processes with one policy each. `truth`: which is told where things are."""

    checkpoint: Path
    workers: int
    device: str = "cpu"
    shown: Path | None = None
    truth: bool = False


def run_jobs(
    checkpoint: Path, jobs: Sequence[Job], out: Path, *, workers: int, device: str = "cpu", shown: Path | None = None
) -> list[Row]:
    """A row a job. Rows of an earlier run of the same checkpoint in `out` are kept."""
    out.mkdir(parents=True, exist_ok=True)
    known = known_rows(out / TRIALS)
    todo = [job for job in jobs if job.key not in known]
    if todo:
        crew = Crew(checkpoint=checkpoint, workers=workers, device=device, shown=shown)
        successes = [bool(row["success"]) for row in known.values()]
        with (out / TRIALS).open("a", encoding="utf-8") as file, bar() as progress:
            task = progress.add_task("Trials", total=len(jobs), completed=len(jobs) - len(todo), rate="")
            for job, row in spread(trial, todo, crew):
                known[job.key] = row
                successes.append(bool(row["success"]))
                file.write(json.dumps(row) + "\n")
                file.flush()
                progress.update(task, advance=1, rate=f"{100 * np.mean(successes):.0f} % done")
    return [known[job.key] for job in jobs]


def spread(work: Callable[[Task], Result], tasks: Sequence[Task], crew: Crew) -> Iterator[tuple[Task, Result]]:
    """Each task with what came of it, in the order in which they end. `work` runs in a worker, where `tester()` is."""
    with pool(crew.workers, _begin, (str(crew.checkpoint), crew.device, crew.shown, crew.truth)) as executor:
        waiting = {executor.submit(work, task): task for task in tasks}
        while waiting:
            ended, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in ended:
                yield waiting.pop(future), future.result()


def tester() -> Tester:
    """This worker's."""
    if _tester is None:
        raise VolitionError("A worker began without its policy.")
    return _tester


def told_of(job: Job) -> tuple[Scene, str, Goal | None]:
    """The scene, what is said in it, and the goal that its own words would have asked for, where others are said."""
    scene = job.scene()
    instruction = say(scene, scene.goals, np.random.default_rng([job.seed, 1]), job.words).text
    return scene, instruction, None if job.told is None else replace(job, told=None).scene().goals[0]


def trial(job: Job) -> Row:
    """In a worker."""
    scene, instruction, own = told_of(job)
    result = tester().run(scene, instruction, other=own, limit_s=job.limit_s)
    outcome = result.outcome
    row: Row = {
        **job.to_json(),
        "key": job.key,
        "instruction": instruction,
        "success": outcome.success,
        "why": outcome.why,
        "done": outcome.done,
        "goals": outcome.goals,
        "time_s": round(outcome.time_s, 2),
        "fell": outcome.fell,
        "stops": outcome.stops,
        "interventions": dict(outcome.summary.interventions),
        "errors": outcome.summary.errors,
        "latency_p50_ms": None
        if outcome.summary.latency_p50_s is None
        else round(1000 * outcome.summary.latency_p50_s, 2),
        "inference_ms": None if result.inference_s is None else round(1000 * result.inference_s, 2),
        **result.measures,
    }
    if job.told is not None:
        row["old_words"] = result.other
    return row


def known_rows(path: Path) -> dict[str, Row]:
    """What is written down already; a last line that a kill cut off is left out, and cut off."""
    if not path.exists():
        return {}
    rows: dict[str, Row] = {}
    whole = 0
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            row = json.loads(line) if line.endswith(b"\n") else None
        except ValueError:
            row = None
        if row is None:
            break
        rows[row["key"]] = row
        whole += len(line)
    os.truncate(path, whole)
    return rows


def _begin(checkpoint: str, device: str, shown: Path | None, truth: bool) -> None:
    """A worker's policy. One thread: workers share the cores."""
    import torch

    global _tester
    torch.set_num_threads(1)
    folder = Path(checkpoint)
    found = None if is_rival(folder) else read(folder) if is_exported(folder) else load(folder)
    _tester = Tester(found, device=device, shown=None if shown is None else Dataset(shown), truth=truth)


def bar() -> Progress:
    """Of tasks with a `rate`, a few words on how it goes."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
