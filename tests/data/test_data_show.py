"""`volition data show`: contact sheet, film, plots and the Rerun recording of an episode; wrong input is one sentence."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import pytest
from data_tools import FPS, TASKS, make, picture
from PIL import Image

from volition import cli
from volition.data.episode import EpisodeData
from volition.data.feature import Feature, vector_feature
from volition.data.show_groups import groups, sampled
from volition.data.show_plots import write_plots
from volition.data.store import Dataset
from volition.data.writer import DatasetWriter


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("data") / "small")


def show(*arguments: str | Path) -> int:
    return cli.main(["data", "show", *map(str, arguments)])


def test_an_episode_becomes_a_sheet_a_film_and_plots(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(folder, "--episode", "1", "--out", tmp_path) == 0
    said = capsys.readouterr().out
    assert "small, episode 1, failure: 25 frames, 2.5 s" in said
    assert TASKS[1] in said
    assert {path.name for path in tmp_path.iterdir()} == {f"episode-000001.{end}" for end in ("png", "mp4", "svg")}

    sheet = np.asarray(Image.open(tmp_path / "episode-000001.png"))
    head = np.asarray(Image.fromarray(picture(1, 0, 48, 64)).resize((171, 128), Image.Resampling.BILINEAR))
    found = [np.abs(sheet[y : y + 128, 8 : 8 + 171].astype(int) - head).mean() for y in range(30, sheet.shape[0] - 128)]
    assert min(found) < 6  # the first frame of the first camera is in it, as the video has it

    with av.open(str(tmp_path / "episode-000001.mp4")) as film:
        stream = film.streams.video[0]
        assert (stream.frames, stream.average_rate) == (25, FPS)
        assert (stream.width, stream.height) == (320 + 240, 240 + 64)

    text = (tmp_path / "episode-000001.svg").read_text(encoding="utf-8")
    ET.fromstring(text)
    for label in ("action: left position", "left grasp", ">m<", "action.joint", "observation.state", "next.reward"):
        assert label in text, label


def test_the_frames_of_the_sheet_have_the_first_and_the_last() -> None:
    assert list(sampled(25, 4)) == [0, 8, 16, 24]
    assert list(sampled(3, 8)) == [0, 1, 2]


def test_groups_have_names_units_and_the_band_of_the_whole_data_set(folder: Path) -> None:
    with Dataset(folder) as dataset:
        found = groups(dataset.episode(0), dataset.statistics)
        assert [group.feature for group in found][:3] == ["action", "action", "action.joint"]
        position, grasp = found[:2]
        assert (position.title, position.unit, [line.name for line in position.lines]) == (
            "left position",
            "m",
            ["x", "y"],
        )
        assert grasp.unit == "0 open, 1 closed"
        q01, q99 = (dataset.statistics["action"][key][1] for key in ("q01", "q99"))
        assert position.lines[1].band == (q01, q99)
        assert np.array_equal(position.lines[1].values, dataset.numbers(0)["action"][:, 1])
        grid = next(group for group in found if group.feature == "observation.grid")
        assert [line.name for line in grid.lines] == ["0 [0]", "1 [0]", "2 [0]", "0 [1]", "1 [1]", "2 [1]"]
        assert {group.feature for group in found} == {
            feature.name for feature in dataset.features if feature.kind in ("action", "state", "scalar")
        }


def test_joints_are_grouped_by_limb_and_what_has_no_name_by_eights() -> None:
    names = ("left_shoulder_pitch_joint", "left_elbow_joint", "left_hand_thumb_0_joint", "waist_yaw_joint", "base.turn")
    episode = EpisodeData(
        features=(
            vector_feature("observation.state", names),
            Feature(name="action", kind="action", dtype="float32", shape=(11,)),
        ),
        arrays={"observation.state": np.zeros((3, 5)), "action": np.zeros((3, 11))},
        tasks=("go",),
        fps=10,
    )
    found = [(group.title, group.unit, len(group.lines)) for group in groups(episode, {})]
    assert found == [
        ("0 to 7", "", 8),
        ("8 to 10", "", 3),
        ("left arm joints", "rad", 2),
        ("left hand joints", "rad", 1),
        ("waist joints", "rad", 1),
        ("base turn", "rad/s", 1),
    ]


def test_plots_are_the_same_each_time(folder: Path, tmp_path: Path) -> None:
    with Dataset(folder) as dataset:
        for name in ("one.svg", "two.svg"):
            write_plots(dataset.episode(2), dataset.statistics, tmp_path / name, title="$x$ & <y>")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert "$x$ &amp; &lt;y&gt;" in (tmp_path / "one.svg").read_text()


def test_without_cameras_and_without_statistics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with DatasetWriter.open(tmp_path / "in", (vector_feature("action", ["a"]),), FPS, "robot") as writer:
        for frame in range(4):
            writer.add_frame({"action": [frame]}, "go")
        writer.end_episode()
    (tmp_path / "in" / "meta" / "stats.json").unlink()
    assert show(tmp_path / "in", "--out", tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert "no cameras" in said
    assert "stats.json is missing" in said
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["episode-000000.svg"]


def test_a_rerun_recording_can_be_read_back(folder: Path, tmp_path: Path) -> None:
    chunk = pytest.importorskip("rerun.chunk")
    recording = tmp_path / "deep" / "episode.rrd"
    assert show(folder, "--episode", "2", "--out", tmp_path, "--rerun", recording) == 0
    assert recording.read_bytes()[:3] == b"RRF"
    rows: dict[str, int] = {}
    for part in chunk.RrdReader(recording).stream():
        if not part.is_static:
            rows[part.entity_path] = rows.get(part.entity_path, 0) + part.num_rows
    assert rows["/cameras/head"] == rows["/cameras/left_wrist"] == 7
    assert rows["/action/left\\ position"] == rows["/observation.state"] == 7
    assert rows["/instruction"] == 1
    assert list((tmp_path / "deep").iterdir()) == [recording]


def test_without_the_sdk_the_error_says_what_to_install(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("volition.data.show.find_spec", lambda name: None if name == "rerun" else find_spec(name))
    assert show(folder, "--out", tmp_path, "--open") == 2
    assert "volition[show]" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("none",), "none is not a folder"),
        (("in", "--episode", "3"), "no episode 3; it has 3, from 0"),
        (("in", "--episode", "-1"), "no episode -1"),
        (("in", "--episode", "one"), "episode"),
        (("in", "--frames", "1"), "frames is 1; it must be 2 to 100"),
        (("in", "--rerun", "episode.mp4"), "ends in .rrd"),
        (("in", "--out", "in/meta/info.json"), "info.json"),
        ((), "FOLDER"),
    ],
)
def test_wrong_input_is_one_sentence_and_code_2(
    arguments: tuple[str, ...],
    said: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "in").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    assert show(*arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("volition: ")
    assert said in error
