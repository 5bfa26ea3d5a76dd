"""Topics to frames of a data set: aligned by stamps, an episode for each instruction, gaps end one; and from an MCAP bag."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ros_tools import SPEC, state

from volition.cli import main
from volition.data.feature import ACTION, IMAGES, STATE
from volition.data.store import Dataset
from volition.ros.take import JOINT, Take

COMMANDED = [joint.name for joint in SPEC.commanded]
HOME = SPEC.home_position[SPEC.commanded_index]
ELBOW = COMMANDED.index("left_elbow_joint")


def target(time: float) -> np.ndarray:
    """The elbow's target is a tenth of the time."""
    position = HOME.copy()
    position[ELBOW] = 0.1 * time
    return position


class Streams:
    """Everything of a drive of `seconds`, in the order of time, as a list of (time, what, call of a Take)."""

    def __init__(self, seconds: float, *, gap: tuple[float, float] = (99.0, 99.0)) -> None:
        self.events: list[tuple[float, Any]] = []
        for number in range(round(100 * seconds)):  # 100 Hz: every joint is a hundredth of the time
            time = 1.0 + 0.01 * number
            self.events.append((time, lambda take, time=time: take.state(state(time, angle=0.01 * time))))
        for number in range(round(50 * seconds)):
            time = 1.0 + 0.02 * number
            self.events.append((time, lambda take, time=time: take.command(time, COMMANDED, list(target(time)))))
            self.events.append((time, lambda take, time=time: take.velocity(time, 0.1 * time, 0.0, 0.0)))
        random = np.random.default_rng(0)
        for number in range(round(30 * seconds)):  # 30 Hz with jitter, brightness tells the time
            time = 1.0 + number / 30 + random.uniform(0.0, 0.004)
            shade = np.full((16, 16, 3), min(255, round(20 * time)), dtype=np.uint8)
            if not gap[0] < time < gap[1]:
                self.events.append(
                    (time, lambda take, time=time, shade=shade: take.picture("head", time, lambda: shade))
                )

    def say(self, time: float, words: str) -> None:
        self.events.append((time, lambda take: take.instruction(time, words)))

    def play(self, take: Take) -> None:
        for _, event in sorted(self.events, key=lambda one: one[0]):
            event(take)


class Kept:
    def __init__(self) -> None:
        self.frames: list[tuple[dict[str, Any], str]] = []
        self.ends: list[tuple[int, str]] = []
        self.take = Take(SPEC, ("head",), lambda frame, words: self.frames.append((frame, words)), self.end)

    def end(self, frames: int, why: str) -> None:
        self.ends.append((frames, why))


def test_a_frame_is_one_moment_and_what_was_commanded_for_the_next_tenth_of_a_second() -> None:
    streams, kept = Streams(4.0), Kept()
    streams.say(2.0, "go on")
    streams.play(kept.take)
    kept.take.finish("the end")
    assert len(kept.frames) == kept.ends[0][0] >= 18
    elbow = SPEC.action("joint").index("left_elbow_joint")
    names = kept.take.features[1].names or ()
    assert {words for _, words in kept.frames} == {"go on"}
    for number, (frame, _) in enumerate(kept.frames):
        moment = 2.0 + 0.1 * number
        seen = 100.0 * frame[STATE][names.index("left_elbow_joint")]  # the picture's moment, by the state
        assert seen == pytest.approx(moment, abs=0.02)
        assert frame[IMAGES + "head"][0, 0, 0] == pytest.approx(20 * seen, abs=1.0)
        assert frame[JOINT][elbow] == pytest.approx(0.1 * (moment + 0.1), abs=0.003)
        assert frame[ACTION][-3] == frame[JOINT][-3] == pytest.approx(0.1 * (moment + 0.1), abs=0.003)


def test_hands_poses_are_where_the_commanded_arms_reach() -> None:
    from volition.body.arms import Arms

    streams, kept = Streams(2.0), Kept()
    streams.say(1.2, "reach")
    streams.play(kept.take)
    frame = kept.frames[3][0]
    ee, joint = SPEC.action("ee"), SPEC.action("joint")
    aimed = state(1.0).position.copy()
    for number, spec in enumerate(SPEC.joints):
        aimed[number] = frame[JOINT][joint.index(spec.name)] if spec.group.endswith("_arm") else 0.01 * 1.5
    told = state(1.0)
    object.__setattr__(told, "position", aimed)
    where, _ = Arms(SPEC).hand("left", told)
    first = ee.index("left.x")
    assert np.allclose(frame[ACTION][first : first + 3], where, atol=0.002)
    assert frame[ACTION][ee.index("left.grasp")] == pytest.approx(frame[JOINT][joint.index("left.grasp")])


def test_an_instruction_ends_what_was_before_and_an_empty_one_ends_all() -> None:
    streams, kept = Streams(5.0), Kept()
    for time, words in ((1.5, "first"), (2.5, "second"), (3.5, "")):
        streams.say(time, words)
    streams.play(kept.take)
    assert [words for _, words in kept.frames] == ["first"] * 9 + ["second"] * 9
    assert [frames for frames, _ in kept.ends] == [9, 9]


def test_a_gap_in_the_pictures_ends_the_episode_and_says_where() -> None:
    streams, kept = Streams(5.0, gap=(2.4, 2.9)), Kept()
    streams.say(1.5, "go")
    streams.play(kept.take)
    kept.take.finish("the end")
    assert len(kept.ends) == 1
    frames, why = kept.ends[0]
    assert frames == len(kept.frames)
    assert frames in (9, 10)  # up to 2.4 s, whose picture may be the last before the gap
    assert why.startswith(("a gap at 2.4", "a gap at 2.5"))


def test_what_was_never_heard_is_named_and_why_there_is_no_frame() -> None:
    streams, kept = Streams(5.0, gap=(0.0, 9.0)), Kept()
    assert kept.take.silent == ("pictures of head", "joint states with odometry", "joint commands")
    streams.say(1.5, "go")
    streams.play(kept.take)
    assert kept.take.silent == ("pictures of head",)
    kept.take.finish("the end")
    assert kept.ends[0][0] == 0
    assert kept.ends[0][1].startswith("the end, for no picture of head near 5.")


def test_a_bag_becomes_a_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rosbags", reason="rosbags is not installed; pip install 'volition[rosbag]'")
    bag = write_bag(tmp_path / "bag")
    assert main(["data", "mcap", str(bag), str(tmp_path / "set"), "--pixels", "16"]) == 0
    shown = capsys.readouterr().out
    assert "episode 0: “walk to the door”" in shown
    with Dataset(tmp_path / "set") as dataset:
        assert dataset.episodes == 2
        episode = dataset.episode(0)
        assert episode.instruction == "walk to the door"
        assert len(episode) >= 8
        column = (episode.feature(STATE).names or ()).index("left_elbow_joint")
        assert np.allclose(np.diff(episode.state[:, column]), 0.001, atol=0.0005)  # a hundredth of 0.1 s a frame
        assert np.allclose(episode.action[:, -3], 0.1 * (100.0 * episode.state[:, column] + 0.1), atol=0.005)
        bright = dataset.images(0, IMAGES + "head", range(len(episode))).mean(axis=(1, 2, 3))
        assert np.allclose(bright, 2000.0 * episode.state[:, column], atol=6.0)  # the codec is not exact
    assert main(["data", "mcap", str(bag), str(tmp_path / "set")]) == 2
    assert "holds a data set already" in capsys.readouterr().err
    assert main(["data", "mcap", str(bag), str(tmp_path / "other"), "--topics", "odometry=/where"]) == 2
    assert "has no /where" in capsys.readouterr().err


def write_bag(folder: Path) -> Path:
    """Four seconds of a drive, written by rosbags as rosbag2 would: messages as CDR in an MCAP file."""
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)
    types = store.types
    header = types["std_msgs/msg/Header"]
    stamp_of = types["builtin_interfaces/msg/Time"]
    vector, point = types["geometry_msgs/msg/Vector3"], types["geometry_msgs/msg/Point"]

    def head(time: float) -> Any:
        return header(stamp=stamp_of(sec=int(time), nanosec=round((time % 1) * 1e9)), frame_id="")

    def joints(time: float, names: list[str], position: np.ndarray) -> Any:
        empty = np.zeros(0)
        kind = types["sensor_msgs/msg/JointState"]
        return kind(header=head(time), name=names, position=np.asarray(position), velocity=empty, effort=empty)

    def twist(forward: float) -> Any:
        still = vector(x=0.0, y=0.0, z=0.0)
        return types["geometry_msgs/msg/Twist"](linear=vector(x=forward, y=0.0, z=0.0), angular=still)

    def odometry(time: float) -> Any:
        turned = types["geometry_msgs/msg/Quaternion"](x=0.0, y=0.0, z=0.0, w=1.0)
        pose = types["geometry_msgs/msg/Pose"](position=point(x=0.0, y=0.0, z=0.79), orientation=turned)
        zeros = np.zeros(36)
        return types["nav_msgs/msg/Odometry"](
            header=head(time),
            child_frame_id="pelvis",
            pose=types["geometry_msgs/msg/PoseWithCovariance"](pose=pose, covariance=zeros),
            twist=types["geometry_msgs/msg/TwistWithCovariance"](twist=twist(0.0), covariance=zeros),
        )

    def image(time: float) -> Any:
        data = np.full(16 * 16 * 3, round(20 * time), dtype=np.uint8)
        kind = types["sensor_msgs/msg/Image"]
        return kind(header=head(time), height=16, width=16, encoding="bgr8", is_bigendian=0, step=48, data=data)

    text = types["std_msgs/msg/String"]
    rows: list[tuple[float, str, Any]] = [(1.5, "/instruction", text(data="walk to the door"))]
    rows.append((2.5, "/instruction", text(data="press the button")))
    for number in range(200):
        time = 1.0 + 0.02 * number
        angles = np.full(len(SPEC.joints), 0.01 * time)
        rows.append((time, "/odom", odometry(time)))
        rows.append((time, "/joint_states", joints(time, list(SPEC.joint_names), angles)))
        rows.append((time, "/joint_commands", joints(time, COMMANDED, target(time))))
        rows.append((time, "/cmd_vel", twist(0.1 * time)))
        if number % 2 == 0:
            rows.append((time, "/camera/front/image", image(time)))
    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        known = {
            topic: writer.add_connection(topic, message.__msgtype__, typestore=store)
            for topic, message in {topic: message for _, topic, message in rows}.items()
        }
        for time, topic, message in sorted(rows, key=lambda row: row[0]):
            data = store.serialize_cdr(message, message.__msgtype__)
            writer.write(known[topic], round((time + 0.003) * 1e9), data)
    return folder
