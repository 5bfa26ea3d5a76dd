"""Stamps, topics' rates, profiles, policies by name, the base-only robot, and what `volition ros2` says without ROS."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ros_tools import SPEC

from volition.cli import main
from volition.errors import ContractError, InstructionError
from volition.robots.fake import FakePolicy
from volition.robots.primitives import NAMES, PRIMITIVE_ACTION
from volition.ros.align import Aligner
from volition.ros.base_only import LIMITS, BaseOnly, only_base, walking
from volition.ros.config import Numbers, Ros2Config
from volition.ros.errors import RosError
from volition.ros.pilot import Report
from volition.ros.policies import choose
from volition.ros.seen import Seen
from volition.ros.stamps import SILENT, SimulatedTime, Stamps
from volition.ros.transport import PROFILE, RANGE, prepare
from volition.ros.words import intervention_text, status_text
from volition.runtime.clock import FakeClock
from volition.safety.shield import Shield
from volition.types import Command, Intervention


def test_stamps_are_the_loops_time() -> None:
    ros = time.time()
    stamps = Stamps(ros)
    now = stamps.now()
    assert stamps.of(ros) == pytest.approx(now, abs=0.05)
    assert stamps.of(ros) - stamps.of(ros - 1.5) == pytest.approx(1.5)
    assert stamps.of(0.0) == 0.0  # a driver without a clock: as old as can be
    assert stamps.of(stamps.ros_now()) == pytest.approx(stamps.now(), abs=0.01)


def test_simulated_time_waits_for_the_simulator_and_not_for_ever() -> None:
    clock = SimulatedTime()
    clock.tick(5.0)
    threading.Timer(0.2, lambda: clock.tick(5.5)).start()
    clock.sleep_until(clock.now() + 0.4)
    assert clock.ros_now() == 5.5
    clock.tick(5.2)  # never back
    assert clock.ros_now() == 5.5
    begin = time.monotonic()
    with pytest.raises(RosError, match="stood still"):
        clock.sleep_until(clock.now() + 1.0)
    assert SILENT <= time.monotonic() - begin < SILENT + 2.0


def test_missing_messages_are_counted_by_their_stamps() -> None:
    seen = Seen()
    stamps = [number / 30 for number in range(60) if number not in (20, 21, 40)]
    for stamp in stamps:
        seen.add(stamp)
    assert (seen.count, seen.missing) == (57, 3)
    assert seen.rate_hz(stamps[-1]) == pytest.approx(30 * 56 / 59, rel=0.05)
    assert seen.rate_hz(stamps[-1] + 3.0) == 0.0


def test_one_thread_counts_while_another_tells() -> None:
    seen, stop, wrong = Seen(), threading.Event(), list[Exception]()

    def count() -> None:
        stamp = 0.0
        while not stop.is_set():
            seen.add(stamp := stamp + 0.002)

    counting = threading.Thread(target=count)
    before, _ = sys.getswitchinterval(), sys.setswitchinterval(1e-6)
    counting.start()
    try:
        for _ in range(3000):
            seen.rate_hz(0.0)
    except RuntimeError as error:
        wrong.append(error)
    finally:
        sys.setswitchinterval(before)
        stop.set()
        counting.join()
    assert not wrong
    assert seen.count > 100


def test_a_profile_keeps_ros_on_this_machine_unless_it_is_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOLITION_CACHE", str(tmp_path))
    here: dict[str, str] = {}
    prepare(here)
    assert here[RANGE] == "LOCALHOST"
    assert "127.0.0.1" in Path(here[PROFILE]).read_text()
    wide = {RANGE: "SUBNET"}
    prepare(wide)
    assert "127.0.0.1" not in Path(wide[PROFILE]).read_text()
    for path in (here[PROFILE], wide[PROFILE]):
        assert ElementTree.parse(path).getroot().tag.endswith("profiles")
    own = {PROFILE: "/mine.xml"}
    prepare(own)
    assert own[PROFILE] == "/mine.xml"


def test_a_policy_that_does_not_exist_is_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"primitives, rival, the folder of a checkpoint, or ws://HOST:PORT"):
        choose(str(tmp_path / "nothing"))


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(ContractError, match="tolerance_s is -1"):
        Numbers(tolerance_s=-1)
    with pytest.raises(ContractError, match="pixels is 4"):
        Ros2Config(pixels=4)


@pytest.mark.skipif(importlib.util.find_spec("rclpy") is not None, reason="rclpy is installed here")
def test_without_rclpy_the_command_says_where_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ros2"]) == 2
    assert "make setup-ros2" in capsys.readouterr().err


def test_reports_are_json_whatever_is_in_them() -> None:
    told = json.loads(status_text(Report(state="running", instruction='say "hi"\n', latency_s=0.0123456), "no picture"))
    assert (told["state"], told["instruction"], told["latency_s"], told["problem"]) == (
        "running",
        'say "hi"\n',
        0.0123,
        "no picture",
    )
    event = Intervention(stamp=1.0, reason="not_finite", where="left_elbow_joint", before=float("nan"))
    assert json.loads(intervention_text(event))["before"] == "nan"


def test_over_cmd_vel_no_more_than_half_a_metre_a_second_is_asked() -> None:
    spec, clock = walking(SPEC), FakeClock(10.0)
    robot, shield = BaseOnly(spec, clock, Aligner(())), Shield(spec)
    memory = shield.start(robot.read())
    home = SPEC.home_position[SPEC.commanded_index]
    for _ in range(100):
        clock.advance(0.02)
        wild = Command(stamp=clock.now(), position=home, base_velocity=np.array([2.0, 0.0, -3.0]))
        safe, memory, _ = shield.limit(wild, robot.read(), memory, clock.now())
        robot.command(safe)
    assert robot.velocity.tolist() == [LIMITS.velocity[0], 0.0, -LIMITS.velocity[2]]


def test_over_cmd_vel_arms_are_refused() -> None:
    with pytest.raises(ContractError, match="only 'primitive' can be done"):
        only_base(FakePolicy(SPEC.action("ee"), np.zeros((1, 17))))

    class Understood(FakePolicy):
        plan = None

        def reset(self, instruction: str) -> None:
            steps = [type("Step", (), {"primitive": name}) for name in instruction.split()]
            self.plan = type("Plan", (), {"steps": steps})

    policy = only_base(Understood(PRIMITIVE_ACTION, np.full((5, 1), float(NAMES.index("move_forward")))))
    policy.reset("move_forward turn_left stop")
    with pytest.raises(InstructionError, match=r"asks for wave, raise_left_arm; .* only walks and turns"):
        policy.reset("wave move_forward raise_left_arm")


def test_the_same_robot_walks_slower_over_cmd_vel() -> None:
    assert replace(walking(SPEC), base=SPEC.base) == SPEC
