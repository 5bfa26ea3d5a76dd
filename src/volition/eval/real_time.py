"""How well the ways to execute chunks hide a slow policy: `python -m volition.eval.real_time CHECKPOINT... [--episodes 50]`.

    checkpoints, ways, added latencies, lost frames, seeds -> workers: Tester.run(Manner) -> OUT/NAME/trials.jsonl
    -> success and jerk of each way against the robot that waits (`wait`) -> docs/studies/real_time.{json,md,svg}

The same scenes and words for every way and condition. The same command goes on where it was stopped. `expert` in place of
a checkpoint is the skills' own teacher, which knows the scene: it shows what the ways do to a policy that is right.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from volition.data.atomic import read_json, write_json
from volition.errors import ContractError, said_plainly
from volition.eval.contestants import is_rival
from volition.eval.episode import Outcome, run_episode
from volition.eval.manner import Manner
from volition.eval.measures import Measures
from volition.eval.real_time_report import report
from volition.eval.rollout import Rig
from volition.eval.runner import Crew, Row, bar, known_rows, spread, tester, told_of
from volition.eval.suites import TRIED, Job, skills
from volition.export.folder import is_exported
from volition.model.checkpoint import load
from volition.processes import pool
from volition.robots.g1 import g1
from volition.runtime.ways import WAYS, Way
from volition.safety.calibration import weights_of
from volition.safety.config import ShieldConfig
from volition.sim.errand import Errand, expert_for
from volition.sim.stage import Stage

EXPERT = "expert"
TRIALS, MANIFEST = "trials.jsonl", "manifest.json"
PATIENT = ShieldConfig(stale_after=1.5)  # the ways are compared, not how soon the shield takes an old chunk for a fault


@dataclass(frozen=True, kw_only=True)
class RealTimeConfig:
    """Success and smoothness of each way to execute chunks, for added latencies and lost frames.

    Example: python -m volition.eval.real_time out/quick/best --skills press_button --episodes 50
    """

    checkpoints: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="CHECKPOINT")]
    """Folders of checkpoints or exported policies; `rival`; `expert`."""
    episodes: int = 50
    """Trials of each skill, way and condition."""
    skills: tuple[str, ...] = ("press_button",)
    """Which skills."""
    ways: tuple[Way, ...] = tuple(WAYS)
    """Which ways; `wait` is what the others are compared with."""
    added_ms: tuple[int, ...] = (0, 100, 200, 400)
    """Latency beside the scene's own."""
    lost: tuple[float, ...] = (0.0, 0.2)
    """Shares of the frames that get lost."""
    limit_s: float | None = None
    """Time for each goal, in place of the skill's own."""
    out: Path = Path("out/real_time")
    """Folder for the trials."""
    workers: int = 2
    """Processes."""
    dry: bool = False
    """Print only; write nothing into docs/studies."""

    def __post_init__(self) -> None:
        if not self.checkpoints:
            raise ContractError(f"There is no checkpoint to try; give its folder, or {EXPERT}.")
        for name, most in (("episodes", 10_000), ("workers", 64)):
            if not 1 <= getattr(self, name) <= most:
                raise ContractError(f"--{name} is {getattr(self, name)}; it must be 1 to {most}.")
        unknown = [name for name in self.skills if name not in TRIED]
        if unknown or not self.skills:
            raise ContractError(f"{', '.join(unknown) or 'No skill'} is not tried; skills are {', '.join(TRIED)}.")
        if not all(0 <= one <= 5000 for one in self.added_ms) or not self.added_ms:
            raise ContractError(f"--added-ms is {self.added_ms}; each must be 0 to 5000.")
        if not all(0 <= one < 1 for one in self.lost) or not self.lost:
            raise ContractError(f"--lost is {self.lost}; each must be a share, 0 to below 1.")


@dataclass(frozen=True, kw_only=True)
class Task:
    """One trial."""

    job: Job
    way: Way
    added_ms: int
    lost: float

    @property
    def key(self) -> str:
        return f"{self.way}/{self.added_ms}/{self.lost:g}/{self.job.skill}/{self.job.seed}"

    @property
    def manner(self) -> Manner:
        return Manner(
            way=self.way, added_s=self.added_ms / 1000, lost=self.lost, seed=self.job.seed % 2**32, shield=PATIENT
        )


def tasks_of(config: RealTimeConfig, ways: Sequence[Way]) -> list[Task]:
    jobs = [replace(job, limit_s=config.limit_s) for job in skills(config.episodes, config.skills)]
    return [
        Task(job=job, way=way, added_ms=added, lost=lost)
        for lost in config.lost
        for added in config.added_ms
        for way in ways
        for job in jobs
    ]


def trial(task: Task) -> Row:
    """In a worker: the policy."""
    scene, instruction, _ = told_of(task.job)
    done = tester().run(scene, instruction, limit_s=task.job.limit_s, manner=task.manner)
    return _row(task, done.outcome, done.measures)


def taught(task: Task) -> Row:
    """In a worker: the skill's own expert, who needs no cameras."""
    scene = task.job.scene()
    rig = _rig()
    stage = Stage(scene, rig.spec)
    try:
        errand, measures = Errand(stage, limit_s=task.job.limit_s), Measures(stage, rig.spec)
        done = run_episode(rig, errand, expert_for(errand), "demonstrate", on_tick=measures.tick, manner=task.manner)
    finally:
        stage.close()
    return _row(task, done, measures.result())


@functools.cache
def _rig() -> Rig:
    return Rig(g1(32))


def _row(task: Task, outcome: Outcome, measures: dict[str, float]) -> Row:
    summary = outcome.summary
    return {
        "key": task.key,
        "way": task.way,
        "added_ms": task.added_ms,
        "lost": task.lost,
        "skill": task.job.skill,
        "seed": task.job.seed,
        "success": outcome.success,
        "why": outcome.why,
        "time_s": round(outcome.time_s, 2),
        "fell": outcome.fell,
        "stops": outcome.stops,
        "chunks": summary.accepted,
        "late": summary.late,
        "errors": summary.errors,
        **measures,
    }


def ways_of(checkpoint: Path, ways: Sequence[Way]) -> list[Way]:
    """Those that this policy can do: only some heads go on from what is ahead."""
    named = is_expert(checkpoint) or is_rival(checkpoint) or is_exported(checkpoint)
    continues = not named and load(checkpoint).model.continues
    return [way for way in ways if way != "continue" or continues]


def is_expert(checkpoint: Path) -> bool:
    return str(checkpoint) == EXPERT and not checkpoint.exists()


def identity(checkpoint: Path) -> str:
    """By which a folder of trials knows whose they are."""
    plain = is_expert(checkpoint) or is_rival(checkpoint) or is_exported(checkpoint)
    return str(checkpoint) if plain else weights_of(checkpoint)


def name_of(checkpoint: Path) -> str:
    return "-".join(part for part in checkpoint.parts if part not in ("/", "..", "out")) or "checkpoint"


def run_tasks(checkpoint: Path, tasks: Sequence[Task], out: Path, *, workers: int, limit_s: float | None) -> list[Row]:
    """A row a task, in their order; what is written down already is not tried again."""
    about = {"checkpoint": identity(checkpoint), "limit_s": limit_s}
    if (out / MANIFEST).exists() and read_json(out / MANIFEST) != about:
        raise ContractError(f"{out} holds trials of another checkpoint or time limit; give another folder with --out.")
    write_json(out / MANIFEST, about)
    rows = known_rows(out / TRIALS)
    todo = [task for task in tasks if task.key not in rows]
    if todo:
        with (out / TRIALS).open("a", encoding="utf-8") as file, bar() as progress:
            shown = progress.add_task(name_of(checkpoint), total=len(tasks), completed=len(tasks) - len(todo), rate="")
            crew = Crew(checkpoint=checkpoint, workers=workers)
            for task, row in _teach(todo, workers) if is_expert(checkpoint) else spread(trial, todo, crew):
                rows[task.key] = row
                file.write(json.dumps(row) + "\n")
                file.flush()
                progress.update(shown, advance=1)
    return [rows[task.key] for task in tasks]


def _teach(tasks: Sequence[Task], workers: int) -> Iterator[tuple[Task, Row]]:
    with pool(workers) as executor:
        waiting = {executor.submit(taught, task): task for task in tasks}
        for future in as_completed(waiting):
            yield waiting[future], future.result()


def run(config: RealTimeConfig) -> int:
    found: dict[str, list[Row]] = {}
    for checkpoint in config.checkpoints:
        tasks = tasks_of(config, ways_of(checkpoint, config.ways))
        found[str(checkpoint)] = run_tasks(
            checkpoint, tasks, config.out / name_of(checkpoint), workers=config.workers, limit_s=config.limit_s
        )
    command = "python -m volition.eval.real_time " + " ".join(str(one) for one in config.checkpoints)
    command += f" --episodes {config.episodes} --skills {' '.join(config.skills)}"
    settings = {name: value for name, value in asdict(config).items() if name not in ("checkpoints", "out", "dry")}
    report(found, command=command, settings=settings, write=not config.dry)
    return 0


if __name__ == "__main__":
    with said_plainly():
        sys.exit(run(tyro.cli(RealTimeConfig)))
