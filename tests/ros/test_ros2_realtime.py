"""The ROS 2 node by the machine's own clock: what the lockstep tests leave out. The policy is a few lines, the robot in physics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ros_tools import process, wait_for

pytestmark = pytest.mark.ros2
pytest.importorskip("rclpy", reason="rclpy is not in this environment; run `make test-ros2`")

from ros2_tools import START, SingleThreadedExecutor, Watcher  # noqa: E402

from volition.robots.fake import FakePolicy  # noqa: E402
from volition.robots.g1 import g1  # noqa: E402
from volition.robots.primitives import NAMES, PRIMITIVE_ACTION  # noqa: E402
from volition.ros.node2 import VolitionNode  # noqa: E402
from volition.ros.policies import Chosen  # noqa: E402

TURN = np.full((20, 1), float(NAMES.index("turn_left")))


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    made = Watcher()
    yield made
    made.close()


def turner(name: str) -> Chosen:
    return Chosen(policy=FakePolicy(PRIMITIVE_ACTION, TURN), spec=g1(16), cameras=("head",))


def test_in_real_time_it_stands_by_turns_and_notices_that_the_robot_is_gone(watcher: Watcher, tmp_path: Path) -> None:
    node = VolitionNode(choose_policy=turner)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        assert node.trigger_configure().name == "SUCCESS", node.refusal
        words = ("-m", "volition.ros.simulated", "--width", "64", "--height", "64", "--compressed")
        with process(tmp_path / "g1.log", *words):
            wait_for(lambda: node.ready, START, "the robot")
            assert node.trigger_activate().name == "SUCCESS", node.refusal
            node.tell("turn")  # at once: it must not get lost
            wait_for(lambda: watcher.heard.get("velocity") is not None, 20, "velocities")
            with pytest.raises(AssertionError):  # its pictures are compressed, and the node listens to raw ones
                wait_for(lambda: watcher.heard["velocity"].angular.z > 0.0, 2, "turning")
            assert node.problem() == "no picture of head has come"
        watched = watcher.counts["joint_commands"]
        wait_for(lambda: node.report.shield == "HOLD: state", 20, "the safe action")
        wait_for(lambda: watcher.counts["joint_commands"] > watched + 10, 20, "commands that hold")
        assert node.trigger_deactivate().name == "SUCCESS"
        assert node.trigger_cleanup().name == "SUCCESS"
        node.set_parameters([_parameter("compressed", True)])
        assert node.trigger_configure().name == "SUCCESS", node.refusal
        with process(tmp_path / "g1.log", *words):
            wait_for(lambda: node.ready and node.problem() == "", START, "the robot and its pictures")
            assert node.trigger_activate().name == "SUCCESS", node.refusal
            node.tell("turn")
            wait_for(lambda: watcher.heard["velocity"].angular.z > 0.45, 20, "turning")
            assert node.report.state == "running"
            assert node.trigger_deactivate().name == "SUCCESS"
            assert watcher.truth["fell"] is False
        wait_for(lambda: watcher.heard["velocity"].angular.z == 0.0, 5, "standing still")
    finally:
        node.trigger_shutdown()
        executor.shutdown(timeout_sec=2.0)
        node.destroy_node()


def _parameter(name: str, value: object) -> object:
    from rclpy.parameter import Parameter

    return Parameter(name, value=value)
