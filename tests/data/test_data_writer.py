"""What is recorded is read back; what is wrong is refused; a kill at any moment costs the episode in progress only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_tools import FEATURES, FPS, TASKS, frame_of, make, open_writer, record

from volition.data import writer as writer_module
from volition.data.episode import EpisodeData
from volition.data.errors import DataError
from volition.data.stage import EpisodeStage
from volition.data.store import Dataset
from volition.data.writer import DatasetWriter


def check(folder: Path, lengths: list[int]) -> None:
    """The data set is exactly the episodes of `data_tools`, whole, with its statistics and hashes."""
    with Dataset(folder) as dataset:
        assert [record.length for record in dataset.metadata.episodes] == lengths
        dataset.verify()
        assert dataset.fingerprint(recompute=True) == dataset.fingerprint()
        states = []
        for index, length in enumerate(lengths):
            arrays = dataset.numbers(index, reserved=True)
            states.append(arrays["observation.state"])
            for frame in range(length):
                expected = frame_of(index, frame)
                np.testing.assert_allclose(arrays["observation.state"][frame], expected["observation.state"], rtol=1e-6)
            assert arrays["index"].ravel().tolist() == list(range(sum(lengths[:index]), sum(lengths[: index + 1])))
            last = dataset.images(index, "observation.images.head", [length - 1])[0]
            assert np.abs(last.astype(int) - frame_of(index, length - 1)["observation.images.head"]).mean() < 8
            assert dataset.episode(index).instruction == TASKS[index % 3]
        whole = np.concatenate(states).astype(np.float64)
        np.testing.assert_allclose(dataset.statistics["observation.state"]["mean"], whole.mean(0), atol=1e-12)
        np.testing.assert_allclose(dataset.statistics["observation.state"]["std"], whole.std(0))
        np.testing.assert_allclose(dataset.statistics["observation.state"]["q10"], np.quantile(whole, 0.1, axis=0))
        assert dataset.statistics["observation.images.head"]["count"].tolist() == [sum(lengths)]
    left = [path.name for path in folder.rglob("*") if path.name.startswith((".", "open-"))]
    assert left == []


def test_everything_comes_back(tmp_path: Path) -> None:
    make(tmp_path / "set")
    check(tmp_path / "set", [11, 25, 7])
    with Dataset(tmp_path / "set") as dataset:
        assert dataset.features == FEATURES
        assert (dataset.fps, dataset.metadata.robot, dataset.metadata.action_spec) == (FPS, "unitree_g1", "ee")
        data = dataset.episode(1)
        assert (data.success, data.info) == (False, {"seed": 1})
        assert data.timestamps is not None
        assert data.timestamps.tolist() == [frame / 10 for frame in range(25)]
        for frame in (0, 13, 24):
            found, expected = data.frame(frame), frame_of(1, frame)
            assert found["note"] == [f"note {frame} of 1"]
            assert bool(found["next.done"][0]) == expected["next.done"]
            np.testing.assert_allclose(found["observation.grid"], expected["observation.grid"], rtol=1e-6)
        assert dataset[11 + 4]["timestamp"] == 0.4


def test_recording_goes_on_where_it_ended(tmp_path: Path) -> None:
    lengths = (4, 6, 5, 3)
    for count in range(4):
        with open_writer(tmp_path / "set") as writer:
            assert (writer.episodes, writer.frames) == (count, sum(lengths[:count]))
            record(writer, count, lengths[count])
    check(tmp_path / "set", list(lengths))
    assert len(list((tmp_path / "set").glob("data/*/*.parquet"))) == 4


def test_the_content_decides_the_fingerprint_and_not_the_files(tmp_path: Path) -> None:
    make(tmp_path / "one", (4, 6))
    with open_writer(tmp_path / "two") as writer:
        record(writer, 0, 4)
        writer.flush()
        record(writer, 1, 6)
    with Dataset(tmp_path / "one") as one, Dataset(tmp_path / "two") as two:
        assert one.fingerprint() == two.fingerprint()


def test_instructions_may_change_within_an_episode(tmp_path: Path) -> None:
    with open_writer(tmp_path / "set") as writer:
        for frame in range(6):
            writer.add_frame(frame_of(0, frame), ("open the drawer", "press the button")[frame // 4])
        writer.end_episode()
    data = Dataset(tmp_path / "set").episode(0)
    assert data.tasks == ("open the drawer", "press the button")
    assert [data.task(frame) for frame in (0, 3, 4, 5)] == [data.tasks[0]] * 2 + [data.tasks[1]] * 2


def test_an_episode_is_copied_whole(tmp_path: Path) -> None:
    make(tmp_path / "from", (9,))
    with open_writer(tmp_path / "to") as writer, Dataset(tmp_path / "from") as dataset:
        assert writer.add_episode(dataset.episode(0)) == 0
        late = dataset.episode(0)
        fields = {name: getattr(late, name) for name in late.__dataclass_fields__}
        fields["timestamps"] = np.arange(9) / 10 + (np.arange(9) == 4) * 0.03
        with pytest.raises(DataError, match="frames off its time"):
            writer.add_episode(EpisodeData(**fields))
    check(tmp_path / "to", [9])


def test_workers_stage_and_one_writer_adopts(tmp_path: Path) -> None:
    staged = []
    for episode, length in enumerate((5, 4)):
        stage = EpisodeStage(tmp_path / f"worker{episode}" / "episode", FEATURES, FPS)
        for frame in range(length):
            stage.add_frame(frame_of(episode, frame), TASKS[episode])
        staged.append(stage.finish(success=True))
    with open_writer(tmp_path / "set") as writer:
        assert [writer.adopt(one) for one in staged] == [0, 1]
        other = EpisodeStage(tmp_path / "other", FEATURES, 25)
        other.add_frame(frame_of(0, 0), "x")
        with pytest.raises(DataError, match="other features or fps"):
            writer.adopt(other.finish())
    check(tmp_path / "set", [5, 4])


def test_a_discarded_episode_leaves_nothing(tmp_path: Path) -> None:
    with open_writer(tmp_path / "set") as writer:
        record(writer, 0, 4)
        writer.add_frame(frame_of(9, 0), "x")
        writer.discard_episode()
        record(writer, 1, 5)
        writer.add_frame(frame_of(9, 0), "in progress when it closes")
    check(tmp_path / "set", [4, 5])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"action": None}, "lacks action"),
        ({"more": 1.0}, "has more"),
        ({"action": [1.0, 2.0]}, r"action has shape \(2,\); it must be \(3,\)"),
        ({"action": [1.0, 2.0, float("inf")]}, "must be finite"),
        ({"observation.images.head": np.zeros((48, 64, 3))}, "must be uint8"),
        ({"observation.images.head": np.zeros((64, 48, 3), np.uint8)}, r"must be \(48, 64, 3\)"),
        ({"note": 3}, "must be text"),
    ],
)
def test_a_wrong_frame_is_refused_and_not_half_taken(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with open_writer(tmp_path / "set") as writer:
        writer.add_frame(frame_of(0, 0), TASKS[0])
        values = {name: value for name, value in {**frame_of(0, 1), **change}.items() if value is not None}
        with pytest.raises(DataError, match=words):
            writer.add_frame(values, TASKS[0])
        with pytest.raises(DataError, match="the task is ''"):
            writer.add_frame(frame_of(0, 1), "")
        assert writer.recording == 1
        writer.add_frame(frame_of(0, 1), TASKS[0])
        writer.end_episode(success=True)
    check(tmp_path / "set", [2])


def test_a_different_recording_is_refused(tmp_path: Path) -> None:
    folder = make(tmp_path / "set", (4,))
    for features, fps, robot, spec, words in (
        (FEATURES, 20, "unitree_g1", "ee", "20 fps"),
        (FEATURES, FPS, "gr1", "ee", "of gr1"),
        (FEATURES, FPS, "unitree_g1", "joint", "actions 'ee'"),
        (FEATURES[:-1], FPS, "unitree_g1", "ee", "differ in feature note"),
        (FEATURES[::-1], FPS, "unitree_g1", "ee", "another order"),
    ):
        with pytest.raises(DataError, match=words):
            DatasetWriter.open(folder, features, fps, robot, action_spec=spec)
    check(folder, [4])


def test_folders_are_looked_at_first(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match=r"holds thesis\.txt"):
        open_writer(tmp_path / "home")
    with pytest.raises(DataError, match="cannot be made"):
        open_writer(tmp_path / "home" / "thesis.txt" / "set")
    with open_writer(tmp_path / "set") as writer:
        with pytest.raises(DataError, match="another process"):
            open_writer(tmp_path / "set")
        with pytest.raises(DataError, match="no episode to end"):
            writer.end_episode()
    with pytest.raises(DataError, match="closed"):
        writer.add_frame(frame_of(0, 0), "x")


class Killed(BaseException):
    """Stands for the power going off at one rename."""


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_a_kill_at_any_rename_loses_no_finished_episode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    """Every file appears by a rename; stop for good before each of them in turn, then go on."""
    monkeypatch.setattr(writer_module, "EPISODES_PER_FILE", 2)
    rename, stop_at, seen = Path.replace, -1, 0

    def replace(self: Path, target: Any) -> Path:
        nonlocal seen
        seen += 1
        if seen > stop_at >= 0:
            raise Killed
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    lengths = [3, 2, 4, 2, 3]
    with open_writer(tmp_path / "whole") as writer:
        for episode, length in enumerate(lengths):
            record(writer, episode, length)
    total = seen
    assert total > 30
    for stop in range(1, total, every):
        folder, ended = tmp_path / f"stop{stop}", 0
        stop_at, seen = stop, 0
        with pytest.raises(Killed):  # noqa: PT012
            # No `with`: a killed process cleans nothing up. The lock goes with it.
            writer = None
            try:
                writer = open_writer(folder)
                for episode, length in enumerate(lengths):
                    record(writer, episode, length)
                    ended += 1
                writer.close()
            finally:
                if writer is not None and writer._lock is not None:
                    os.close(writer._lock)
        stop_at = -1
        with open_writer(folder) as writer:
            # An episode's end is its rename; a kill in the flush that follows comes after it.
            assert writer.episodes in (ended, ended + 1)
            for episode in range(writer.episodes, len(lengths)):
                record(writer, episode, lengths[episode])
        check(folder, lengths)


CHILD = """
import itertools, sys
from pathlib import Path
from data_tools import open_writer, record
from volition.data import writer as module
module.EPISODES_PER_FILE = 3
with open_writer(Path(sys.argv[1])) as writer:
    print(writer.episodes, flush=True)
    for episode in itertools.count(writer.episodes):
        record(writer, episode, 5)
        print(episode, flush=True)
"""


def test_a_real_kill_loses_no_finished_episode(tmp_path: Path) -> None:
    rng, done = np.random.default_rng(0), 0
    for _ in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path / "set")],
            cwd=Path(__file__).parent,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        done = max(done, int(child.stdout.readline()))  # with one that was ended and could not be said any more
        time.sleep(float(rng.uniform(0.1, 0.4)))
        child.send_signal(signal.SIGKILL)
        said = child.stdout.read().split()
        child.wait()
        done = max(done, *(int(number) + 1 for number in said), 0)
        with Dataset(tmp_path / "set") as dataset:  # readable at once, if not complete
            assert dataset.episodes <= done + 1
    with DatasetWriter.resume(tmp_path / "set") as writer:
        assert writer.episodes >= done > 0
        done = writer.episodes
    check(tmp_path / "set", [5] * done)


def test_a_waiting_recording_is_noted(tmp_path: Path) -> None:
    writer = open_writer(tmp_path / "set")
    record(writer, 0, 3)
    assert writer._lock is not None
    os.close(writer._lock)  # as if killed
    with Dataset(tmp_path / "set") as dataset:
        assert dataset.episodes == 0
        assert "1 recorded episodes are not joined yet" in dataset.notes[0]
    DatasetWriter.resume(tmp_path / "set").close()
    check(tmp_path / "set", [3])


def test_info_is_lerobots_and_has_volitions_words_apart(tmp_path: Path) -> None:
    info = json.loads((make(tmp_path / "set", (4,)) / "meta" / "info.json").read_text())
    assert info["codebase_version"] == "v3.0"
    assert info["features"]["observation.images.head"]["dtype"] == "video"
    assert info["features"]["action"] == {"dtype": "float32", "shape": [3], "names": ["left.x", "left.y", "left.grasp"]}
    assert info["volition"]["action_spec"] == "ee"
    assert info["volition"]["features"]["observation.state"]["unit"] == "rad"
