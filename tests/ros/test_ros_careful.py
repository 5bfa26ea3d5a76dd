"""What protects a robot behind topics beside the shield: pictures that cannot be believed, a loop that hangs, doubt."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ros_tools import SPEC, state, wait_for

from volition.body.whole_body import WholeBody
from volition.robots.fake import FakePolicy, FakeRobot
from volition.robots.primitives import NAMES, PRIMITIVE_ACTION
from volition.ros.align import Aligner
from volition.ros.arrivals import Eyes, OnArrival
from volition.ros.patient import Patient
from volition.ros.pilot import Parts, Pilot
from volition.ros.protect import protect
from volition.runtime.clock import RealClock
from volition.runtime.doubt import Doubt, DoubtConfig
from volition.runtime.inference import Answer, ThreadedInference
from volition.runtime.recorder import Recorder
from volition.runtime.sight import Sight
from volition.safety import reasons
from volition.safety.calibration import Calibration, Signal
from volition.safety.config import ShieldConfig, careful
from volition.safety.estop import EStop
from volition.safety.guard import Guard
from volition.safety.shield import Shield
from volition.safety.watchdog import Watchdog
from volition.types import ActionChunk, Command, Observation

FORWARD = np.full((20, 1), float(NAMES.index("move_forward")))
BODY = WholeBody(SPEC)
SILENT = 1.0  # s: of the watchdog, so long that a busy machine alone does not set it off


class Sink:
    busy = False

    def __init__(self) -> None:
        self.seen: list[float] = []

    def start(self, instruction: str) -> None: ...

    def submit(self, observation: Observation) -> None:
        self.seen.append(observation.stamp)

    def poll(self, now: float) -> Answer | None:
        return None

    def close(self) -> None: ...


def told(frames: dict[int, str]) -> tuple[list[float], dict[float, str]]:
    """A camera at 30 Hz of which some frames are wrong, a loop at 50 Hz that asks ten times a second: what the policy was
    given, and when the loop was told what."""
    aligner, sink = Aligner(("head",)), Sink()
    inference = OnArrival(sink, aligner, 0.1, sight=Sight(("head",)))
    eyes = Eyes(inference)
    inference.start("go")
    random, last, said = np.random.default_rng(0), np.zeros((8, 8, 3), np.uint8), {}
    for tick in range(300):
        now = 10.0 + 0.02 * tick
        aligner.add_state(state(now))
        if tick % 2 == 0:
            what = frames.get(tick, "")
            if what == "":
                last = random.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            shown = np.zeros_like(last) if what == "black" else last
            if what != "none":
                aligner.add_image("head", now, lambda shown=shown: shown)
                inference.arrived()
        if tick % 5 == 0:
            problem = eyes.check({}, now)
            said[round(now, 2)] = problem
            if not problem:
                inference.submit(Observation(stamp=now, state=state(now), images={}, instruction="go"))
    return sink.seen, said


@pytest.mark.parametrize(
    ("what", "words"), [("black", "is black"), ("frozen", "has not changed for"), ("none", "no pictures have come")]
)
def test_pictures_that_cannot_be_believed_are_told_and_not_shown(what: str, words: str) -> None:
    seen, said = told(dict.fromkeys(range(100, 200), what))  # from 12.0 to 14.0 s
    bad = {now for now, problem in said.items() if words in problem}
    assert bad
    assert 12.0 <= min(bad) <= 12.7
    assert 13.9 <= max(bad) <= 14.2, "it is told until they are right again, and no longer"
    assert not any(problem for now, problem in said.items() if now < 12.0 or now > 14.3)
    assert not [one for one in seen if min(bad) < one < 14.0]
    assert [one for one in seen if one > 14.3], "the policy goes on"


def test_without_a_sight_nothing_is_looked_at() -> None:
    aligner, sink = Aligner(("head",)), Sink()
    inference = OnArrival(sink, aligner, 0.1)
    inference.start("go")
    aligner.add_state(state(1.0))
    aligner.add_image("head", 1.0, lambda: np.zeros((8, 8, 3), np.uint8))
    inference.submit(Observation(stamp=1.0, state=state(1.0), images={}, instruction="go"))
    assert sink.seen == [1.0]


@pytest.mark.parametrize("simulated", [False, True])
@pytest.mark.parametrize("is_careful", [False, True])
def test_a_careful_node_has_all_limits_looks_at_pictures_and_is_watched_in_real_time(
    is_careful: bool, simulated: bool
) -> None:
    estop, aligner = EStop(), Aligner(("head",))
    policy = FakePolicy(PRIMITIVE_ACTION, FORWARD)
    made = protect(policy, SPEC, aligner, estop, careful=is_careful, on_silence=lambda: None, simulated=simulated)
    try:
        assert made.guard.shield.config == (careful(SPEC) if is_careful else ShieldConfig())
        assert made.guard.estop is estop
        assert (made.sight is not None) == is_careful
        assert (made.watchdog is not None) == (is_careful and not simulated)
    finally:
        made.inference.close()
    blind = protect(policy, SPEC, Aligner(()), estop, careful=True, on_silence=lambda: None, simulated=simulated)
    blind.inference.close()
    assert blind.sight is None
    assert isinstance(blind.inference, Patient) == simulated


# ---- under the pilot


class Robot(FakeRobot):
    hangs_s = 0.0

    def command(self, command: Command) -> None:
        if self.hangs_s:
            seconds, self.hangs_s = self.hangs_s, 0.0
            time.sleep(seconds)
        super().command(command)


class Slow(FakePolicy):
    """Takes its time to understand."""

    def reset(self, instruction: str) -> None:
        time.sleep(2 * SILENT)
        super().reset(instruction)


class Worried(FakePolicy):
    def infer(self, observation: Observation) -> ActionChunk:
        return replace(super().infer(observation), doubt={"worry": 9.0})


@contextmanager
def piloted(
    policy: FakePolicy, silent_s: float = 30.0, **more: Any
) -> Iterator[tuple[Pilot, Robot, Guard, list[float]]]:
    clock, estop, called = RealClock(), EStop(), list[float]()
    watchdog = Watchdog(estop, limit_s=silent_s, on_silence=lambda: called.append(time.monotonic()))
    robot, inference = Robot(SPEC, clock), ThreadedInference(policy)
    guard = Guard(Shield(SPEC), estop=estop, watchdog=watchdog)
    parts = Parts(
        robot=robot, inference=inference, action_spec=PRIMITIVE_ACTION, body=BODY, guard=guard, clock=clock,
        task_limit_s=20.0, watchdog=watchdog, **more,
    )  # fmt: skip
    pilot = Pilot(parts)
    pilot.start()
    try:
        yield pilot, robot, guard, called
    finally:
        assert pilot.stop()
        inference.close()


def speed(robot: Robot) -> float:
    return float(robot.commands[-1].base_velocity[0]) if robot.commands else 0.0


def test_a_loop_that_hangs_is_an_emergency_stop_and_taking_time_to_understand_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Recorder.save

    def slow(self: Recorder, summary: Any) -> Path:
        time.sleep(2 * SILENT)
        return save(self, summary)

    monkeypatch.setattr(Recorder, "save", slow)
    with piloted(Slow(PRIMITIVE_ACTION, FORWARD), SILENT, record=tmp_path) as (pilot, robot, guard, called):
        pilot.tell("walk")
        wait_for(lambda: speed(robot) > 0.2, 10, "walking")
        pilot.halt()
        wait_for(lambda: pilot.report.ended == "halted", 10, "the end of the task")
        wait_for(lambda: pilot.report.state == "standing", 10, "standing by")
        assert not guard.estop.pressed, guard.estop.why
        assert called == []
        robot.hangs_s = 3 * SILENT
        wait_for(lambda: guard.estop.pressed, 5, "the emergency stop")
        assert "has not ticked" in guard.estop.why
        assert len(called) == 1
    assert (tmp_path / "task-0000" / "run.json").exists()


def test_after_the_pilot_has_stopped_nobody_watches() -> None:
    with piloted(FakePolicy(PRIMITIVE_ACTION, FORWARD), SILENT) as (pilot, _, guard, called):
        assert pilot.stop()
        time.sleep(1.5 * SILENT)
        assert not guard.estop.pressed
        assert called == []


def test_a_policy_that_is_unsure_walks_slowly() -> None:
    worry = Signal(name="worry", middle=0.0, spread=0.5, weight=2.0)
    made = Calibration(signals=(worry,), bias=-3.0, threshold=0.5, alarms=0.1, smooth_s=0.1, weights="")
    doubt = Doubt(made, PRIMITIVE_ACTION, DoubtConfig(slow_to=0.1))
    with piloted(Worried(PRIMITIVE_ACTION, FORWARD), doubt=doubt) as (pilot, robot, guard, _):
        pilot.tell("walk")
        most = 0.1 * SPEC.base.velocity[0]
        wait_for(lambda: guard.counts().get(reasons.UNSURE, 0) > 20, 10, "being slowed")
        assert speed(robot) == pytest.approx(most, abs=1e-6)
        assert pilot.report.stops == 0


def test_a_robot_that_cannot_see_holds() -> None:
    class Dark(Sight):
        def __init__(self) -> None:
            super().__init__(())
            self.problem = ""

        def check(self, images: Any, now: float) -> str:
            return self.problem

    dark = Dark()
    with piloted(FakePolicy(PRIMITIVE_ACTION, FORWARD), sight=dark) as (pilot, robot, guard, _):
        pilot.tell("walk")
        wait_for(lambda: speed(robot) > 0.2, 10, "walking")
        dark.problem = "the picture of the head camera is black"
        wait_for(lambda: speed(robot) == 0.0, 10, "the base at rest")
        assert guard.counts()[reasons.SIGHT] > 0
        dark.problem = ""
        wait_for(lambda: speed(robot) > 0.2, 10, "walking again")
