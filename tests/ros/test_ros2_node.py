"""The ROS 2 node over real rclpy, closed loop with the simulated G1 in another process; and a reader of another make.

The simulator keeps its own time and waits for commands (lockstep), so that these tests come out alike on a busy machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ros_tools import process

pytestmark = pytest.mark.ros2
pytest.importorskip("rclpy", reason="rclpy is not in this environment; run `make test-ros2`")

from ros2_tools import G1, NODE, START, Transition, Watcher  # noqa: E402

PEER = Path(__file__).with_name("peer_cyclone.py")


@pytest.fixture(scope="module")
def watcher() -> Iterator[Watcher]:
    made = Watcher()
    yield made
    made.close()


@pytest.fixture(scope="module")
def walker(watcher: Watcher, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """`volition ros2` with the policy that it has by default, and the simulated G1; the folder of recordings."""
    folder = tmp_path_factory.mktemp("walker")
    words = (*NODE, "--managed", "--record", str(folder / "tasks"), "--ros-args=-p use_sim_time:=true")
    with process(folder / "node.log", *words) as node:
        configured = watcher.change(Transition.TRANSITION_CONFIGURE)
        assert configured, (folder / "node.log").read_text()
        assert not watcher.change(Transition.TRANSITION_ACTIVATE)  # there is no robot yet
        assert "robot's state is not known" in (folder / "node.log").read_text()
        assert watcher.lifecycle() == "inactive"
        with process(folder / "g1.log", *G1, "--cameras"):
            watcher.until(lambda: watcher.truth, "the simulated robot", START)
            watcher.until(lambda: watcher.status.get("problem") == "", "the robot's state")
            assert watcher.counts["joint_commands"] == 0  # inactive: it commands nothing
            assert watcher.change(Transition.TRANSITION_ACTIVATE)
            watcher.until(lambda: watcher.status.get("state") == "standing", "standing by")
            yield folder
            node.terminate()
            assert node.wait(60) == 0, (folder / "node.log").read_text()


def test_it_commands_the_arms_and_hands_by_name_while_it_stands_by(watcher: Watcher, walker: Path) -> None:
    watcher.until(lambda: watcher.counts["joint_commands"] > 20, "commands")
    names = watcher.heard["command"].name
    assert len(names) == len(set(names)) == 28
    assert not [name for name in names if "hip" in name or "knee" in name or "waist" in name]
    assert watcher.heard["velocity"].linear.x == 0.0
    watcher.until(lambda: "diagnostics" in watcher.heard, "diagnostics")
    lines = {line.name: line for line in watcher.heard["diagnostics"].status}
    assert set(lines) == {f"volition: {name}" for name in ("control", "robot", "surroundings", "shield")}


def test_a_reader_of_another_make_understands_the_commands(watcher: Watcher, walker: Path) -> None:
    pytest.importorskip("cyclonedds")
    command = [sys.executable, str(PEER), "/joint_commands", "100"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["count"] >= 100
    assert found["rate"] == pytest.approx(50.0, rel=0.2)  # by the stamps: those of the robot's own time
    assert found["name"] == list(watcher.heard["command"].name)
    assert np.allclose(found["position"], watcher.heard["command"].position, atol=0.05)


def test_it_walks_and_waves_as_it_is_told(watcher: Watcher, walker: Path) -> None:
    before, watcher.fastest = watcher.truth["position"], 0.0
    watcher.tell("walk forward one metre, then wave")
    watcher.until(lambda: watcher.status.get("state") == "running", "the task")
    postures: list[list[float]] = []

    def over() -> bool:
        postures.append(list(watcher.heard["command"].position))
        return watcher.status.get("ended") != ""

    watcher.until(over, "the end of the task", 120)
    assert watcher.status["ended"] == "done"
    watcher.until(lambda: watcher.status["state"] == "standing", "standing by")
    moved = np.subtract(watcher.truth["position"], before)
    assert moved[0] == pytest.approx(1.0, abs=0.15)
    assert abs(moved[1]) < 0.25
    assert not watcher.truth["fell"]
    moving = dict(zip(watcher.heard["command"].name, np.ptp(postures, axis=0), strict=True))
    assert max(angle for name, angle in moving.items() if name.startswith("right_")) > 1.0  # the arm that waves
    assert max(angle for name, angle in moving.items() if name.startswith("left_")) < 0.1
    assert watcher.fastest == pytest.approx(0.5, abs=0.01)
    assert (walker / "tasks" / "task-0000" / "run.npz").exists()


def test_what_cannot_be_done_is_refused_in_words(watcher: Watcher, walker: Path) -> None:
    watcher.tell("xyzzy plugh")
    watcher.until(lambda: watcher.status.get("ended") == "refused", "the refusal")
    assert watcher.status["note"]
    watcher.until(lambda: watcher.status["state"] == "standing", "standing by")


def test_the_emergency_stop_is_latched(watcher: Watcher, walker: Path) -> None:
    watcher.tell("walk forward three metres")
    watcher.until(lambda: watcher.heard["velocity"].linear.x > 0.45, "walking")
    assert watcher.ask("estop").success
    watcher.until(lambda: watcher.status["state"] == "stopped", "the stop")
    watcher.until(lambda: watcher.heard["velocity"].linear.x == 0.0, "standing still")
    watcher.until(lambda: watcher.heard.get("/volition/interventions", {}).get("reason") == "estop", "the intervention")
    watcher.tell("walk forward one metre")
    before, watcher.fastest = watcher.counts["joint_commands"], 0.0
    watcher.until(lambda: watcher.counts["joint_commands"] > before + 50, "commands that hold")
    assert watcher.fastest == 0.0
    answer = watcher.ask("reset_estop")
    assert answer.success
    assert not watcher.ask("reset_estop").success  # once is enough
    watcher.until(lambda: watcher.status["state"] == "standing", "standing by")
    assert not watcher.truth["fell"]


def test_deactivated_it_commands_nothing_and_activated_it_does_again(watcher: Watcher, walker: Path) -> None:
    watcher.tell("walk forward three metres")
    watcher.until(lambda: watcher.heard["velocity"].linear.x > 0.45, "walking")
    assert watcher.change(Transition.TRANSITION_DEACTIVATE)
    assert watcher.lifecycle() == "inactive"
    assert watcher.heard["velocity"].linear.x == 0.0  # it came to rest first
    watcher.until(lambda: watcher.status["state"] == "inactive", "the status")
    count = watcher.counts["joint_commands"]
    watcher.tell("wave")  # nobody is there to do it
    assert not watcher.ask("halt").success or watcher.counts["joint_commands"] == count
    assert watcher.change(Transition.TRANSITION_ACTIVATE)
    watcher.until(lambda: watcher.counts["joint_commands"] > count + 20, "commands")
    assert watcher.status["state"] in ("standing", "inactive")
    assert not watcher.truth["fell"]
