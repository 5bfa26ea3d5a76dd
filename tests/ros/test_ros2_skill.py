"""A skill over ROS 2: a policy that sees through topics presses a button, in closed loop with the simulated G1.

The policy is the rival: it needs no training, and all that it knows of the scene is in the pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ros_tools import SPEC, process

from volition.data.feature import IMAGES
from volition.data.store import Dataset

pytestmark = pytest.mark.ros2
pytest.importorskip("rclpy", reason="rclpy is not in this environment; run `make test-ros2`")

from ros2_tools import G1, NODE, START, Image, Watcher  # noqa: E402


@pytest.fixture(scope="module")
def watcher() -> Iterator[Watcher]:
    made = Watcher()
    yield made
    made.close()


def recorded(folder: Path, words: str) -> None:
    """The data set that was recorded meanwhile has that task, seen and done."""
    with Dataset(folder) as dataset:
        assert (dataset.episodes, dataset.fps) == (1, 10)
        episode = dataset.episode(0)
        assert episode.instruction == words
        assert len(episode) >= 10
        reach = SPEC.action("ee")
        hands = [reach.index(f"{side}.{axis}") for side in ("left", "right") for axis in "xyz"]
        assert np.ptp(episode.action[:, hands], axis=0).max() > 0.05  # a hand went to the button
        pictures = dataset.images(0, IMAGES + "head", range(len(episode)))
        assert pictures.shape[1:] == (128, 128, 3)
        assert pictures.std() > 20
        assert np.abs(np.diff(pictures.astype(int), axis=0)).max() > 20  # and was seen going there


def test_a_button_is_pressed_by_a_policy_that_sees_through_topics(
    watcher: Watcher, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("presser")
    node_words = (*NODE, "--policy", "rival", "--ros-args=-p use_sim_time:=true -p start_wait_s:=60.0")
    with process(folder / "node.log", *node_words) as node:
        watcher.until(lambda: watcher.picture.get_subscription_count() > 0, "the node", START)
        grey = Image(height=2, width=2, encoding="mono8", step=2, data=[0] * 4)
        recorder = ("-m", "volition.cli", "data", "listen", str(folder / "set"), "--ros-args=-p use_sim_time:=true")
        with (
            process(folder / "g1.log", *G1, "--skill", "press_button", "--seed", "3"),
            process(folder / "recorder.log", *recorder) as recording,
        ):
            watcher.until(lambda: watcher.instruction.get_subscription_count() == 3, "robot, node and recorder", START)
            watcher.until(lambda: watcher.status.get("state") == "standing", "standing by", START)
            watcher.until(lambda: watcher.status.get("problem") == "", "pictures")
            watcher.until(lambda: watcher.truth, "the simulated robot")
            log = folder / "recorder.log"
            watcher.until(lambda: "All is heard" in log.read_text(), "all topics at the recorder", START)
            watcher.tell(watcher.truth["wish"])
            watcher.until(lambda: watcher.truth["verdicts"], "the verdict", 200)
            assert watcher.truth["verdicts"] == [{"success": True, "why": "pressed"}]
            assert not watcher.truth["fell"]
            recording.terminate()
            assert recording.wait(60) == 0, log.read_text()
            recorded(folder / "set", watcher.truth["wish"])
            watcher.picture.publish(grey)
            watcher.until(lambda: "mono8" in (folder / "node.log").read_text(), "what is wrong with the picture")
            assert watcher.status["state"] in ("running", "standing")
            grey.encoding, grey.header.stamp.sec = "rgb8", 10**6
            watcher.picture.publish(grey)  # must not stay the newest picture
            watcher.until(lambda: "in the future" in (folder / "node.log").read_text(), "what is wrong with the stamp")
            watcher.until(lambda: watcher.status["problem"] == "", "right pictures again")
        # The robot is gone: its state is too old, or its clock stands still.
        watcher.until(
            lambda: watcher.status["shield"].startswith("HOLD") or watcher.status["state"] == "fault", "the safe action"
        )
        node.terminate()
        node.wait(60)
