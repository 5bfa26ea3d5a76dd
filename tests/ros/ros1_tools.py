"""A roscore of the tests' own, and a node that hears what the others say and tells them things.

Imports rospy only when something is called, so that tests without ROS can stand beside it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ros_tools import wait_for


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@contextmanager
def roscore(home: Path) -> Iterator[None]:
    """One for all tests of a process: rospy cannot go from one to another."""
    import rosgraph

    port = free_port()
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
        import rospy
        from geometry_msgs.msg import Twist
        from std_msgs.msg import String

        rospy.init_node("watcher", disable_signals=True)
        self._now = rospy.Time.now
        self.status: dict[str, Any] = {}
        self.truth: dict[str, Any] = {}
        self.velocities: list[tuple[float, float]] = []
        self.times: list[float] = []
        rospy.Subscriber("/vla_status", String, lambda message: self.status.update(json.loads(message.data)))
        rospy.Subscriber("/simulated/truth", String, lambda message: self.truth.update(json.loads(message.data)))
        rospy.Subscriber("/cmd_vel", Twist, self._velocity)
        self._commands = rospy.Publisher("/humanoid_commands", String, queue_size=1)

    def forget(self) -> None:
        """What others said before."""
        for heard in (self.status, self.truth, self.velocities, self.times):
            heard.clear()

    def _velocity(self, message: Any) -> None:
        self.velocities.append((message.linear.x, message.angular.z))
        self.times.append(self._now().to_sec())

    def tell(self, words: str) -> None:
        wait_for(lambda: self._commands.get_num_connections() > 0, 30, "somebody who takes commands")
        self._commands.publish(words)

    def until(self, state: str = "", ended: str = "", seconds: float = 60.0) -> None:
        wait_for(
            lambda: self.status.get("state") == (state or self.status.get("state")) and self.status["ended"] == ended,
            seconds,
            f"{state} {ended}; the status is {self.status}",
        )
