"""The fault harness: break one thing of a working simulated robot, and see that it stays safe and comes back.

    python -m volition.eval.faults --runs 200     (or `volition safety faults`)

Every run is a G1 on its own legs that swings its arms, and walks in half of the runs, behind the shield with every
limit on. At a random moment something breaks for a while. Safe is: it did not fall, and what was sent to the robot broke
no limit. Back to work is: the policy is followed again, for at least 0.3 s. Runs that are written down are not repeated.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track

from volition.errors import ContractError
from volition.eval.fault_parts import (
    ChildPolicy,
    FaultyBody,
    FaultyClock,
    FaultyPolicy,
    FaultyRobot,
    StallingInference,
    Window,
)
from volition.eval.rollout import Rig
from volition.eval.script import Script, ScriptPolicy
from volition.policy import Policy
from volition.processes import pool
from volition.robots.g1 import g1
from volition.runtime.executor import Executor
from volition.runtime.inference import SimulatedInference
from volition.runtime.loop import Loop
from volition.runtime.report import Tick
from volition.runtime.sight import Sight
from volition.safety.check import broken_limits
from volition.safety.config import careful
from volition.safety.configs import FaultsConfig
from volition.safety.guard import Guard
from volition.sim.session import Session, session
from volition.transforms.rotation import tilt
from volition.types import RobotSpec

Row = dict[str, Any]
SPEC = g1(32)
RUNS, TABLE = "runs.jsonl", "faults.md"
AFTER = 2.5  # s that a run goes on after the fault
WORKS = 0.3  # s of following the policy that count as being back
SOON = 1.0  # s within which it has to be
LATENCY = 0.03  # s


@dataclass(frozen=True, kw_only=True)
class Fault:
    what: str
    seconds: tuple[float, float] = (1.0, 2.0)  # how long
    recovers: bool = True
    shift: float = 0.0  # s, of the clock
    cameras: bool = False


FAULTS: dict[str, Fault] = {
    "camera frozen": Fault(what="all cameras show the same picture for 1 to 2 s", cameras=True),
    "camera black": Fault(what="all cameras are black for 1 to 2 s", cameras=True),
    "camera drops": Fault(what="20 % of the pictures are missing for 1 to 2 s", cameras=True),
    "policy stalls": Fault(what="no answer for 2 s", seconds=(2.0, 2.0)),
    "policy raises": Fault(what="every inference raises for 1 to 2 s"),
    "policy dies": Fault(what="every inference raises from then on", recovers=False),
    "policy not finite": Fault(what="chunks hold NaN for 1 to 2 s"),
    "policy wrong shape": Fault(what="chunks lack a dimension for 1 to 2 s"),
    "policy out of range": Fault(what="chunks are 40 times too large for 1 to 2 s"),
    "server killed": Fault(what="the policy's process is killed and started again 1 to 2 s later"),
    "clock ahead": Fault(what="the clock jumps 1.5 s ahead", seconds=(0.02, 0.02), shift=1.5),
    "clock back": Fault(what="the clock jumps 1.5 s back", seconds=(0.02, 0.02), shift=-1.5),
    "sensors silent": Fault(what="measurements stop for 1 to 2 s"),
    "solver fails": Fault(what="inverse kinematics raise for 1 to 2 s"),
    "e-stop": Fault(what="pressed in mid-motion, reset and started again 1 to 2 s later"),
}


@dataclass
class _Log:
    """What is seen from outside, on the simulation's clock."""

    times: list[float] = field(default_factory=list[float])
    follows: list[bool] = field(default_factory=list[bool])
    lowest: float = 9.0
    leaning: float = 0.0


def trial(job: tuple[str, int]) -> Row:
    """One run in a worker: fault and seed in, figures out."""
    name, seed = job
    fault, rig = FAULTS[name], _rig()
    rng = np.random.default_rng([seed, list(FAULTS).index(name)])
    scene = _scene(fault.cameras)
    scene.restart(seed)
    begin = float(rng.uniform(2.2, 4.0))
    window = Window(begin=begin, end=begin + float(rng.uniform(*fault.seconds)))
    if not fault.recovers:
        window = replace(window, end=1e9)
    clock = FaultyClock(scene.clock, window, fault.shift)
    robot = FaultyRobot(scene.robot, clock, window, name, rng)
    guard = rig.guard(careful(SPEC))
    plan = _plan(SPEC, rng)
    child = ChildPolicy(SPEC.action("joint"), *plan) if name == "server killed" else None
    policy: Policy = child or FaultyPolicy(_scripted(plan), clock, window, name)
    log = _Log()
    loop = _loop(name, rig, robot, clock, window, guard, policy, fault, _watch(log, clock, guard, child, window, name))
    limit = begin + fault.seconds[1] + AFTER
    try:
        if name == "e-stop":
            loop.run("swing", limit_s=limit)  # ends by the e-stop, arms at rest
            scene.clock.sleep_until(window.end)
            guard.estop.reset()
        loop.run("swing", limit_s=limit if name != "e-stop" else AFTER)
    finally:
        if child is not None:
            child.kill()
    return _figures(name, seed, fault, window, robot, guard, log)


def _loop(
    name: str,
    rig: Rig,
    robot: FaultyRobot,
    clock: FaultyClock,
    window: Window,
    guard: Guard,
    policy: Policy,
    fault: Fault,
    on_tick: Callable[[Tick], None],
) -> Loop:
    inference = SimulatedInference(policy, LATENCY)
    if name == "policy stalls":
        inference = StallingInference(policy, LATENCY)
        inference.clock, inference.window = clock, window
    return Loop(
        robot=robot,
        inference=inference,
        executor=Executor(policy.action_spec),
        body=FaultyBody(rig.body, clock, window) if name == "solver fails" else rig.body,
        guard=guard,
        clock=clock,
        on_tick=on_tick,
        cameras=fault.cameras,
        sight=Sight(tuple(camera.name for camera in SPEC.cameras)) if fault.cameras else None,
    )


def _watch(
    log: _Log, clock: FaultyClock, guard: Guard, child: ChildPolicy | None, window: Window, name: str
) -> Callable[[Tick], None]:
    """Looks on, and does what is not in a part: presses the button, kills and starts the child."""
    done: set[str] = set()

    def on_tick(tick: Tick) -> None:
        now = clock.true
        log.times.append(now)
        log.follows.append(tick.action is not None and tick.action.exhausted == 0 and not guard.holding)
        log.lowest = min(log.lowest, float(tick.state.base_position[2]))
        log.leaning = max(log.leaning, float(tilt(tick.state.base_quaternion)))
        if name == "e-stop" and window.on(now) and "pressed" not in done:
            done.add("pressed")
            guard.estop.press("the harness")
        if child is not None and window.on(now) and child.alive:
            child.kill()
        elif child is not None and now >= window.end and not child.alive:
            child.start()

    return on_tick


def _figures(name: str, seed: int, fault: Fault, window: Window, robot: FaultyRobot, guard: Guard, log: _Log) -> Row:
    broken = broken_limits(
        SPEC,
        np.array([command.position for command in robot.commands]),
        np.array([command.base_velocity for command in robot.commands]),
    )
    end = min(window.end, window.begin + fault.seconds[1])
    back = None
    need = round(WORKS * SPEC.control_rate_hz)
    for at, time in enumerate(log.times):
        if time >= end - 1e-6 and all(log.follows[at : at + need]) and len(log.follows) - at >= need:
            back = round(time - end, 3)
            break
    fell = log.lowest < 0.5 or log.leaning > 0.8
    recovered = (back is not None and back <= SOON) if fault.recovers else back is None
    return {
        "fault": name,
        "seed": seed,
        "fell": fell,
        "broken": broken,
        "back_s": back,
        "as_hoped": recovered,
        "stops": guard.faults(),
        "reasons": guard.counts(),
        "tilt_deg": round(float(np.degrees(log.leaning)), 1),
    }


def _plan(robot: RobotSpec, rng: np.random.Generator) -> tuple[list[float], list[float]]:
    """Middle and swing of each dimension of the `joint` space: arms around home; walking in every other run."""
    spec = robot.action("joint")
    centre, swing = np.zeros(len(spec.names)), np.zeros(len(spec.names))
    for at, dimension in enumerate(spec.dimensions):
        if dimension.name in robot.home:
            centre[at] = robot.home[dimension.name]
            room = min(dimension.high - centre[at], centre[at] - dimension.low)
            swing[at] = rng.uniform(-1, 1) * min(0.35, 0.8 * room)
    if rng.random() < 0.5:
        swing[-3:] = rng.uniform(-1, 1, 3) * (0.25, 0.15, 0.3)
    return centre.tolist(), swing.tolist()


def _scripted(plan: tuple[list[float], list[float]]) -> ScriptPolicy:
    centre, swing = (np.array(part) for part in plan)
    return ScriptPolicy(SPEC, Script("joint", lambda t: centre + swing * np.sin(1.5 * t)))


@cache
def _rig() -> Rig:
    return Rig(SPEC)


@cache
def _scene(cameras: bool) -> Session:
    """One world a worker, and one with cameras."""
    return session(SPEC, cameras=cameras)


def jobs(runs: int, only: str = "") -> list[tuple[str, int]]:
    """All faults in turn, each with its own seeds from 1 on."""
    names = [name.strip() for name in only.split(",") if name.strip()] or list(FAULTS)
    unknown = sorted(set(names) - set(FAULTS))
    if unknown:
        raise ContractError(f"There is no fault {', '.join(unknown)}; there are {', '.join(FAULTS)}.")
    return [(names[number % len(names)], 1 + number // len(names)) for number in range(runs)]


def run(config: FaultsConfig) -> int:
    """Runs what is not written down yet; prints and writes the table. 1 if a run was not safe or not back in time."""
    wanted = jobs(config.runs, config.only)
    config.out.mkdir(parents=True, exist_ok=True)
    path = config.out / RUNS
    rows = {(row["fault"], row["seed"]): row for row in _known(path)}
    left = [job for job in wanted if job not in rows]
    if left:
        with pool(config.workers) as executor, path.open("a") as file:
            console = Console(stderr=True)
            for row in track(executor.map(trial, left), "breaking things", len(left), console=console, transient=True):
                rows[row["fault"], row["seed"]] = row
                file.write(json.dumps(row) + "\n")
                file.flush()
    done = [rows[job] for job in wanted]
    text = markdown(done, config)
    (config.out / TABLE).write_text(text)
    print(text)
    return int(any(row["fell"] or row["broken"] or not row["as_hoped"] for row in done))


def _known(path: Path) -> list[Row]:
    """What was written before; a last line that a kill cut off is left out."""
    if not path.is_file():
        return []
    whole = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
    path.write_text("".join(whole))
    return [json.loads(line) for line in whole]


def markdown(rows: list[Row], config: FaultsConfig) -> str:
    """The table for the docs."""
    lines = [
        "# When things fail",
        "",
        f"{len(rows)} runs by `volition safety faults --runs {config.runs}`; what a run is says `eval/faults.py`. "
        f"Back means that the policy is followed again; wanted is within {SOON:g} s after the fault has ended. Two cores, no GPU.",
        "",
        "| Fault | Runs | Fell | Broke a limit | Back in time | Back, median and longest (s) | Safe actions a run |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, fault in FAULTS.items():
        own = [row for row in rows if row["fault"] == name]
        if not own:
            continue
        back = [row["back_s"] for row in own if row["back_s"] is not None]
        times = f"{np.median(back):.2f}, {max(back):.2f}" if back else "–"
        hoped = sum(row["as_hoped"] for row in own)
        word = f"{hoped} of {len(own)}" if fault.recovers else f"never (held to the end: {hoped} of {len(own)})"
        fell, broken = sum(row["fell"] for row in own), sum(bool(row["broken"]) for row in own)
        stops = float(np.mean([row["stops"] for row in own]))
        lines.append(f"| **{name}**: {fault.what} | {len(own)} | {fell} | {broken} | {word} | {times} | {stops:.1f} |")
    total = sum(not (row["fell"] or row["broken"]) and row["as_hoped"] for row in rows)
    return "\n".join([*lines, "", f"As wanted in every respect: {total} of {len(rows)}.", ""])


if __name__ == "__main__":
    sys.exit(run(tyro.cli(FaultsConfig)))
