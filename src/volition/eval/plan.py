"""`volition follow`: a policy from nothing by a plan, a list of `volition` commands with the minutes each takes.

    PLAN (plans/*.toml) -> stages -> one process after the other -> OUT/plan.json, which knows what is done

The same command goes on where it was stopped: stages that are done are passed over, and each command itself goes on.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import volition
from volition.data.atomic import write_json
from volition.errors import ContractError
from volition.eval.configs import FollowConfig

PLANS = Path(volition.__file__).parent / "plans"
STATE = "plan.json"
MAY_RUN = ("data", "train", "eval", "bench")


@dataclass(frozen=True, kw_only=True)
class Stage:
    name: str
    minutes: float  # that it took where the plan was made
    command: tuple[str, ...]  # of `volition`


@dataclass(frozen=True, kw_only=True)
class Plan:
    name: str
    about: str
    stages: tuple[Stage, ...]


def follow(config: FollowConfig) -> int:
    """Do what is not done yet; the exit code of the first stage that fails, else 0."""
    plan = read(config.plan, out=config.out, workers=config.workers)
    state = _state(config.out / STATE, plan)
    done: dict[str, Any] = state["stages"]
    console = Console()
    console.print(f"[bold]{plan.name}[/bold]: {plan.about}")
    console.print(_table(plan, done))
    if config.dry:
        return 0
    for number, stage in enumerate(plan.stages, 1):
        if stage.name in done:
            continue
        left = time_left(plan, done)
        console.print(f"\n[bold]{number} of {len(plan.stages)}, {stage.name}[/bold]: about {left:.0f} min left in all")
        console.print(f"volition {shlex.join(stage.command)}", soft_wrap=True, markup=False, highlight=False)
        begin = time.monotonic()
        code = _run(stage.command)
        minutes = round(state["begun"].pop(stage.name, 0.0) + (time.monotonic() - begin) / 60, 2)
        if code:
            state["begun"][stage.name] = minutes
        else:
            done[stage.name] = {"command": shlex.join(stage.command), "minutes": minutes}
        write_json(config.out / STATE, state)
        if code:
            console.print(f"{stage.name} ended with exit code {code}; the same command goes on from here.")
            return code
    console.print(_table(plan, done))
    console.print(f"Done. What was run, where and for how long: {config.out / STATE}")
    return 0


def read(name: str, *, out: Path, workers: int) -> Plan:
    """A plan of ours by name, or anybody's by its path, with its blanks filled in."""
    own = {path.stem: path for path in sorted(PLANS.glob("*.toml"))}
    path = own.get(name, Path(name))
    if not path.is_file():
        raise ContractError(f"There is no plan {name!r}; give one of {', '.join(own)}, or the path of a .toml file.")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        stages = tuple(_stage(one, out, workers) for one in values["stage"])
        plan = Plan(name=path.stem, about=str(values["about"]), stages=stages)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ContractError(f"{path} is not TOML: {error}.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ContractError(
            f"{path} is no plan: {type(error).__name__} {error}. It needs `about`, and stages with name, minutes and run."
        ) from error
    names = [stage.name for stage in plan.stages]
    if len(set(names)) < len(names) or not names:
        raise ContractError(
            f"{path} has the stages {', '.join(names) or 'none'}; it needs one or more, each name once."
        )
    return plan


def _stage(values: dict[str, Any], out: Path, workers: int) -> Stage:
    words = [word.format(out=out, workers=workers) for word in shlex.split(values["run"])]
    if not words or words[0] not in MAY_RUN:
        raise ContractError(
            f"The stage {values['name']!r} runs {values['run']!r}; it must be {' or '.join(MAY_RUN)} ..."
        )
    return Stage(name=str(values["name"]), minutes=float(values["minutes"]), command=tuple(words))


def time_left(plan: Plan, done: dict[str, Any]) -> float:
    """Minutes: what the plan says, by how much faster or slower than planned it went so far."""
    planned = sum(stage.minutes for stage in plan.stages if stage.name in done)
    taken = sum(done[stage.name]["minutes"] for stage in plan.stages if stage.name in done)
    rate = taken / planned if planned else 1.0
    return rate * sum(stage.minutes for stage in plan.stages if stage.name not in done)


def _state(path: Path, plan: Plan) -> dict[str, Any]:
    """What is done already, by the very same commands; a plan may change in what is still to come."""
    known: dict[str, Any] = {
        "plan": plan.name,
        "version": volition.__version__,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "stages": {},
        "begun": {},  # minutes of stages that were stopped
    }
    if path.exists():
        known |= {
            key: value
            for key, value in json.loads(path.read_text(encoding="utf-8")).items()
            if key in ("stages", "begun")
        }
        wanted = {stage.name: shlex.join(stage.command) for stage in plan.stages}
        for name, done in known["stages"].items():
            if wanted.get(name) != done["command"]:
                raise ContractError(
                    f"{path.parent} holds what another plan made: its stage {name!r} ran {done['command']!r}; give another "
                    f"folder with --out."
                )
    path.parent.mkdir(parents=True, exist_ok=True)
    return known


def _run(command: Sequence[str]) -> int:
    process = subprocess.Popen([sys.executable, "-m", "volition.cli", *command])
    with _passing_on(process):
        return process.wait()


@contextmanager
def _passing_on(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Who stops the plan stops its stage, which then ends well. Ctrl-C reaches it by itself."""
    before = {
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: process.terminate()),
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _table(plan: Plan, done: dict[str, Any]) -> Table:
    table = Table()
    table.add_column("stage")
    table.add_column("planned min", justify="right")
    table.add_column("took min", justify="right")
    for stage in plan.stages:
        took = f"{done[stage.name]['minutes']:.1f}" if stage.name in done else ""
        table.add_row(stage.name, f"{stage.minutes:g}", took)
    total = sum(one["minutes"] for one in done.values())
    table.add_row(
        "all", f"{sum(stage.minutes for stage in plan.stages):g}", f"{total:.1f}" if total else "", end_section=True
    )
    return table
