"""`data check`: each kind of fault, planted alone, is named with its episode and frame; clean data gives nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from volition.data.errors import DataError
from volition.data.feature import image_feature, vector_feature
from volition.data.lint import limits_of, lint
from volition.data.lint_finding import KINDS, Finding
from volition.data.lint_numbers import text_problem
from volition.data.store import Dataset
from volition.data.writer import DatasetWriter

EPISODES, LENGTH, FPS = 4, 40, 10
JOINTS = ("left_shoulder_pitch_joint", "left_elbow_joint", "waist_yaw_joint")
Spoil = Callable[[int, int, dict[str, np.ndarray]], None]


def values(episode: int, frame: int) -> dict[str, np.ndarray]:
    """Smooth motion with a little noise, and a gripper that switches in every episode."""
    rng = np.random.default_rng([episode, frame])
    phase = frame / 9 + episode
    joints = 0.3 * np.sin(phase + np.arange(3)) + rng.normal(size=3) * 0.003
    action = np.array([0.2 * np.cos(phase), 0.1 * np.sin(phase), float(frame > 20)])
    y, x = np.mgrid[0:32, 0:48]
    image = np.stack([127 + 90 * np.sin(x / 9 + phase), 127 + 90 * np.cos(y / 7 - phase), x + y], axis=-1)
    return {"observation.images.head": image.astype(np.uint8), "observation.state": joints, "action": action}


def make(folder: Path, spoil: Spoil | None = None) -> Path:
    features = (
        image_feature("head", 32, 48),
        vector_feature("observation.state", JOINTS, unit="rad"),
        vector_feature("action", ("x", "y", "grip")),
    )
    with DatasetWriter.open(folder, features, FPS, "unitree_g1", action_spec="ee") as writer:
        for episode in range(EPISODES):
            for frame in range(LENGTH):
                given = values(episode, frame)
                if spoil is not None:
                    spoil(episode, frame, given)
                writer.add_frame(given, f"press button {'abcd'[episode]}")
            writer.end_episode(success=True)
    return folder


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("clean") / "data")


@pytest.fixture
def copy(clean: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clean, tmp_path / "data"))


def check(folder: Path) -> list[Finding]:
    with Dataset(folder) as dataset:
        return lint(dataset)


def edit(folder: Path, column: str, change: Callable[[list], None]) -> None:
    """Change one column of the first parquet file as nobody who writes data would."""
    path = folder / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    rows = table[column].to_pylist()
    change(rows)
    at = table.schema.get_field_index(column)
    pq.write_table(table.set_column(at, table.schema.field(at), pa.array(rows, type=table.schema.field(at).type)), path)


def named(found: list[Finding], kind: str) -> Finding:
    """The one finding of this kind, which says all that it must."""
    (one,) = [finding for finding in found if finding.kind == kind]
    assert one.what
    assert one.effect
    assert one.advice.endswith(".")
    return one


def others(found: list[Finding], *kinds: str) -> list[Finding]:
    return [finding for finding in found if finding.kind not in kinds]


def test_clean_data_gives_nothing(clean: Path) -> None:
    assert check(clean) == []


def test_progress_reaches_the_end(clean: Path) -> None:
    seen = []
    with Dataset(clean) as dataset:
        lint(dataset, report=lambda what, done, total: seen.append((done, total)))
    assert seen[-1] == (EPISODES, EPISODES)


def test_a_gap(copy: Path) -> None:
    def hole(rows: list) -> None:
        for at in range(LENGTH + 13, 2 * LENGTH):
            rows[at] += 0.5

    edit(copy, "timestamp", hole)
    found = check(copy)
    one = named(found, "gap")
    assert (one.episode, one.frame, one.severity) == (1, 13, "error")
    assert not others(found, "gap")


def test_times_that_go_back(copy: Path) -> None:
    edit(copy, "timestamp", lambda rows: rows.__setitem__(7, rows[5]))
    one = named(check(copy), "backwards")
    assert (one.episode, one.frame) == (0, 7)


def test_frames_out_of_order(copy: Path) -> None:
    edit(copy, "frame_index", lambda rows: rows.__setitem__(2 * LENGTH + 9, 3))
    one = named(check(copy), "backwards")
    assert (one.episode, one.frame, one.where) == (2, 9, "frame_index")


def test_uneven_times(copy: Path) -> None:
    edit(copy, "timestamp", lambda rows: rows.__setitem__(LENGTH + 5, rows[LENGTH + 5] + 0.03))
    one = named(check(copy), "irregular")
    assert (one.episode, one.frame) == (1, 5)


def test_nan(copy: Path) -> None:
    edit(copy, "action", lambda rows: rows[3 * LENGTH + 11].__setitem__(1, float("nan")))
    found = check(copy)
    one = named(found, "not finite")
    assert (one.episode, one.frame, one.where) == (3, 11, "action y")
    assert not others(found, "not finite")


def test_a_frozen_camera(tmp_path: Path) -> None:
    def freeze(episode: int, frame: int, given: dict[str, np.ndarray]) -> None:
        if episode == 2 and 12 <= frame < 30:
            given["observation.images.head"] = values(2, 12)["observation.images.head"]

    found = check(make(tmp_path / "data", freeze))
    one = named(found, "frozen")
    assert (one.episode, one.frame, one.where) == (2, 12, "observation.images.head")
    assert not others(found, "frozen")


@pytest.mark.parametrize(("camera", "frozen"), [("right_wrist", False), ("left_wrist", True)])
def test_a_wrist_camera_need_not_see_what_the_other_arm_does(camera: str, frozen: bool, tmp_path: Path) -> None:
    """The left arm moves, the waist does not."""
    features = (image_feature(camera, 32, 48), vector_feature("observation.state", JOINTS, unit="rad"))
    with DatasetWriter.open(
        tmp_path / "data", (*features, vector_feature("action", ("x",))), FPS, "unitree_g1"
    ) as writer:
        for episode in range(EPISODES):
            for frame in range(LENGTH):
                given = values(episode, frame)
                picture = values(episode, 12 if episode == 2 and 12 <= frame < 30 else frame)["observation.images.head"]
                state = given["observation.state"] * (1, 1, 0)
                row = {f"observation.images.{camera}": picture, "observation.state": state, "action": state[:1]}
                writer.add_frame(row, "wave")
            writer.end_episode(success=True)
    found = [one for one in check(tmp_path / "data") if one.kind == "frozen"]
    assert [(one.episode, one.frame) for one in found] == ([(2, 12)] if frozen else [])


def test_a_still_camera_and_a_still_robot_are_no_fault(tmp_path: Path) -> None:
    def rest(episode: int, frame: int, given: dict[str, np.ndarray]) -> None:
        if episode == 2 and frame >= 15:
            given |= values(2, 15)

    assert check(make(tmp_path / "data", rest)) == []


def test_a_number_that_switches_in_some_of_the_episodes_is_no_jump(tmp_path: Path) -> None:
    """As fingers in a data set of several skills: few of its episodes close them."""

    def hold_still(episode: int, frame: int, given: dict[str, np.ndarray]) -> None:
        given["action"][2] *= episode < 3

    assert not [one for one in check(make(tmp_path / "data", hold_still)) if one.kind == "jump"]


@pytest.mark.parametrize(
    ("name", "column", "where"),
    [("observation.state", 1, f"observation.state {JOINTS[1]}"), ("action", 0, "action x")],
)
def test_a_jump(name: str, column: int, where: str, tmp_path: Path) -> None:
    def jump(episode: int, frame: int, given: dict[str, np.ndarray]) -> None:
        if (episode, frame) == (1, 22):
            given[name][column] += 0.6

    found = check(make(tmp_path / "data", jump))
    one = named(found, "jump")
    assert (one.episode, one.where) == (1, where)
    assert one.frame in (22, 23)
    assert not others(found, "jump")


def test_a_joint_at_its_limit(tmp_path: Path) -> None:
    low = limits_of("unitree_g1")[JOINTS[1]][0]

    def press(episode: int, frame: int, given: dict[str, np.ndarray]) -> None:
        given["observation.state"][1] = max(low, low + 0.4 - 0.04 * frame) if episode == 3 else low + 0.4

    found = check(make(tmp_path / "data", press))
    one = named(found, "limit")
    assert (one.episode, one.frame, one.where) == (3, 10, f"observation.state {JOINTS[1]}")
    assert not others(found, "limit")


def test_an_open_hand_rests_at_its_limit_and_is_no_fault() -> None:
    limits = limits_of("unitree_g1")
    hands = [bounds for name, bounds in limits.items() if "hand" in name]
    assert hands
    assert all(not (np.isfinite(low) and low == 0) and not (np.isfinite(high) and high == 0) for low, high in hands)
    assert limits_of("toaster") == {}


def test_a_constant_number(tmp_path: Path) -> None:
    def still(episode: int, frame: int, given: dict[str, np.ndarray]) -> None:
        given["action"][1] = 0.25

    found = check(make(tmp_path / "data", still))
    assert named(found, "constant").where == "action"
    assert named(found, "constant").what.startswith("y: ")
    assert not others(found, "constant")


@pytest.mark.parametrize(
    ("how", "said"), [("wrong", "mean of y is"), ("lacking", "lack action"), ("gone", "is missing"), ("shape", "shape")]
)
def test_statistics(how: str, said: str, copy: Path) -> None:
    path = copy / "meta/stats.json"
    saved = json.loads(path.read_text())
    if how == "wrong":
        saved["action"]["mean"][1] += 0.01
    elif how == "shape":
        saved["action"]["mean"].append(0.0)
    else:
        del saved["action"]
    path.unlink() if how == "gone" else path.write_text(json.dumps(saved))
    found = check(copy)
    assert said in named(found, "statistics").what
    assert not others(found, "statistics")


def test_pictures_without_statistics_are_a_note(copy: Path) -> None:
    path = copy / "meta/stats.json"
    saved = json.loads(path.read_text())
    del saved["observation.images.head"]
    path.write_text(json.dumps(saved))
    (one,) = check(copy)
    assert (one.kind, one.severity) == ("note", "note")


def test_a_corrupt_video(copy: Path) -> None:
    (path,) = copy.glob("videos/*/*/*.mp4")
    content = bytearray(path.read_bytes())
    begin = content.index(b"mdat") + 4
    middle = begin + (content.index(b"moov") - begin if content.index(b"moov") > begin else len(content) - begin) // 2
    content[middle:] = content[middle:].replace(content[middle : middle + 1500], bytes(1500), 1)
    path.write_bytes(content)
    found = check(copy)
    assert found
    assert {one.kind for one in found} <= {"unreadable", "changed", "frozen"}
    assert all(one.episode in (1, 2) for one in found)


def test_a_video_that_is_cut_off(copy: Path) -> None:
    (path,) = copy.glob("videos/*/*/*.mp4")
    path.write_bytes(path.read_bytes()[:2000])
    found = check(copy)
    assert [(one.kind, one.episode, one.frame) for one in found] == [("unreadable", i, 0) for i in range(EPISODES)]
    assert all(one.where == "observation.images.head" for one in found)


def test_pictures_that_end_too_early(copy: Path) -> None:
    """The last episode is said to be further back in the file than there are pictures."""
    (path,) = copy.glob("meta/episodes/*/*.parquet")
    table = pq.read_table(path)
    column = "videos/observation.images.head/from_timestamp"
    at, begins = table.schema.get_field_index(column), table[column].to_pylist()
    begins[3] += 1.0
    pq.write_table(
        table.set_column(at, table.schema.field(at), pa.array(begins, type=table.schema.field(at).type)), path
    )
    one = named(check(copy), "unreadable")
    assert (one.episode, one.frame) == (3, LENGTH - 10)


def test_a_corrupt_parquet_file(copy: Path) -> None:
    path = copy / "data/chunk-000/file-000.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    found = check(copy)
    assert [(one.kind, one.episode) for one in found] == [("unreadable", i) for i in range(EPISODES)]
    assert all(one.where.endswith("file-000.parquet") for one in found)


def test_numbers_that_were_changed(copy: Path) -> None:
    edit(copy, "action", lambda rows: rows[LENGTH + 3].__setitem__(0, rows[LENGTH + 3][0] + 1e-5))
    found = check(copy)
    assert named(found, "changed").episode == 1
    assert not others(found, "changed")


@pytest.mark.parametrize(
    "text", ["", "   ", "dr\u00c3\u00bccke den Knopf", "press \ufffd", "1234 !", "a\x00b", "word " * 200]
)
def test_unreadable_text(text: str, copy: Path) -> None:
    path = copy / "meta/tasks.parquet"
    table = pq.read_table(path)
    name = next(name for name in table.column_names if name != "task_index")
    at, said = table.schema.get_field_index(name), table[name].to_pylist()
    said[2] = text
    path.unlink()
    pq.write_table(table.set_column(at, table.schema.field(at), pa.array(said, type=table.schema.field(at).type)), path)
    found = check(copy)
    one = named(found, "text")
    assert (one.episode, one.frame, one.where) == (2, 0, "task")
    assert not others(found, "text", "changed")  # the instruction is part of an episode's hash


@pytest.mark.parametrize("text", ["drücke den Knopf", "ça va — première", "按下按钮", "Âge d'or", "press it"])
def test_readable_text(text: str) -> None:
    assert text_problem(text) == ""


def test_an_unknown_task(copy: Path) -> None:
    edit(copy, "task_index", lambda rows: rows.__setitem__(LENGTH, 99))
    assert named(check(copy), "unreadable").episode == 1


def test_every_kind_says_what_it_does() -> None:
    for kind in KINDS.values():
        assert kind.effect.endswith(".")
        assert kind.advice.endswith(".")


def test_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        check(tmp_path)
