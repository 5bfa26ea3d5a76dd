"""What a remote policy is told and says beside its actions: its doubt comes over the wire, a plan ahead does no harm."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from serve_tools import EE, ROBOT, Stub, at_ease, schema, served

from volition.robots.fake import FakePolicy, FakeRobot
from volition.runtime.clock import FakeClock, RealClock
from volition.runtime.inference import ThreadedInference
from volition.runtime.loop import Loop
from volition.runtime.ways import WAYS, executor_of
from volition.safety.guard import Guard
from volition.safety.shield import Shield
from volition.serve.client import Patience, RemotePolicy
from volition.serve.protocol import pack
from volition.types import ActionChunk, ActionPoint, Ahead, Command, Observation, RobotState

PATIENCE = Patience(answer_s=2.0, connect_s=2.0, first_s=5.0)


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
