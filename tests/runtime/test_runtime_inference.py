"""Inference beside the loop: the latest observation wins, nothing a policy does reaches the caller, closing ends."""

from __future__ import annotations

import sys
import threading
import time

import numpy as np
import pytest

from volition.errors import ContractError, InstructionError, PolicyError
from volition.robots.fake import FakePolicy, FakeRobot
from volition.robots.g1 import g1
from volition.runtime.clock import FakeClock
from volition.runtime.inference import SimulatedInference, ThreadedInference
from volition.types import Observation

ROBOT = g1(16)
SPEC = ROBOT.action("joint")
BLOCK = np.zeros((4, len(SPEC.dimensions)))


def see(stamp: float) -> Observation:
    clock = FakeClock(stamp)
    return Observation(stamp=stamp, state=FakeRobot(ROBOT, clock).read(), images={}, instruction="go")


def wait(inference, seconds=5.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = inference.poll(0.0)
        if answer is not None:
            return answer
        time.sleep(0.002)
    raise TimeoutError("no answer")


@pytest.fixture
def threaded():
    made = []

    def make(policy, **options):
        made.append((ThreadedInference(policy, **options), policy))
        return made[-1][0]

    interval = sys.getswitchinterval()
    yield make
    sys.setswitchinterval(interval)
    for inference, policy in made:
        policy.release()
        inference.close()
        assert not inference.hangs


def test_threaded_answers_with_the_chunk(threaded):
    policy = FakePolicy(SPEC, BLOCK)
    inference = threaded(policy)
    inference.start("go")
    assert policy.instructions == ["go"]
    assert inference.poll(0.0) is None
    inference.submit(see(1.0))
    answer = wait(inference)
    assert answer.stamp == 1.0
    assert answer.chunk.stamp == 1.0
    assert answer.error is None
    assert 0 <= answer.latency_s < 5
    assert inference.poll(0.0) is None
    assert not inference.busy


def test_threaded_latest_observation_wins(threaded):
    gate = threading.Event()
    policy = FakePolicy(SPEC, BLOCK, delay_s=1.0, sleep=lambda _: gate.wait(10))
    inference = threaded(policy)
    inference.start("go")
    inference.submit(see(1.0))
    while not policy.seen:
        time.sleep(0.001)
    for stamp in (2.0, 3.0, 4.0):
        inference.submit(see(stamp))
    assert inference.busy
    gate.set()
    assert [wait(inference).stamp, wait(inference).stamp] == [1.0, 4.0]
    assert len(policy.seen) == 2


def test_threaded_reports_exceptions_and_goes_on(threaded):
    inference = threaded(FakePolicy(SPEC, BLOCK, faults={0: "raise"}))
    inference.start("go")
    inference.submit(see(1.0))
    answer = wait(inference)
    assert answer.chunk is None
    assert isinstance(answer.error, PolicyError)
    inference.submit(see(2.0))
    assert wait(inference).chunk is not None


def test_threaded_policy_that_returns_something_else(threaded):
    policy = FakePolicy(SPEC, BLOCK)
    policy.infer = lambda observation: {"action": 3}
    inference = threaded(policy)
    inference.start("go")
    inference.submit(see(1.0))
    assert "dict" in str(wait(inference).error)


def test_threaded_close_returns_while_the_policy_hangs(threaded):
    policy = FakePolicy(SPEC, BLOCK, faults={0: "hang"})
    inference = threaded(policy, close_deadline_s=0.1, start_deadline_s=0.1)
    inference.start("go")
    inference.submit(see(1.0))
    while not policy.seen:
        time.sleep(0.001)
    begin = time.perf_counter()
    inference.close()
    assert time.perf_counter() - begin < 1.0
    assert inference.hangs
    with pytest.raises(PolicyError, match="has not come back"):
        inference.start("again")
    policy.release()
    end = time.monotonic() + 5
    while inference.hangs and time.monotonic() < end:
        time.sleep(0.002)
    inference.start("again")
    assert inference.poll(0.0) is None, "the answer to an earlier run is dropped"
    inference.submit(see(2.0))
    assert wait(inference).stamp == 2.0


def test_threaded_start_drops_what_is_left_of_the_run_before(threaded):
    gate = threading.Event()
    policy = FakePolicy(SPEC, BLOCK, delay_s=1.0, sleep=lambda _: gate.wait(10))
    inference = threaded(policy)
    inference.start("one")
    inference.submit(see(1.0))
    while not policy.seen:
        time.sleep(0.001)
    inference.submit(see(1.1))
    threading.Timer(0.05, gate.set).start()
    inference.start("two")
    inference.submit(see(5.0))
    assert wait(inference).stamp == 5.0
    assert policy.instructions == ["one", "two"]


@pytest.mark.parametrize("kind", ["threaded", "simulated"])
def test_start_raises_what_the_policy_refuses(kind, threaded):
    policy = FakePolicy(SPEC, BLOCK)
    inference = threaded(policy) if kind == "threaded" else SimulatedInference(policy, 0.05)

    def refuse(instruction):
        raise InstructionError("no such thing") if instruction == "fly" else RuntimeError("broken")

    policy.reset = refuse
    with pytest.raises(InstructionError, match="no such thing"):
        inference.start("fly")
    with pytest.raises(PolicyError, match="RuntimeError: broken"):
        inference.start("go")


def test_threaded_start_has_a_deadline(threaded):
    policy = FakePolicy(SPEC, BLOCK)
    release = threading.Event()
    policy.reset = lambda instruction: release.wait(10)
    inference = threaded(policy, start_deadline_s=0.05)
    with pytest.raises(PolicyError, match=r"within 0\.05 s"):
        inference.start("go")
    release.set()


def test_simulated_delivers_after_its_latency():
    inference = SimulatedInference(FakePolicy(SPEC, BLOCK), 0.08)
    inference.start("go")
    inference.submit(see(1.0))
    assert inference.busy
    assert inference.poll(1.06) is None
    answer = inference.poll(1.08)
    assert answer.stamp == 1.0
    assert answer.latency_s == 0.08
    assert not inference.busy


def test_simulated_slow_policy_goes_on_with_the_latest():
    policy = FakePolicy(SPEC, BLOCK)
    inference = SimulatedInference(policy, 0.25)
    inference.start("go")
    got = []
    for k in range(60):
        now = 0.02 * k
        if k % 5 == 0:
            inference.submit(see(now))
        answer = inference.poll(now)
        if answer is not None:
            got.append((round(now, 2), round(answer.stamp, 2)))
    assert got == [(0.26, 0.0), (0.5, 0.2), (0.76, 0.5), (1.0, 0.7)]


def test_simulated_measures_the_wall_time():
    inference = SimulatedInference(FakePolicy(SPEC, BLOCK, delay_s=0.03), None)
    inference.start("go")
    inference.submit(see(1.0))
    assert inference.poll(1.0) is None
    assert inference.poll(11.0).latency_s >= 0.03
    with pytest.raises(ContractError, match="latency_s"):
        SimulatedInference(FakePolicy(SPEC, BLOCK), -1.0)


def test_simulated_reports_exceptions():
    inference = SimulatedInference(FakePolicy(SPEC, BLOCK, faults={0: "raise"}), 0.0)
    inference.start("go")
    inference.submit(see(1.0))
    assert isinstance(inference.poll(1.0).error, PolicyError)
