"""A small rig for the loop: the G1's spec with small pictures, a body of a few lines, the real shield."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from runtime_tools import JOINT, ROBOT, JointBody, anchor, block

from volition.robots.fake import FakePolicy, FakeRobot
from volition.runtime.clock import Clock, FakeClock
from volition.runtime.executor import Executor
from volition.runtime.inference import SimulatedInference
from volition.runtime.loop import Loop
from volition.safety.guard import Guard
from volition.safety.shield import Shield


@dataclass
class Rig:
    """All parts of a loop, to be looked at after the run."""

    clock: Clock
    policy: FakePolicy
    robot: FakeRobot
    body: JointBody
    guard: Guard
    loop: Loop
    ticks: list = field(default_factory=list)

    def run(self, limit_s: float, **options):
        return self.loop.run("go", limit_s=limit_s, **options)


@pytest.fixture
def rig():
    def make(
        policy=None,
        *,
        inference=None,
        clock=None,
        latency_s: float | None = 0.05,
        robot=None,
        on_tick=None,
        executor=None,
        **options,
    ) -> Rig:
        clock = clock or FakeClock()
        policy = policy or FakePolicy(JOINT, block(forward=0.3))
        robot = robot or FakeRobot(ROBOT, clock)
        body, guard, ticks = JointBody(), Guard(Shield(ROBOT)), []

        def collect(tick):
            ticks.append(tick)
            if on_tick is not None:
                on_tick(tick)

        loop = Loop(
            robot=robot,
            inference=inference or SimulatedInference(policy, latency_s),
            executor=executor or Executor(JOINT),
            body=body,
            guard=guard,
            clock=clock,
            on_tick=collect,
            anchor=anchor,
            **options,
        )
        return Rig(clock, policy, robot, body, guard, loop, ticks)

    return make
