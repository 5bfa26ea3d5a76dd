"""A small rig for the loop: the G1's spec with small pictures, a body of a few lines, the real shield."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from volition.robots.fake import FakePolicy, FakeRobot
from volition.robots.g1 import g1
from volition.runtime.clock import Clock, FakeClock
from volition.runtime.executor import Executor
from volition.runtime.inference import SimulatedInference
from volition.runtime.loop import Loop
from volition.safety.guard import Guard
from volition.safety.shield import Shield
from volition.types import ActionPoint, Command, RobotState

ROBOT = g1(16)
JOINT = ROBOT.action("joint")
ARMS = [name for name in JOINT.names if name.endswith("_joint")]
COLUMNS = [JOINT.index(name) for name in ARMS]
SLOTS = [[joint.name for joint in ROBOT.commanded].index(name) for name in ARMS]
HOME = ROBOT.home_position[ROBOT.commanded_index]


class JointBody:
    """The arms' joints as they are told, hands at home."""

    def __init__(self) -> None:
        self.fails_at: float | None = None
        self.resets = 0

    def reset(self, state: RobotState) -> None:
        self.resets += 1

    def resolve(self, point: ActionPoint, state: RobotState) -> Command:
        if self.fails_at is not None and abs(point.stamp - self.fails_at) < 0.05:
            raise ArithmeticError("no solution")
        position = HOME.copy()
        position[SLOTS] = point.values[COLUMNS]
        return Command(
            stamp=point.stamp, position=position, base_velocity=point.values[-3:], chunk_stamp=point.chunk_stamp
        )


def block(steps: int = 8, *, forward: float = 0.0, elbow: float = 0.0) -> np.ndarray:
    """K steps at home, walking, with the left elbow further by `elbow` radians at the end."""
    values = np.zeros((steps, len(JOINT.dimensions)))
    values[:, COLUMNS] = HOME[SLOTS]
    values[:, JOINT.index("left_elbow_joint")] += elbow
    values[:, JOINT.index("base.forward")] = forward
    return values


def anchor(state: RobotState) -> np.ndarray:
    return block(1)[0]


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
        policy=None, *, inference=None, clock=None, latency_s: float | None = 0.05, robot=None, on_tick=None, **options
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
            executor=Executor(JOINT),
            body=body,
            guard=guard,
            clock=clock,
            on_tick=collect,
            anchor=anchor,
            **options,
        )
        return Rig(clock, policy, robot, body, guard, loop, ticks)

    return make
