"""The ROS 2 node with every protection on (`--careful`), over real rclpy with the simulated G1 in another process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ros_tools import process

pytestmark = pytest.mark.ros2
pytest.importorskip("rclpy", reason="rclpy is not in this environment; run `make test-ros2`")

from ros2_tools import G1, NODE, START, Transition, Watcher  # noqa: E402


def test_a_careful_node_starts_slowly_and_does_what_it_is_told(tmp_path: Path) -> None:
    watcher = Watcher()
    words = (*NODE, "--managed", "--careful", "--ros-args=-p use_sim_time:=true")
    try:
        with process(tmp_path / "node.log", *words) as node, process(tmp_path / "g1.log", *G1):
            assert watcher.change(Transition.TRANSITION_CONFIGURE), (tmp_path / "node.log").read_text()
            watcher.until(lambda: watcher.truth, "the simulated robot", START)
            watcher.until(lambda: watcher.status.get("problem") == "", "the robot's state")
            assert watcher.change(Transition.TRANSITION_ACTIVATE)
            watcher.until(lambda: watcher.status.get("state") == "standing", "standing by")
            before = watcher.truth["position"]
            watcher.tell("walk forward one metre")
            reasons: set[str] = set()

            def over() -> bool:
                reasons.add(watcher.heard.get("/volition/interventions", {}).get("reason", ""))
                return watcher.status.get("ended") not in ("", None)

            watcher.until(over, "the end of the task", 120)
            assert watcher.status["ended"] == "done", watcher.status
            moved = np.subtract(watcher.truth["position"], before)
            # It walks by time: what the slow start costs of the metre is missing (it is 1.0 without `--careful`).
            assert 0.65 < moved[0] < 0.9
            assert "ramp" in reasons, "the start is slow"
            assert not watcher.truth["fell"]
            node.terminate()
            assert node.wait(60) == 0, (tmp_path / "node.log").read_text()
    finally:
        watcher.close()
