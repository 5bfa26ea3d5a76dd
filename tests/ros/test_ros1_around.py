"""The ROS 1 node with every protection on: it stops before a person it is told of, and when nobody tells any more.

The node is in this process, the simulated G1 in another; by the machine's own clock. Its policy has a calibrated doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ros1_tools import Watcher
from ros_tools import SPEC, process, wait_for

from volition.robots.fake import FakePolicy
from volition.robots.primitives import NAMES, PRIMITIVE_ACTION
from volition.ros.config import Ros1Config
from volition.ros.policies import Chosen
from volition.runtime.doubt import Doubt, DoubtConfig
from volition.safety.calibration import Calibration, Signal
from volition.types import ActionChunk, Observation

pytestmark = pytest.mark.ros1
rospy = pytest.importorskip("rospy", reason="rospy is not in this environment; run `make test-ros1`")

FORWARD = np.full((20, 1), float(NAMES.index("move_forward")))


WORRY = Signal(name="worry", middle=0.0, spread=0.5, weight=2.0)
CALIBRATION = Calibration(signals=(WORRY,), bias=-3.0, threshold=0.5, alarms=0.1, smooth_s=0.1, weights="")


class Moody(FakePolicy):
    worry = 0.0

    def infer(self, observation: Observation) -> ActionChunk:
        return replace(super().infer(observation), doubt={"worry": self.worry})


class Perceiver:
    """Tells ten times a second how far before the pelvis somebody stands in the world; None: nobody is there."""

    def __init__(self) -> None:
        from nav_msgs.msg import Odometry
        from visualization_msgs.msg import MarkerArray

        self.person: float | None = None
        self.walked, self._begin = 0.0, float("nan")
        self._publisher = rospy.Publisher("/surroundings", MarkerArray, queue_size=1)
        self._odometry = rospy.Subscriber("/odom", Odometry, self._on_odometry)

    def start(self) -> None:
        self._timer = rospy.Timer(rospy.Duration.from_sec(0.1), lambda event: self._tell())

    def stop(self) -> None:
        self._timer.shutdown()

    def begin(self) -> None:
        self._begin = float("nan")
        wait_for(lambda: self._begin == self._begin, 20, "odometry")

    def _on_odometry(self, message: Any) -> None:
        x = message.pose.pose.position.x
        self._begin = self._begin if self._begin == self._begin else x
        self.walked = x - self._begin

    def _tell(self) -> None:
        from visualization_msgs.msg import Marker, MarkerArray

        marker = Marker(ns="people", id=1, type=Marker.CYLINDER, action=Marker.DELETEALL)
        marker.header.stamp, marker.header.frame_id = rospy.Time.now(), "pelvis"
        if self.person is not None:
            marker.action, marker.lifetime = Marker.ADD, rospy.Duration.from_sec(0.5)
            marker.pose.position.x, marker.pose.position.z = self.person - self.walked, 0.1
            marker.pose.orientation.w = 1.0
            marker.scale.x, marker.scale.y, marker.scale.z = 0.6, 0.6, 1.8
        self._publisher.publish(MarkerArray(markers=[marker]))


@pytest.fixture
def policy() -> Moody:
    return Moody(PRIMITIVE_ACTION, FORWARD)


@pytest.fixture
def node(ros1_watcher: Watcher, policy: Moody, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from volition.ros.node1 import HumanoidNode  # rospy is only where ROS 1 is

    monkeypatch.setattr("volition.ros.protect.WATCHED", 5.0)  # s: a busy machine alone does not set the watchdog off
    ros1_watcher.forget()
    doubt = Doubt(CALIBRATION, PRIMITIVE_ACTION, DoubtConfig(slow_to=0.1))
    chosen = Chosen(policy=policy, spec=SPEC, cameras=(), doubt=doubt)
    with process(tmp_path / "g1.log", "-m", "volition.ros.simulated1", "--camera-hz", "0"):
        made = HumanoidNode(chosen, Ros1Config(careful=True))
        made.start()
        try:
            wait_for(lambda: ros1_watcher.truth and ros1_watcher.status, 180, "the robot and the node")
            yield made
        finally:
            made.stop()


def test_the_careful_node_stops_before_a_person_and_when_nobody_tells_any_more(
    ros1_watcher: Watcher, node: Any, policy: Moody
) -> None:
    watcher, told = ros1_watcher, Perceiver()

    def until(what: Callable[[], object], why: str) -> None:
        try:
            wait_for(what, 30, why)
        except AssertionError as error:
            raise AssertionError(f"{error}; {watcher.status}, {node.guard.counts()}, {told.walked} m") from None

    def shown(words: str) -> bool:
        return watcher.status["shield"] == words

    told.begin()
    told.person = 1.6
    told.start()
    until(lambda: shown("clear"), "standing by")
    first = len(watcher.velocities)
    watcher.tell("walk")
    until(lambda: node.guard.counts().get("ramp", 0) > 0, "the slow start")
    until(lambda: node.guard.counts().get("person", 0) > 0, "being slowed")
    until(lambda: told.walked > 0.3 and watcher.velocities[-1][0] < 0.1, "standing before the person")
    assert max(one for one, _ in watcher.velocities[first:]) < 0.4
    assert told.walked < 0.65, "0.5 m before the person, who is 0.3 m thick as the robot is"

    told.person = None
    until(lambda: watcher.velocities[-1][0] > 0.45, "walking, as the way is free")
    told.stop()
    until(lambda: shown("HOLD: surroundings"), "the safe action")
    until(lambda: watcher.velocities[-1] == (0.0, 0.0), "standing still")
    told.person = float("nan")
    told.start()
    until(lambda: "must be finite" in watcher.status["problem"], "the refusal")
    assert shown("HOLD: surroundings")
    told.person = None
    until(lambda: watcher.status["problem"] == "" and watcher.velocities[-1][0] > 0.2, "going on")
    policy.worry = 9.0
    until(lambda: shown("limiting: unsure"), "doubt")
    until(lambda: 0.0 < watcher.velocities[-1][0] < 0.06, "a tenth of the speed")
    told.stop()
    assert not watcher.truth["fell"]
