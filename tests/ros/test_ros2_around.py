"""What the ROS 2 node is told of people and things: it stops before them, and when nobody tells any more. Over real rclpy."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ros_tools import process

pytestmark = pytest.mark.ros2
pytest.importorskip("rclpy", reason="rclpy is not in this environment; run `make test-ros2`")

from rclpy.parameter import Parameter  # noqa: E402
from rclpy.qos import qos_profile_sensor_data  # noqa: E402
from ros2_tools import G1, START, DurabilityPolicy, QoSProfile, SingleThreadedExecutor, Watcher  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from visualization_msgs.msg import Marker, MarkerArray  # noqa: E402

from volition.robots.fake import FakePolicy  # noqa: E402
from volition.robots.g1 import g1  # noqa: E402
from volition.robots.primitives import NAMES, PRIMITIVE_ACTION  # noqa: E402
from volition.ros.node2 import VolitionNode  # noqa: E402
from volition.ros.policies import Chosen  # noqa: E402

FORWARD = np.full((20, 1), float(NAMES.index("move_forward")))
EVERY = 0.1  # s
WALKS = 6.0  # s


def walker(name: str) -> Chosen:
    return Chosen(policy=FakePolicy(PRIMITIVE_ACTION, FORWARD), spec=g1(16), cameras=())


class Perceiver:
    """Tells where a person stands, ten times a second by the robot's time, for as long as `tells`; and of a wall, once."""

    def __init__(self, watcher: Watcher) -> None:
        node = watcher.node
        self.tells, self.person, self._last = False, (0.0, 0.0), 0.0
        self._people = node.create_publisher(MarkerArray, "/surroundings", 10)
        kept = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._walls = node.create_publisher(MarkerArray, "/surroundings", kept)
        node.create_subscription(Clock, "/clock", self._on_clock, qos_profile_sensor_data)

    def wall(self) -> None:
        """Behind the robot."""
        self._walls.publish(MarkerArray(markers=[_marker("walls", Marker.CUBE, (-2.0, 0.0, 1.0), (0.1, 4.0, 2.0))]))

    def _on_clock(self, message: Any) -> None:
        now = message.clock.sec + message.clock.nanosec * 1e-9
        if self.tells and now > self._last + EVERY - 1e-6:
            self._last = now
            marker = _marker("people", Marker.CYLINDER, (*self.person, 0.9), (0.6, 0.6, 1.8))
            marker.header.stamp = message.clock
            marker.lifetime.nanosec = 500_000_000
            self._people.publish(MarkerArray(markers=[marker]))


def _marker(namespace: str, kind: int, at: tuple[float, float, float], size: tuple[float, float, float]) -> Marker:
    marker = Marker(ns=namespace, id=1, type=kind, action=Marker.ADD)
    marker.header.frame_id = "odom"
    marker.pose.position.x, marker.pose.position.y, marker.pose.position.z = at
    marker.scale.x, marker.scale.y, marker.scale.z = size
    return marker


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    made = Watcher()
    yield made
    made.close()


@pytest.fixture
def node(watcher: Watcher) -> Iterator[VolitionNode]:
    made = VolitionNode(choose_policy=walker, careful=True)
    made.set_parameters([Parameter("use_sim_time", value=True), Parameter("task_limit_s", value=WALKS)])
    executor = SingleThreadedExecutor()
    executor.add_node(made)
    thread = threading.Thread(target=executor.spin, daemon=True)  # its status and diagnostics
    thread.start()
    yield made
    made.trigger_shutdown()
    executor.shutdown(timeout_sec=5.0)
    thread.join(5.0)
    made.destroy_node()


def test_the_walking_robot_stops_before_a_person_and_when_nobody_tells_any_more(
    watcher: Watcher, node: VolitionNode, tmp_path: Path
) -> None:
    told = Perceiver(watcher)
    told.wall()  # before somebody listens

    def line() -> Any:
        lines = watcher.heard["diagnostics"].status if "diagnostics" in watcher.heard else []
        return next((one for one in lines if one.name == "volition: surroundings"), None)

    def says(words: str) -> bool:
        return line() is not None and words in line().message

    assert node.trigger_configure().name == "SUCCESS", node.refusal
    with process(tmp_path / "g1.log", *G1, "--cameras"):
        watcher.until(lambda: watcher.truth and node.ready, "the simulated robot", START)
        assert node.trigger_activate().name == "SUCCESS", node.refusal
        watcher.until(lambda: says("0 people and 1 things"), "the wall")
        x, y, _ = watcher.truth["position"]
        told.person, told.tells = (x + 1.6, y), True
        watcher.until(lambda: says("1 people and 1 things"), "the person")
        assert line().level == b"\0"

        node.tell("walk")
        watcher.until(lambda: node.report.ended == "time", "the end of the task", 200)
        assert node.guard.counts()["person"] > 0
        walked = watcher.truth["position"][0] - x
        assert 0.3 < walked < 0.6, "0.5 m before the person, who is 0.3 m thick as the robot is"
        assert not watcher.truth["fell"]

        told.person = (x + 1.6, y + 4.0)
        node.tell("walk")
        watcher.until(lambda: watcher.heard["velocity"].linear.x > 0.2, "walking, as the way is free")
        told.tells = False
        watcher.until(lambda: watcher.status["shield"] == "HOLD: surroundings", "the safe action")
        watcher.until(lambda: watcher.heard["velocity"].linear.x == 0.0, "standing still")
        told.tells, told.person = True, (float("nan"), 0.0)
        watcher.until(lambda: "must be finite" in watcher.status["problem"], "the refusal")
        watcher.until(lambda: says("must be finite") and line().level == b"\2", "the refusal's diagnostic")
        assert watcher.status["shield"] == "HOLD: surroundings"
        told.person = (x + 1.6, y + 4.0)
        watcher.until(lambda: watcher.status["problem"] == "", "what can be used again")
        watcher.until(lambda: watcher.status["shield"] != "HOLD: surroundings", "going on")
