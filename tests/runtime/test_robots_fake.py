"""The fake robot integrates what it is told; the fake policy fails as it is told."""

import numpy as np
import pytest

from volition.errors import ContractError, PolicyError
from volition.robots.fake import FakePolicy, FakeRobot
from volition.robots.g1 import g1
from volition.runtime.clock import FakeClock
from volition.types import Command, Observation

SPEC = g1(16)


def send(robot, clock, position=None, base=(0, 0, 0)):
    home = SPEC.home_position[SPEC.commanded_index]
    robot.command(Command(stamp=clock.now(), position=home if position is None else position, base_velocity=base))


def test_it_stands_at_home_and_shows_its_cameras():
    robot = FakeRobot(SPEC, FakeClock(2.0))
    state = robot.read()
    assert state.stamp == 2.0
    assert np.array_equal(state.position, SPEC.home_position)
    observation = Observation(stamp=2.0, state=state, images=robot.look(), instruction="")
    observation.check(SPEC)
    assert set(observation.images) == {"head", "left_wrist", "right_wrist"}


def test_joints_follow_at_once_or_with_a_lag():
    clock = FakeClock()
    target = SPEC.home_position[SPEC.commanded_index] + 0.1
    ideal, slow = FakeRobot(SPEC, clock), FakeRobot(SPEC, clock, lag_s=0.1)
    for robot in (ideal, slow):
        send(robot, clock, target)
    clock.advance(0.1)
    assert np.allclose(ideal.read().position[SPEC.commanded_index], target)
    assert np.allclose(slow.read().position[SPEC.commanded_index], target - 0.1 * np.exp(-1))


def test_the_base_integrates_its_velocity():
    clock = FakeClock()
    robot = FakeRobot(SPEC, clock)
    send(robot, clock, base=(0.5, 0, np.pi / 4))
    for _ in range(200):
        clock.advance(0.01)
        robot.read()
    radius = 0.5 / (np.pi / 4)  # a quarter of a circle
    assert robot.read().base_position[:2] == pytest.approx([radius, radius], abs=1e-3)


def test_it_refuses_what_no_shield_would_send():
    clock = FakeClock()
    with pytest.raises(ContractError, match="28 finite"):
        send(FakeRobot(SPEC, clock), clock, np.full(28, np.nan))


def test_policy_faults():
    robot = FakeRobot(SPEC, FakeClock(1.0))
    action = SPEC.action("joint")
    policy = FakePolicy(action, np.zeros((3, 19)), faults={0: "raise", 1: "nan", 2: "done"})
    seen = Observation(stamp=1.0, state=robot.read(), images={}, instruction="")
    with pytest.raises(PolicyError, match="inference 0"):
        policy.infer(seen)
    assert np.isnan(policy.infer(seen).values).sum() == 1
    chunk = policy.infer(seen)
    assert (chunk.status, chunk.stamp, chunk.spec) == ("done", 1.0, "joint")
    assert policy.infer(seen).status == "running"
    with pytest.raises(ContractError, match="explode"):
        FakePolicy(action, np.zeros((3, 19)), faults={0: "explode"})
