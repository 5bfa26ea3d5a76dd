"""`volition data generate`: workers stage demonstrations, this process puts them into the data set in their order.

    Recipe -> jobs -> Workers (its maker in each) -> OUT/.staged/<run>/episode-000012 -> DatasetWriter.adopt -> OUT

SIGTERM ends it as Ctrl-C does. Nothing that is finished is lost by either or by a kill: staged episodes are taken up by the next run. Each run stages
into a folder of its own, so that a worker which outlives its killed parent for a moment disturbs nobody.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from volition.body.proprioception import Proprioception
from volition.data.feature import Feature
from volition.data.stage import load_staged
from volition.data.writer import DatasetWriter
from volition.robots.g1 import g1
from volition.sim.choices import axes_of, skills_of
from volition.teach.configs import GenerateConfig, LooksConfig, ScenesConfig
from volition.teach.demonstrate import features_of
from volition.teach.errors import TeachError
from volition.teach.ledger import Ledger
from volition.teach.ray_workers import RayWorkers
from volition.teach.recipe import Plan, Recipe
from volition.teach.workers import LocalWorkers, Workers, folder_of
from volition.types import RobotSpec

STAGED = ".staged"
AHEAD = 8  # episodes a worker may be ahead of the slowest one: they wait on disk
SAY = 60.0  # s between lines where there is no terminal

AnyConfig = GenerateConfig | ScenesConfig | LooksConfig
Report = Callable[[int, int, int], None]  # episodes done, of this run, failures


def generate(config: GenerateConfig) -> int:
    """Make what is missing of the data set; returns 0."""
    recipe = Recipe(
        skills=skills_of(config.skill, chains=True),
        seed=config.seed,
        axes=axes_of(config.axes),
        noise=config.noise,
        recoveries=config.recoveries,
        seconds=config.seconds,
        pixels=config.pixels,
        **({} if config.policy is None else _corrected(config.policy, config.expert)),
    )
    robot = g1(recipe.pixels)
    return make(config, recipe, robot, features_of(robot, Proprioception(robot)), "ee")


def make(config: AnyConfig, recipe: Plan, robot: RobotSpec, features: Sequence[Feature], action: str) -> int:
    """The same for any plan: what is staged and resumed, in which order, and what is refused; `action` is the main one."""
    ledger = Ledger(config.out, recipe)
    with DatasetWriter.open(config.out, features, robot.policy_rate_hz, robot.name, action_spec=action) as writer:
        ledger.begin()
        begun, frames, begin = writer.episodes, writer.frames, time.monotonic()
        try:
            with _ends_well():
                _fill(config, recipe, writer)
        except KeyboardInterrupt:
            print(
                f"{writer.episodes} of {config.episodes} episodes are made; the same command goes on.", file=sys.stderr
            )
            raise
        finally:
            seconds = round(time.monotonic() - begin, 2)
            run = {"episodes": writer.episodes - begun, "frames": writer.frames - frames, "seconds": seconds}
            writer.close()
            ledger.add_run(**run, workers=config.workers, backend=config.backend, cores=os.cpu_count())
    ledger.print()
    return 0


def _corrected(policy: Path, expert: float) -> dict[str, Any]:
    weights = policy / "model.safetensors"
    if not weights.is_file():
        raise TeachError(f"{policy} has no model.safetensors; give the folder of a checkpoint, such as out/run/best.")
    with weights.open("rb") as file:
        return {
            "policy": str(policy.resolve()),
            "weights": hashlib.file_digest(file, "sha256").hexdigest(),
            "expert": expert,
        }


@contextmanager
def _ends_well() -> Iterator[None]:
    """A SIGTERM, as batch systems send it, ends the run as Ctrl-C does: with its figures written down."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield  # signals go to the main thread only
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _fill(config: AnyConfig, recipe: Plan, writer: DatasetWriter) -> None:
    staged = config.out / STAGED
    if writer.episodes >= config.episodes:
        shutil.rmtree(staged, ignore_errors=True)
        return
    folder = staged.resolve() / uuid.uuid4().hex[:12]
    ready = _take_up(staged, folder, recipe, writer.episodes)
    with _workers(config, recipe, folder) as workers, _progress(config.episodes) as report:
        give, failures, begun = writer.episodes, 0, writer.episodes
        while writer.episodes < config.episodes:
            last = min(config.episodes, writer.episodes + AHEAD * config.workers)
            while workers.idle and give < last:
                if give not in ready:
                    workers.give(recipe.job(give))
                give += 1
            while (number := writer.episodes) in ready and number < config.episodes:
                writer.adopt(load_staged(ready.pop(number)))
            report(writer.episodes, writer.episodes - begun, failures)
            if writer.episodes < config.episodes:
                for made in workers.take(1.0):
                    ready[made.number] = Path(made.folder)
                    failures += len(made.failed)
    shutil.rmtree(staged, ignore_errors=True)


def _take_up(staged: Path, folder: Path, recipe: Plan, episodes: int) -> dict[int, Path]:
    """Move what earlier runs finished and nobody adopted to this run's folder; the rest of theirs goes."""
    folder.mkdir(parents=True)
    ready: dict[int, Path] = {}
    for path in sorted(staged.glob("*/episode-*")):
        number = int(path.name.removeprefix("episode-"))
        if number >= episodes and number not in ready:
            ready[number] = path.rename(folder_of(folder, recipe.job(number)))
    for other in staged.iterdir():
        if other.name != folder.name:
            shutil.rmtree(other, ignore_errors=True)
    return ready


@contextmanager
def _workers(config: AnyConfig, recipe: Plan, folder: Path) -> Iterator[Workers]:
    if config.backend == "ray":
        workers: Workers = RayWorkers(recipe, folder, config.workers, config.address)
    else:
        workers = LocalWorkers(recipe, folder, config.workers)
    try:
        yield workers
    finally:
        workers.close()


@contextmanager
def _progress(total: int) -> Iterator[Report]:
    """A bar on stderr, where that is a terminal; elsewhere a line now and then."""
    columns = (
        TextColumn("Making"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    terminal = sys.stderr.isatty()
    bar = Progress(*columns, console=Console(stderr=True), disable=not terminal)
    begin = said = time.monotonic()

    def report(done: int, fresh: int, failures: int) -> None:
        nonlocal said
        now = time.monotonic()
        rate = 3600 * fresh / (now - begin) if fresh else 0.0
        pace = f"{rate:.0f}/h, {failures} failed"
        bar.update(task, completed=done, pace=pace)
        if not terminal and now - said > SAY:
            said = now
            left = f", {(total - done) / rate * 60:.0f} min left" if rate else ""
            print(f"{done} of {total} episodes, {pace}{left}", file=sys.stderr, flush=True)

    with bar:
        task = bar.add_task("", total=total, pace="")
        yield report
