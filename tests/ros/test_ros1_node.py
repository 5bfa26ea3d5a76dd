"""The ROS 1 node against a real roscore on loopback, walking the simulated G1, which is another process.

`make test-ros1` runs it, in the environment that has rospy.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ros_tools import process, wait_for

pytestmark = pytest.mark.ros1
rospy = pytest.importorskip("rospy", reason="rospy is not in this environment; run `make test-ros1`")


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    import rosgraph

    port, home = free_port(), tmp_path_factory.mktemp("ros")
    os.environ |= {"ROS_MASTER_URI": f"http://127.0.0.1:{port}", "ROS_IP": "127.0.0.1", "ROS_HOME": str(home)}
    with (home / "roscore.log").open("wb") as log:
        core = subprocess.Popen(["roscore", "-p", str(port)], stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(rosgraph.is_master_online, 60, "roscore")
        yield
    finally:
        core.terminate()
        core.wait(30)


class Watcher:
    """What the others say, and a voice."""

    def __init__(self) -> None:
        from geometry_msgs.msg import Twist
        from std_msgs.msg import String

        rospy.init_node("watcher", disable_signals=True)
        self.status: dict[str, Any] = {}
        self.truth: dict[str, Any] = {}
        self.velocities: list[tuple[float, float]] = []
        self.times: list[float] = []
        rospy.Subscriber("/vla_status", String, lambda message: self.status.update(json.loads(message.data)))
        rospy.Subscriber("/simulated/truth", String, lambda message: self.truth.update(json.loads(message.data)))
        rospy.Subscriber("/cmd_vel", Twist, self._velocity)
        self._commands = rospy.Publisher("/humanoid_commands", String, queue_size=1)

    def _velocity(self, message: Any) -> None:
        self.velocities.append((message.linear.x, message.angular.z))
        self.times.append(rospy.Time.now().to_sec())

    def tell(self, words: str) -> None:
        wait_for(lambda: self._commands.get_num_connections() > 0, 30, "somebody who takes commands")
        self._commands.publish(words)

    def until(self, state: str = "", ended: str = "", seconds: float = 60.0) -> None:
        wait_for(
            lambda: self.status.get("state") == (state or self.status.get("state")) and self.status["ended"] == ended,
            seconds,
            f"{state} {ended}; the status is {self.status}",
        )


@pytest.fixture(scope="module")
def watcher(master: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watcher]:
    folder, made = tmp_path_factory.mktemp("walker"), Watcher()
    words = ("-m", "volition.ros.simulated1", "--camera-hz", "2")
    with process(folder / "g1.log", *words), process(folder / "node.log", "-m", "volition.cli", "ros1") as node:
        wait_for(lambda: made.truth and made.status.get("state") == "standing", 180, "the robot and the node")
        yield made
        node.terminate()
        assert node.wait(60) == 0, (folder / "node.log").read_text()
        assert made.velocities[-1] == (0.0, 0.0)


def test_it_walks_and_turns_as_it_is_told(watcher: Watcher) -> None:
    before = watcher.truth["position"][0]
    watcher.tell("walk forward one metre, then turn left")
    watcher.until("standing", "done", 90)
    wait_for(lambda: watcher.velocities[-1] == (0.0, 0.0), 10, "standing still")
    forward = [one for one, _ in watcher.velocities]
    turning = [one for _, one in watcher.velocities]
    assert (max(forward), max(turning)) == (pytest.approx(0.5), pytest.approx(0.5))
    assert min(forward) >= 0.0
    # Real time: on a busy machine the simulated robot is held up, and walks less far than its time was.
    assert 0.3 < watcher.truth["position"][0] - before < 1.2
    assert not watcher.truth["fell"]
    rate = (len(watcher.times) - 1) / (watcher.times[-1] - watcher.times[0])
    assert rate == pytest.approx(10.0, rel=0.2)


def test_arms_are_refused_and_words_that_mean_nothing(watcher: Watcher) -> None:
    for words, why in (("wave", "only walks and turns"), ("xyzzy plugh", "")):
        watcher.status.update(ended="", note="")
        watcher.tell(words)
        watcher.until("standing", "refused")
        assert why in watcher.status["note"]


def test_the_emergency_stop_is_latched(watcher: Watcher) -> None:
    from std_srvs.srv import Trigger

    watcher.tell("walk forward three metres")
    wait_for(lambda: watcher.velocities[-1][0] > 0.45, 20, "walking")
    rospy.wait_for_service("/volition/estop", 10)
    assert rospy.ServiceProxy("/volition/estop", Trigger)().success
    wait_for(lambda: watcher.velocities[-1] == (0.0, 0.0), 10, "standing still")
    watcher.tell("walk forward one metre")
    count = len(watcher.velocities)
    wait_for(lambda: len(watcher.velocities) > count + 10, 20, "a second of velocities")
    assert watcher.velocities[count:][-10:] == [(0.0, 0.0)] * 10
    assert watcher.status["state"] == "stopped"
    assert rospy.ServiceProxy("/volition/reset_estop", Trigger)().success
    wait_for(lambda: watcher.status["state"] == "standing", 20, "standing by")
    assert not watcher.truth["fell"]


def test_the_code_that_ros_1_shares_runs_on_its_numpy(watcher: Watcher) -> None:
    import numpy as np

    assert np.__version__.startswith("1.24."), "the environment of ROS 1 has Debian's numpy"
    assert Path(rospy.__file__).is_relative_to("/usr/lib/python3")
