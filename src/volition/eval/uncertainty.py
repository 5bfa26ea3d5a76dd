"""Learns what a policy's doubts mean, and shows how many failures they foretell: `python -m volition.eval.uncertainty CHECKPOINT`.

    training windows -> Features (uncertainty.safetensors)
    --calibrate N closed-loop episodes -> Calibration (uncertainty.json), both beside the weights: from then on doubt can act
    --episodes M others -> failing episodes caught before they fail against false alarms -> docs/studies/uncertainty.{json,md,svg}

Nothing acts in these episodes. Each is a line in OUT/episodes.jsonl as it ends; the same command goes on where it stopped.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from volition.data.atomic import read_json, write_json
from volition.errors import ContractError, VolitionError, said_plainly
from volition.eval.runner import Row, bar, known_rows, told_of
from volition.eval.suites import TRIED, Job, seeds
from volition.eval.trials import Tester
from volition.eval.uncertainty_fit import Heard, fitted, names_in
from volition.eval.uncertainty_report import Line, line_of, report, show
from volition.export.check import moments, shown
from volition.export.folder import Folder, is_exported
from volition.export.folder import read as read_exported
from volition.export.policy import weights_of as weights_of_exported
from volition.model.checkpoint import Checkpoint, load
from volition.model.inputs import Sentences
from volition.model.policy import inputs_of
from volition.model.uncertainty import Doubts, features_of, read_features
from volition.policy import Policy
from volition.processes import pool
from volition.runtime.doubt import Signs
from volition.safety.calibration import CALIBRATION, weights_of
from volition.types import ActionChunk, ActionSpec, Observation

FIRST = {"calibrate": 75_000_000, "held_out": 76_000_000}  # seeds: no data set, no report and no command comes here
EPISODES, MANIFEST = "episodes.jsonl", "manifest.json"
TIME = "time"
_tester: Tester | None = None  # a worker's own


@dataclass(frozen=True, kw_only=True)
class UncertaintyConfig:
    """Calibrate a checkpoint's doubt in closed loop, and see what it foretells in episodes that it was not calibrated on.

    Example: python -m volition.eval.uncertainty out/quick/best --data out/quick/data --calibrate 100 --episodes 100
    """

    checkpoint: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CHECKPOINT")]
    """Folder of a checkpoint, or of an exported policy; the calibration is written into it."""
    calibrate: int = 100
    """Episodes of each skill that the calibration is made of."""
    episodes: int = 100
    """Other episodes of each skill, to judge it."""
    skills: tuple[str, ...] = ("press_button",)
    """Which skills."""
    data: Path | None = None
    """The data set it was trained on: from its windows come the statistics of features. None: without that signal."""
    windows: int = 800
    """How many windows of it."""
    alarms: float = 0.1
    """Share of successful episodes that may be taken for failing."""
    without: tuple[str, ...] = ()
    """Signals that are not to count."""
    limit_s: float | None = None
    """Time for each goal, in place of the skill's own."""
    out: Path | None = None
    """Folder for the episodes; CHECKPOINT.uncertainty if nothing is said."""
    workers: int = 2
    """Processes."""
    dry: bool = False
    """Write nothing into docs/studies."""

    def __post_init__(self) -> None:
        for name, least, most in (
            ("calibrate", 1, 100_000), ("episodes", 1, 100_000), ("windows", 40, 1_000_000), ("workers", 1, 64),
        ):  # fmt: skip
            if not least <= getattr(self, name) <= most:
                raise ContractError(f"--{name} is {getattr(self, name)}; it must be {least} to {most}.")
        if not 0.0 < self.alarms <= 0.5:
            raise ContractError(f"--alarms is {self.alarms}; it must be a share above 0 and at most 0.5.")
        unknown = [name for name in self.skills if name not in TRIED]
        if unknown or not self.skills:
            raise ContractError(f"{', '.join(unknown) or 'No skill'} is not tried; skills are {', '.join(TRIED)}.")


class Listening:
    """Around a policy: keeps when each chunk was there, and its signals. `latency_s`: how long the robot waits for it."""

    def __init__(self, policy: Policy, latency_s: float) -> None:
        self._policy, self._latency = policy, latency_s
        self._signs = Signs(policy.action_spec)
        self._begin: float | None = None
        self.chunks: list[tuple[float, dict[str, float]]] = []

    @property
    def action_spec(self) -> ActionSpec:
        return self._policy.action_spec

    def reset(self, instruction: str) -> None:
        self._policy.reset(instruction)

    def infer(self, observation: Observation) -> ActionChunk:
        chunk = self._policy.infer(observation)
        if self._begin is None:
            self._begin = observation.stamp
        signals = {**self._signs.of(chunk), **chunk.doubt}
        time = chunk.stamp - self._begin + self._latency
        self.chunks.append((round(time, 3), {name: float(f"{value:.5g}") for name, value in signals.items()}))
        return chunk


def episode(task: tuple[str, Job]) -> Row:
    """In a worker: one run, watched and not acted upon."""
    part, job = task
    if _tester is None:
        raise VolitionError("A worker began without its policy.")
    scene, instruction, _ = told_of(job)
    heard: list[Listening] = []

    def around(policy: Policy) -> Policy:
        heard.append(Listening(policy, scene.physics.latency_s))
        return heard[-1]

    outcome = _tester.run(scene, instruction, limit_s=job.limit_s, around=around).outcome
    return {
        "key": f"{part}/{job.key}",
        "part": part,
        "success": outcome.success,
        "why": outcome.why,
        "ended_s": round(outcome.time_s, 3),
        "chunks": [one for one in heard[0].chunks if one[0] < outcome.time_s],
    }


def begin(checkpoint: str) -> None:
    """A worker's policy. One thread: workers share the cores."""
    import torch

    global _tester
    torch.set_num_threads(1)
    tried, weights = policy_in(Path(checkpoint))
    alone = isinstance(tried, Folder)  # then only what is seen from outside counts
    _tester = Tester(tried, doubts=None if alone else Doubts(read_features(Path(checkpoint), weights)))


def policy_in(folder: Path) -> tuple[Checkpoint | Folder, str]:
    """A checkpoint or an exported policy, and the hash by which its calibration knows it."""
    if is_exported(folder):
        found = read_exported(folder)
        return found, weights_of_exported(found)
    return load(folder), weights_of(folder)


def tasks_of(config: UncertaintyConfig) -> list[tuple[str, Job]]:
    counts = {"calibrate": config.calibrate, "held_out": config.episodes}
    return [
        (part, Job(suite="uncertainty", condition=part, skill=skill, seed=seed, limit_s=config.limit_s))
        for part, count in counts.items()
        for skill in config.skills
        for seed in seeds(skill, count, "train", first=FIRST[part])
    ]


def run_episodes(config: UncertaintyConfig, weights: str, out: Path) -> dict[str, list[Heard]]:
    """By part; what is written down already is not run again."""
    about = {"weights": weights, "limit_s": config.limit_s, "data": str(config.data)}
    if (out / MANIFEST).exists() and read_json(out / MANIFEST) != about:
        raise ContractError(
            f"{out} holds episodes of other weights, data or time limit; give another folder with --out."
        )
    write_json(out / MANIFEST, about)
    tasks, rows = tasks_of(config), known_rows(out / EPISODES)
    todo = [(part, job) for part, job in tasks if f"{part}/{job.key}" not in rows]
    if todo:
        with (out / EPISODES).open("a", encoding="utf-8") as file, bar() as progress:
            shown_as = progress.add_task("Episodes", total=len(tasks), completed=len(tasks) - len(todo), rate="")
            for row in _spread(config, todo):
                rows[row["key"]] = row
                file.write(json.dumps(row) + "\n")
                file.flush()
                progress.update(shown_as, advance=1)
    found: dict[str, list[Heard]] = {part: [] for part in FIRST}
    for part, job in tasks:
        found[part].append(heard_from(rows[f"{part}/{job.key}"]))
    return found


def _spread(config: UncertaintyConfig, tasks: Sequence[tuple[str, Job]]) -> Iterator[Row]:
    with pool(config.workers, begin, (str(config.checkpoint),)) as executor:
        waiting = {executor.submit(episode, task) for task in tasks}
        while waiting:
            ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in ended:
                yield future.result()


def heard_from(row: Row) -> Heard:
    return Heard(
        success=row["success"],
        ended_s=row["ended_s"],
        chunks=tuple((time, signals) for time, signals in row["chunks"]),
        key=row["key"],
        why=row["why"],
    )


def features_from(checkpoint: Checkpoint, data: Path, windows: int, *, seed: int = 0) -> np.ndarray:
    """The fused features (N, D) of so many windows of a data set, asked as they were."""
    import torch

    told: Sentences | None = None
    found: list[np.ndarray] = []
    with torch.inference_mode():
        for moment, _, given in shown(checkpoint, moments(checkpoint, data, windows, seed), seed):
            if moment.first or told is None:
                told = checkpoint.model.read([moment.sentence])
            context = checkpoint.model.think(inputs_of(given, told)).context
            found.append(context.pooled[0].double().cpu().numpy())
    return np.array(found)


def lines_of(episodes: dict[str, list[Heard]], names: Sequence[str], **settings: Any) -> list[Line]:
    """All signals together first; then each alone, and all without the time, which alone foretells what takes too long."""
    parts: dict[str, list[str]] = {"all": list(names)}
    if TIME in names and len(names) > 1:
        parts["all but time"] = [name for name in names if name != TIME]
    parts |= {f"{name} alone": [name] for name in names} if len(names) > 1 else {}
    return [
        line_of(name, fitted(episodes["calibrate"], own, **settings), episodes["held_out"])
        for name, own in parts.items()
    ]


def run(config: UncertaintyConfig) -> int:
    folder = config.checkpoint
    tried, weights = policy_in(folder)
    out = config.out or folder.with_name(f"{folder.name}.uncertainty")
    if config.data is not None:
        if isinstance(tried, Folder):
            raise ContractError(
                f"--data is for features, and {folder} is exported and says nothing of its own; leave it out."
            )
        if not (out / EPISODES).exists():
            features_of(features_from(tried, config.data, config.windows)).save(folder, weights)
    episodes = run_episodes(config, weights, out)
    names = [name for name in names_in(episodes["calibrate"]) if name not in config.without]
    command = (
        f"python -m volition.eval.uncertainty {folder} --calibrate {config.calibrate} --episodes {config.episodes}"
    )
    command += f" --skills {' '.join(config.skills)}" + (f" --data {config.data}" if config.data else "")
    about = {
        "command": command,
        "episodes": {part: len(found) for part, found in episodes.items()},
        "failed": {part: sum(not one.success for one in found) for part, found in episodes.items()},
        "first_seeds": FIRST,
    }
    lines = lines_of(episodes, names, alarms=config.alarms, weights=weights, about=about)
    acting = lines[0]
    write_json(folder / CALIBRATION, {**acting.calibration.to_json(), "held_out": acting.verdict.to_json()})
    show(lines)
    print(f"Written: {folder / CALIBRATION}")
    if not config.dry:
        recipe = tried.manifest.recipe if isinstance(tried, Folder) else tried.design.recipe
        report(lines, policy=recipe, command=command, episodes=episodes)
    return 0


if __name__ == "__main__":
    with said_plainly():
        sys.exit(run(tyro.cli(UncertaintyConfig)))
