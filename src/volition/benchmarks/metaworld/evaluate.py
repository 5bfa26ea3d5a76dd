"""`volition bench metaworld eval`: trials of one checkpoint in worker processes, each written down as it ends.

EvalConfig -> jobs -> workers (a Tester each) -> OUT/trials.jsonl; OUT/manifest.json says of which checkpoint they are
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

import volition
from volition.benchmarks.metaworld.configs import EvalConfig
from volition.benchmarks.metaworld.errors import MetaWorldError
from volition.benchmarks.metaworld.tasks import TWINS, tasks_of
from volition.benchmarks.metaworld.trial import Job, Row, Tester
from volition.benchmarks.metaworld.world import FIRST, suite
from volition.data.atomic import read_json, write_json
from volition.eval.report.manifest import commit, hash_of
from volition.eval.runner import TRIALS, bar, known_rows
from volition.model.checkpoint import load
from volition.processes import pool

MANIFEST = "manifest.json"
_tester: Tester | None = None  # a worker's own


def evaluate(config: EvalConfig) -> int:
    """Do the trials that are missing; returns 0."""
    suite("env_dict")  # says what is missing, before any worker starts
    jobs = jobs_of(config)
    _claim(config)
    known = known_rows(config.out / TRIALS)
    todo = [job for job in jobs if job.key not in known]
    wins = [bool(known[job.key]["success"]) for job in jobs if job.key in known]
    with (config.out / TRIALS).open("a", encoding="utf-8") as file, bar() as progress:
        task = progress.add_task("Trials", total=len(jobs), completed=len(wins), rate="")
        for row in tried(todo, config):
            wins.append(bool(row["success"]))
            file.write(json.dumps(row) + "\n")
            file.flush()
            progress.update(task, advance=1, rate=f"{100 * np.mean(wins):.0f} % done")
    print(f"{sum(wins)} of {len(wins)} trials succeeded. Next: volition bench metaworld report {config.out}")
    return 0


def jobs_of(config: EvalConfig) -> list[Job]:
    """By task, so that a worker keeps its world. Seeds count up from 1000 for each task."""
    name = "paraphrases" if config.paraphrases else "swap" if config.swap else "plain"
    tasks = [task for task in tasks_of(config.tasks) if not config.swap or task in TWINS]
    if not tasks:
        raise MetaWorldError(f"None of {config.tasks} has a task that looks alike; there are {', '.join(TWINS)}.")
    return [Job(suite=name, task=task, seed=FIRST + number) for task in tasks for number in range(config.episodes)]


def tried(jobs: Sequence[Job], config: EvalConfig) -> Iterator[Row]:
    """In the order in which they end."""
    if not jobs:
        return
    given = (str(config.checkpoint), config.execute, config.device)
    with pool(min(config.workers, len(jobs)), _begin, given) as executor:
        waiting = {executor.submit(_trial, job) for job in jobs}
        while waiting:
            ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in ended:
                yield future.result()


def _claim(config: EvalConfig) -> None:
    """The folder is this checkpoint's from now on; trials of another are not added to it."""
    checkpoint = load(config.checkpoint)
    shapes, model = checkpoint.design.shapes, checkpoint.model
    wanted: dict[str, Any] = {"checkpoint": hash_of(config.checkpoint), "execute": config.execute}
    path = config.out / MANIFEST
    if path.exists():
        found = read_json(path)
        for name, value in wanted.items():
            if found.get(name) != value:
                raise MetaWorldError(f"{config.out} has trials with another {name}; give another folder with --out.")
        return
    config.out.mkdir(parents=True, exist_ok=True)
    about = {
        "folder": str(config.checkpoint.resolve()),
        "recipe": checkpoint.design.recipe,
        "size": checkpoint.design.size,
        "cameras": list(shapes.cameras),
        "pixels": shapes.picture[0],
        "chunk": shapes.chunk,
        "parameters": sum(one.numel() for one in model.parameters()),
        "trainable": sum(one.numel() for one in model.parameters() if one.requires_grad),
        "data": checkpoint.about.get("data", []),
        "version": volition.__version__,
        "commit": commit(),
        "mujoco": mujoco.__version__,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "device": config.device,
        "first_seed": FIRST,
        "made": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }
    write_json(path, wanted | about)


def _begin(checkpoint: str, execute: int, device: str) -> None:
    global _tester
    _tester = Tester(Path(checkpoint), execute, device=device)
    Finalize(None, _tester.close, exitpriority=1)  # a picture's context that nobody frees complains when Python ends


def _trial(job: Job) -> Row:
    """In a worker."""
    assert _tester is not None
    return _tester.trial(job)
