"""The report of a run: rows by reason and place, a timeline, and sentences for files that are none."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safety_tools import DT, HIGH, HOME, ROBOT, command, state

from volition.cli import main
from volition.errors import ContractError
from volition.eval.safety_report import bars, lines, read, report
from volition.robots.fake import FakePolicy, FakeRobot
from volition.runtime.clock import FakeClock
from volition.runtime.executor import Executor
from volition.runtime.inference import SimulatedInference
from volition.runtime.loop import Loop
from volition.runtime.recorder import Recorder
from volition.safety.configs import ReportConfig
from volition.safety.guard import Guard
from volition.safety.shield import Shield
from volition.types import Command


class Body:
    def reset(self, state):
        pass

    def resolve(self, point, state):
        moving = HOME + 0.5 * (point.stamp > 1.0)
        return Command(
            stamp=point.stamp, position=moving, base_velocity=point.values[-3:], chunk_stamp=point.chunk_stamp
        )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder, clock = tmp_path_factory.mktemp("run") / "run", FakeClock()
    spec = ROBOT.action("joint")
    policy = FakePolicy(spec, np.zeros((8, len(spec.names))), faults={12: "raise", 13: "nan"})
    Loop(
        robot=FakeRobot(ROBOT, clock),
        inference=SimulatedInference(policy, 0.05),
        executor=Executor(spec),
        body=Body(),
        guard=Guard(Shield(ROBOT)),
        clock=clock,
        recorder=Recorder(folder),
        cameras=False,
    ).run("test", limit_s=2.0)
    return folder


def test_rows_by_reason_and_place(run):
    rows = lines(read(run))
    assert rows[0].answer == "safe action"
    answers = [row.answer for row in rows]
    assert answers == sorted(answers, key=["safe action", "refuse", "trim", "person"].index)
    found = {(row.reason, row.where): row for row in rows}
    assert found["policy", ""].count == 1
    assert found["not_finite", spec_name(0)].first == pytest.approx(1.36, abs=0.1)
    elbow = next(row for row in rows if row.where == "left_elbow_joint")
    before, after = elbow.worst
    assert before == pytest.approx(1.1)
    assert after is not None
    assert after < before


def spec_name(number: int) -> str:
    return ROBOT.action("joint").names[number]


def test_the_command_prints_and_draws(run, capsys, tmp_path):
    assert main(["safety", "report", str(run), "--out", str(tmp_path / "line.svg")]) == 0
    text = capsys.readouterr().out
    assert "“test”" in text
    assert "the safe action was taken 1 times" in text
    assert "<svg" in (tmp_path / "line.svg").read_text()


def test_a_log_of_events_reads_as_well(tmp_path):
    guard = Guard(Shield(ROBOT))
    guard.log_to(tmp_path / "events.jsonl")
    guard.start(state(), 0.0)
    for tick in range(20):
        guard.apply(None if tick == 10 else command(HIGH, tick * DT), state(now=tick * DT), tick * DT)
    guard.close()
    assert report(ReportConfig(run=tmp_path / "events.jsonl")) == 0
    assert (tmp_path / "safety.svg").is_file()
    assert lines(read(tmp_path / "events.jsonl"))[0].reason == "missing"


def test_close_events_are_one_bar():
    assert bars([0.0, 0.02, 0.04, 1.0]) == [(0.0, pytest.approx(0.04)), (1.0, 0.02)]


def test_what_is_no_run_is_said(tmp_path):
    with pytest.raises(ContractError, match="does not exist"):
        read(tmp_path / "nothing")
    (tmp_path / "run.json").write_text(json.dumps({}))
    with pytest.raises(ContractError, match="not a recorded run"):
        read(tmp_path)
    assert main(["safety", "report", str(tmp_path / "nothing")]) == 2
