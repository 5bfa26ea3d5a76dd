"""Runs trials of a checkpoint in worker processes, writes each down as it ends, and goes on where it was stopped.

Jobs -> workers (a Tester each) -> trials.jsonl, one row a trial -> rows in the order of the jobs
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from volition.data.store import Dataset
from volition.errors import VolitionError
from volition.eval.suites import Job
from volition.eval.trials import Tester
from volition.model.checkpoint import load
from volition.sim.language.say import say

TRIALS = "trials.jsonl"
Row = dict[str, Any]
_tester: Tester | None = None  # a worker's own


def run_jobs(
    checkpoint: Path, jobs: Sequence[Job], out: Path, *, workers: int, device: str = "cpu", shown: Path | None = None
) -> list[Row]:
    """A row a job. Rows of an earlier run of the same checkpoint in `out` are kept."""
    out.mkdir(parents=True, exist_ok=True)
    known = _known(out / TRIALS)
    todo = [job for job in jobs if job.key not in known]
    if todo:
        with (
            (out / TRIALS).open("a", encoding="utf-8") as file,
            _pool(checkpoint, workers, device, shown) as pool,
            _bar() as bar,
        ):
            task = bar.add_task("Trials", total=len(jobs), completed=len(jobs) - len(todo), rate="")
            waiting = {pool.submit(trial, job): job for job in todo}
            successes = [bool(row["success"]) for row in known.values()]
            while waiting:
                ended, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in ended:
                    job = waiting.pop(future)
                    row = future.result()
                    known[job.key] = row
                    successes.append(bool(row["success"]))
                    file.write(json.dumps(row) + "\n")
                    file.flush()
                    bar.update(task, advance=1, rate=f"{100 * np.mean(successes):.0f} % done")
    return [known[job.key] for job in jobs]


def trial(job: Job) -> Row:
    """In a worker."""
    if _tester is None:
        raise VolitionError("A worker began without its policy.")
    scene = job.scene()
    instruction = say(scene, scene.goals, np.random.default_rng([job.seed, 1]), job.words).text
    own = None if job.told is None else replace(job, told=None).scene().goals[0]
    result = _tester.run(scene, instruction, other=own)
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
        **result.measures,
    }
    if job.told is not None:
        row["old_words"] = result.other
    return row


def _known(path: Path) -> dict[str, Row]:
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


def _pool(checkpoint: Path, workers: int, device: str, shown: Path | None) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        max_workers=workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(str(checkpoint), device, shown),
    )


def _begin(checkpoint: str, device: str, shown: Path | None) -> None:
    """A worker's policy. One thread: workers share the cores."""
    import torch

    global _tester
    torch.set_num_threads(1)
    _tester = Tester(load(checkpoint), device=device, shown=None if shown is None else Dataset(shown))


def _bar() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
