"""`volition bench latency`: from the camera to the command, stage by stage, against the clocks of 10 Hz and 50 Hz.

JPEG pictures -> decode -> prepare -> vision, fusion, head -> units -> executor, body -> shield: a Stopwatch beside each
"""

from __future__ import annotations

import io
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from volition.data.atomic import replacing, write_json
from volition.eval.latency_config import LatencyConfig
from volition.eval.latency_subjects import SENTENCE_ONCE, Subject, subjects
from volition.eval.rollout import Rig
from volition.eval.stopwatch import Stopwatch, Times
from volition.robots.fake import FakeRobot
from volition.runtime.executor import Executor
from volition.types import Observation, RobotSpec

TICKS = 5  # of 50 Hz, a decision of 10 Hz
TICK_S, DECISION_S = 0.02, 0.1
TARGET_MS = 30.0  # p99 of the whole, for the default policy on two cores
_QUALITY = 90  # of the JPEG pictures that a camera's driver gives
_FIRST = 3  # decisions that are not counted
DECODE, ADMITTED, EXECUTOR, SHIELD = "pictures decoded", "chunk admitted", "executor and body", "shield"
WHOLE = "camera to command"
HEADINGS = ("stage", "p50 ms", "p99 ms", "max ms", "processor p50 ms", "processor p99 ms")


@dataclass(frozen=True, kw_only=True)
class Measured:
    name: str
    stages: dict[str, Times]  # in the order of the flow; `WHOLE` last
    late: dict[str, float]  # shares: decisions later than 10 Hz and 50 Hz allow, ticks later than 50 Hz allows

    def to_json(self) -> dict[str, Any]:
        stages = {name: times.to_json() for name, times in self.stages.items()}
        return {"name": self.name, "stages": stages, "late": self.late}


def latency(config: LatencyConfig) -> int:
    """Measure, print and, if asked, write; 0."""
    threads = torch.get_num_threads()
    torch.set_num_threads(config.threads)
    try:
        found = [measure(one, config.decisions) for one in subjects(config)]
    finally:
        torch.set_num_threads(threads)
    _print(found)
    if config.out is not None:
        machine = {"cores": os.cpu_count(), "processor": platform.machine(), "load": round(os.getloadavg()[0], 1)}
        content = {"threads": config.threads, "decisions": config.decisions, "machine": machine}
        write_json(config.out / "latency.json", {**content, "measured": [one.to_json() for one in found]})
        with replacing(config.out / "latency.md") as beside:
            beside.write_text("\n".join(markdown(one) for one in found), encoding="utf-8")
        print(f"Written: {config.out / 'latency.json'}, latency.md")
    return 0


class _Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time


def measure(subject: Subject, decisions: int) -> Measured:
    """A robot that follows its commands at once, pictures of noise, and all that is between the two in a real run."""
    rig, watch, clock = Rig(subject.robot), Stopwatch(), _Clock()
    robot, guard, executor = FakeRobot(subject.robot, clock), rig.guard(), Executor(subject.spec)
    guard.start(robot.read(), clock.now())
    rig.body.reset(robot.read())
    pictures = _pictures(subject.robot)
    subject.begin(watch)
    for number in track(range(decisions + _FIRST), description=subject.name, transient=True):
        if number == _FIRST:
            watch.clear(but=SENTENCE_ONCE)
        state = robot.read()
        with watch(WHOLE):
            with watch(DECODE):
                images = {name: np.asarray(Image.open(io.BytesIO(data))) for name, data in next(pictures).items()}
            observation = Observation(stamp=state.stamp, state=state, images=images, instruction="")
            decided = subject.decide(observation)
            with watch(ADMITTED):
                chunk = guard.admit(decided, clock.now())
                if chunk is not None:
                    executor.accept(chunk, clock.now())
            tick = _tick(rig, executor, guard, state, clock, watch)
        for _ in range(TICKS):
            robot.command(tick)
            clock.time += TICK_S
            state = robot.read()
            tick = _tick(rig, executor, guard, state, clock, watch)
    return _summary(subject, watch)


def _tick(rig: Rig, executor: Executor, guard: Any, state: Any, clock: _Clock, watch: Stopwatch) -> Any:
    with watch(EXECUTOR):
        point = executor.sample(clock.now())
        command = None if point is None else rig.body.resolve(point, state)
    with watch(SHIELD):
        return guard.apply(command, state, clock.now())


def _summary(subject: Subject, watch: Stopwatch) -> Measured:
    stages = {name: watch.times(name) for name in (DECODE, *subject.stages, ADMITTED, EXECUTOR, SHIELD, WHOLE)}
    whole = watch.wall(WHOLE)
    ticks = watch.wall(EXECUTOR) + watch.wall(SHIELD)
    late = {
        "decisions over 100 ms": float(np.mean(whole > DECISION_S)),
        "decisions over 20 ms": float(np.mean(whole > TICK_S)),
        "ticks over 20 ms": float(np.mean(ticks > TICK_S)),
    }
    return Measured(name=subject.name, stages=stages, late=late)


def _pictures(robot: RobotSpec) -> Iterator[dict[str, bytes]]:
    """Of every camera, as a driver gives them: blocks of colour, so that they are as long as pictures of things are."""
    random = np.random.default_rng(0)

    def one(height: int, width: int) -> bytes:
        small = Image.fromarray(random.integers(0, 256, (16, 16, 3), dtype=np.uint8))
        file = io.BytesIO()
        small.resize((width, height), Image.Resampling.BICUBIC).save(file, "JPEG", quality=_QUALITY)
        return file.getvalue()

    known = [{camera.name: one(camera.height, camera.width) for camera in robot.cameras} for _ in range(8)]
    while True:
        yield from known


def cells(name: str, times: Times) -> list[str]:
    return [
        name,
        *(
            f"{1e3 * value:.2f}"
            for value in (times.p50, times.p99, times.most, times.processor_p50, times.processor_p99)
        ),
    ]


def markdown(one: Measured) -> str:
    rows = ["| " + " | ".join(HEADINGS) + " |", "|---|" + "---:|" * (len(HEADINGS) - 1)]
    rows += ["| " + " | ".join(cells(name, times)) + " |" for name, times in one.stages.items()]
    return "\n".join([f"### {one.name}", "", *rows, "", f"{said(one)}", ""])


def said(one: Measured) -> str:
    late = ", ".join(f"{100 * share:.1f} % of {what}" for what, share in one.late.items())
    return f"Late: {late}."


def _print(found: list[Measured]) -> None:
    console = Console()
    for one in found:
        table = Table(title=one.name)
        for number, heading in enumerate(HEADINGS):
            table.add_column(heading, justify="right" if number else "left")
        for name, times in one.stages.items():
            table.add_row(*cells(name, times), style="bold" if name == WHOLE else "")
        console.print(table)
        console.print(said(one), highlight=False)
