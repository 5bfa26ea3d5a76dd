"""The ROS 1 node against a real roscore on loopback, walking the simulated G1, which is another process.

`make test-ros1` runs it, in the environment that has rospy.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ros1_tools import Watcher
from ros_tools import process, wait_for

pytestmark = pytest.mark.ros1
rospy = pytest.importorskip("rospy", reason="rospy is not in this environment; run `make test-ros1`")


@pytest.fixture(scope="module")
def watcher(ros1_watcher: Watcher, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watcher]:
    folder, made = tmp_path_factory.mktemp("walker"), ros1_watcher
    made.forget()
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
    # A watcher on a busy machine does not see every command: the top speed may lie between two that it saw.
    assert 0.4 < max(forward) <= 0.5 + 1e-6
    assert 0.4 < max(turning) <= 0.5 + 1e-6
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
