"""The settings of `volition bench metaworld ...`: read by the command line, checked when they are built.

Only the standard library and tyro are imported, so that `volition --help` is quick and needs no simulator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from volition.benchmarks.metaworld.errors import MetaWorldError


def _check(owner: object, **limits: tuple[float, float]) -> None:
    for name, (low, high) in limits.items():
        value = getattr(owner, name)
        if not (math.isfinite(value) and low <= value <= high):
            raise MetaWorldError(f"{type(owner).__name__}.{name} is {value}; it must be {low:g} to {high:g}.")


@dataclass(frozen=True, kw_only=True)
class GenerateConfig:
    """Let the suite's experts demonstrate its tasks and record it; the same command again goes on where it ended.

    Example: volition bench metaworld generate --demonstrations 50 --workers 2 --out out/metaworld/data
    """

    out: Path
    """Folder of the data set: new, empty, or one that this command began."""
    tasks: str = "all"
    """Tasks or tiers with commas between, or `all`."""
    demonstrations: int = 50
    """Of each task, a multiple of 5; more of them later leave those that are there as they are."""
    workers: int = 2
    """How many processes; they do not change what is made."""
    seed: int = 0
    """Seed of everything random; no two seeds share a scene."""
    cameras: tuple[str, ...] = ("corner2",)
    """`corner2` as the protocol has it, `gripper` as a second one."""
    pixels: int = 128
    """Side of the square pictures, a multiple of 8."""
    noisy: float = 0.75
    """Share of the demonstrations in which the motion strays from its label, 0 to 1; those that fail are not kept."""
    spread: float = 0.25
    """How far it strays: standard deviation, as a share of the largest action."""
    hold: int = 25
    """Steps more after the task is done."""
    policy: Path | None = None
    """Checkpoint that acts while the expert says at every frame what it would do: corrections, for another training."""
    expert: float = 0.2
    """With --policy: share of the time that the expert leads all the same, 0 to 1."""
    execute: int = 5
    """With --policy: actions of a chunk that are carried out before it decides again."""

    def __post_init__(self) -> None:
        _check(self, demonstrations=(5, 1000), workers=(1, 1024), seed=(0, 100_000), pixels=(16, 512), noisy=(0, 1))
        _check(self, spread=(0, 1), hold=(0, 400), expert=(0, 1), execute=(1, 100))
        if self.demonstrations % 5 or self.pixels % 8:
            raise MetaWorldError(
                f"There are {self.demonstrations} demonstrations and {self.pixels} pixels; give multiples of 5 and of 8."
            )


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Train one policy for all tasks of the data, each task as often; the same command again goes on where it ended.

    Example: volition bench metaworld train --data out/metaworld/data --out out/metaworld/policy --minutes 480
    """

    data: tuple[Path, ...]
    """Data sets of `generate`: demonstrations, and corrections if there are any."""
    out: Path
    """Folder for states, metrics and checkpoints."""
    weights: tuple[float, ...] = ()
    """Shares of the data sets; without them, by their size."""
    recipe: str = "quick"
    """Which system: `volition models` lists them."""
    size: str = "small"
    """`standard`, `small` or `test`."""
    minutes: float = 480.0
    """Time of training, over all runs of this command."""
    steps: int = 0
    """Instead of minutes, where it is given: a run of steps is exactly repeatable."""
    threads: int = 2
    """Of the processor."""
    device: str = "auto"
    """A GPU where one is at hand; `cpu` leaves it."""
    batch: int = 64
    chunk: int = 10
    """Actions a decision, each an eightieth of a second."""
    history: int = 0
    """Pictures a decision; 0 is the recipe's own."""
    cameras: tuple[str, ...] = ()
    """Without them, all that the data have."""
    shift: int = 3
    """Augmentation: pixels a picture is moved at most."""
    learning_rate: float | None = None
    """Without it, the recipe's own."""
    ema: float = 0.999
    """Of the averaged weights, which are those that are tried; 0.99 for a run of minutes."""
    truth: bool = True
    """Auxiliary losses from where the simulator knows object and goal to be; the policy never sees it."""
    start: Path | None = None
    """Checkpoint whose weights to start from."""
    set: tuple[str, ...] = ()
    """Options of the model's parts, as part.name=value."""
    seed: int = 0

    def __post_init__(self) -> None:
        _check(self, minutes=(0.01, 100_000), steps=(0, 1 << 40), threads=(1, 1024), batch=(1, 65536), chunk=(1, 100))
        _check(self, history=(0, 100), shift=(0, 64), ema=(0, 0.99999), seed=(0, 2**32))
        if self.size not in ("standard", "small", "test"):
            raise MetaWorldError(f"TrainConfig.size is {self.size!r}; it must be standard, small or test.")


@dataclass(frozen=True, kw_only=True)
class EvalConfig:
    """Try a policy on unseen seeds of every task; the same command again goes on where it ended.

    Example: volition bench metaworld eval out/metaworld/policy/last --episodes 50 --out out/metaworld/report
    """

    checkpoint: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CHECKPOINT")]
    """Folder of a checkpoint."""
    out: Path
    """Folder of the trials; `report` makes its pages there."""
    tasks: str = "all"
    """Tasks or tiers with commas between, or `all`."""
    episodes: int = 10
    """Of each task: 10 as published, 50 to be precise."""
    paraphrases: bool = False
    """Say sentences that training never heard instead."""
    swap: bool = False
    """Say the sentence of the task that looks alike instead, where there is one: does the word decide?"""
    execute: int = 5
    """Actions of a chunk that are carried out before the policy decides again."""
    workers: int = 2
    """How many processes; they do not change what comes out."""
    device: str = "cpu"
    """Where the model computes."""

    def __post_init__(self) -> None:
        _check(self, episodes=(1, 10_000), workers=(1, 1024), execute=(1, 100))
        if self.paraphrases and self.swap:
            raise MetaWorldError(
                "--paraphrases and --swap are two evaluations; run one after the other into one folder."
            )


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """Write what the trials of a folder say, beside the published table: results.md, results.json, tiers.svg, report.html.

    Example: volition bench metaworld report out/metaworld/report
    """

    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
    """Where `eval` wrote its trials."""
    films: int = 6
    """Films of a failure and of a success of each of so many of the worst tasks."""
    data: tuple[Path, ...] = ()
    """Data sets it was taught on, for their size and the expert's labels."""

    def __post_init__(self) -> None:
        _check(self, films=(0, 50))


@dataclass(frozen=True, kw_only=True)
class MetaWorldConfig:
    """Meta-World's 50 tasks with one policy. Runs in the environment of `make setup-metaworld`.

    Example: volition bench metaworld generate --tasks reach,push --demonstrations 10 --out out/metaworld/data

    All of it, resumed where it ended: volition follow metaworld --out out/metaworld
    """

    command: (
        Annotated[GenerateConfig, tyro.conf.subcommand("generate")]
        | Annotated[TrainConfig, tyro.conf.subcommand("train")]
        | Annotated[EvalConfig, tyro.conf.subcommand("eval")]
        | Annotated[ReportConfig, tyro.conf.subcommand("report")]
    )
