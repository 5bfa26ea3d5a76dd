"""One run of the fault harness: one thing of a working simulated robot breaks for a while; was it safe, did it come back?

    (fault, seed) -> trial: G1 in physics, loop, executor, shield, and what breaks (fault_parts.py) -> Row of figures

The G1 stands on its own legs, swings its arms, and walks in half of the runs, behind the shield with every limit on. At a
random moment something breaks for a while. Safe is: it did not fall, and what was sent to the robot broke no limit. Back
to work is: the policy is followed again, for at least 0.3 s.

"server killed" runs in real time, with a server of ours in another process, our client and a thread for it; then the end
of the fault is when the server answers again, and until then the robot must have been in its safe action.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from volition.eval.fault_parts import (
    SPEC,
    FaultyBody,
    FaultyClock,
    FaultyPolicy,
    FaultyRobot,
    PacedClock,
    Plan,
    Serving,
    StallingInference,
    Window,
    swinging,
)
from volition.eval.rollout import Rig
from volition.runtime.executor import Executor
from volition.runtime.inference import Inference, SimulatedInference, ThreadedInference
from volition.runtime.loop import Loop
from volition.runtime.report import Tick
from volition.runtime.sight import Sight
from volition.safety.check import broken_limits
from volition.safety.config import careful
from volition.safety.guard import Guard
from volition.sim.session import Session, session
from volition.transforms.rotation import tilt
from volition.types import RobotSpec

Row = dict[str, Any]
Serve = Callable[[Plan], Serving]
KILLED = "server killed"
AFTER = 2.5  # s that a run goes on after the fault
WORKS = 0.3  # s of following the policy that count as being back
SOON = 1.0  # s within which it has to be
LATENCY = 0.03  # s
HELD = 0.7  # s after a server's death from which on the robot must be held: a chunk is used until it is 0.5 s old
STARTS = 60.0  # s that a server may take to start


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
    KILLED: Fault(what="`kill -9` of the policy server, started again on its port 1 to 2 s later; in real time"),
    "clock ahead": Fault(what="the clock jumps 1.5 s ahead", seconds=(0.02, 0.02), shift=1.5),
    "clock back": Fault(what="the clock jumps 1.5 s back", seconds=(0.02, 0.02), shift=-1.5),
    "sensors silent": Fault(what="measurements stop for 1 to 2 s"),
    "solver fails": Fault(what="inverse kinematics raise for 1 to 2 s"),
    "e-stop": Fault(what="pressed in mid-motion, reset and started again 1 to 2 s later"),
}


@dataclass
class _Log:
    """What is seen from outside, on the simulation's clock; `real` is the machine's."""

    times: list[float] = field(default_factory=list[float])
    real: list[float] = field(default_factory=list[float])
    follows: list[bool] = field(default_factory=list[bool])
    holds: list[bool] = field(default_factory=list[bool])
    lowest: float = 9.0
    leaning: float = 0.0
    killed: float | None = None  # when the server was ...
    answers: float | None = None  # ... and since when another one in its place answers

    def over(self, now: float) -> bool:
        return self.answers is not None and now >= self.answers + AFTER


def trial(job: tuple[str, int], serve: Serve) -> Row:
    """One run in a worker: fault and seed in, figures out. `serve` starts the server that is killed."""
    name, seed = job
    fault, rig = FAULTS[name], _rig()
    rng = np.random.default_rng([seed, list(FAULTS).index(name)])
    scene = _scene(fault.cameras)
    scene.restart(seed)
    begin = float(rng.uniform(2.2, 4.0))
    window = Window(begin=begin, end=begin + float(rng.uniform(*fault.seconds)))
    if not fault.recovers:
        window = replace(window, end=1e9)
    plan = _plan(SPEC, rng)
    server = serve(plan) if name == KILLED else None
    paced = PacedClock(scene.clock)
    clock = FaultyClock(scene.clock if server is None else paced, window, fault.shift)
    robot = FaultyRobot(scene.robot, clock, window, name, rng)
    guard, log = rig.guard(careful(SPEC)), _Log()
    inference = _inference(name, plan, clock, window, server)
    loop = Loop(
        robot=robot,
        inference=inference,
        executor=Executor(SPEC.action("joint")),
        body=FaultyBody(rig.body, clock, window) if name == "solver fails" else rig.body,
        guard=guard,
        clock=clock,
        on_tick=_watch(log, clock, guard, server, window, name),
        cameras=fault.cameras,
        sight=Sight(tuple(camera.name for camera in SPEC.cameras)) if fault.cameras else None,
    )
    limit = begin + fault.seconds[1] + AFTER
    try:
        if server is not None:
            loop.run("swing", limit_s=limit + STARTS, until=lambda state: log.over(clock.true))
        elif name == "e-stop":
            loop.run("swing", limit_s=limit)  # ends by the e-stop, arms at rest
            scene.clock.sleep_until(window.end)
            guard.estop.reset()
            loop.run("swing", limit_s=AFTER)
        else:
            loop.run("swing", limit_s=limit)
    finally:
        inference.close()
        if server is not None:
            server.close()
    return _figures(name, seed, fault, window, robot, guard, log)


def _inference(name: str, plan: Plan, clock: FaultyClock, window: Window, server: Serving | None) -> Inference:
    if server is not None:
        return ThreadedInference(server.policy)
    policy = FaultyPolicy(swinging(plan), clock, window, name)
    if name != "policy stalls":
        return SimulatedInference(policy, LATENCY)
    stalling = StallingInference(policy, LATENCY)
    stalling.clock, stalling.window = clock, window
    return stalling


def _watch(
    log: _Log, clock: FaultyClock, guard: Guard, server: Serving | None, window: Window, name: str
) -> Callable[[Tick], None]:
    """Looks on, and does what is not in a part: presses the button, kills and starts the server."""
    done: set[str] = set()

    def on_tick(tick: Tick) -> None:
        now = clock.true
        log.times.append(now)
        log.real.append(time.monotonic())
        log.follows.append(tick.action is not None and tick.action.exhausted == 0 and not guard.holding)
        log.holds.append(guard.holding)
        log.lowest = min(log.lowest, float(tick.state.base_position[2]))
        log.leaning = max(log.leaning, float(tilt(tick.state.base_quaternion)))
        if name == "e-stop" and window.on(now) and "pressed" not in done:
            done.add("pressed")
            guard.estop.press("the harness")
        if server is None:
            return
        if window.on(now) and "killed" not in done:
            done.add("killed")
            server.kill()
            log.killed = now
        elif now >= window.end and "started" not in done:
            done.add("started")
            server.start()
        elif "started" in done and log.answers is None and server.answers():
            log.answers = now

    return on_tick


def _figures(name: str, seed: int, fault: Fault, window: Window, robot: FaultyRobot, guard: Guard, log: _Log) -> Row:
    broken = broken_limits(
        SPEC,
        np.array([command.position for command in robot.commands]),
        np.array([command.base_velocity for command in robot.commands]),
    )
    end = log.answers if name == KILLED else min(window.end, window.begin + fault.seconds[1])
    at = None if end is None else _back(log, end)
    back = None if at is None or end is None else round(log.times[at] - end, 3)
    more: Row = {}
    if (
        name == KILLED
    ):  # a network waits in real time, and a busy machine slows the robot's clock: judged by the machine's
        more = {"held": _held(log), "back_robot_s": back}
        back = None if at is None else round(log.real[at] - log.real[_first(log, end)], 3)
    fell = log.lowest < 0.5 or log.leaning > 0.8
    recovered = (back is not None and back <= SOON) if fault.recovers else back is None
    return {
        "fault": name,
        "seed": seed,
        "fell": fell,
        "broken": broken,
        "back_s": back,
        "as_hoped": recovered and more.get("held", True),
        "stops": guard.faults(),
        "reasons": guard.counts(),
        "tilt_deg": round(float(np.degrees(log.leaning)), 1),
        **more,
    }


def _first(log: _Log, end: float | None) -> int:
    """The tick with which the fault ends."""
    return next(at for at, now in enumerate(log.times) if end is not None and now >= end - 1e-6)


def _back(log: _Log, end: float) -> int | None:
    """The tick from which on the policy is followed again after the end of the fault."""
    need = round(WORKS * SPEC.control_rate_hz)
    for at, now in enumerate(log.times):
        if now >= end - 1e-6 and all(log.follows[at : at + need]) and len(log.follows) - at >= need:
            return at
    return None


def _held(log: _Log) -> bool:
    """Whether the robot was in its safe action all the time in which there was no server, but for the first moment."""
    begin, end = (log.killed or 0.0) + HELD, log.answers or 0.0
    silent = [held for now, held in zip(log.times, log.holds, strict=True) if begin <= now < end]
    return bool(silent) and all(silent)


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


@cache
def _rig() -> Rig:
    return Rig(SPEC)


@cache
def _scene(cameras: bool) -> Session:
    """One world a worker, and one with cameras."""
    return session(SPEC, cameras=cameras)
