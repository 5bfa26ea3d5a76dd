"""Other formats into EpisodeData: what they hold arrives, and what is wrong with them is said in one sentence."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from volition.data.errors import DataError
from volition.data.readers import FORMATS, detect
from volition.data.readers.calvin import HOW

HEIGHT, WIDTH = 32, 48


def picture(value: int) -> np.ndarray:
    return np.full((HEIGHT, WIDTH, 3), value, dtype=np.uint8)


def manifest(folder: Path, episodes: tuple[str, ...] = (), **changes: Any) -> Path:
    """Three records; `changes` are put into the second, a None takes the key away."""
    folder.mkdir(parents=True, exist_ok=True)
    records = []
    for i in range(3):
        Image.fromarray(picture(40 * i)).save(folder / f"{i}.png")
        record = {"image_path": f"{i}.png", "instruction": f"go to door {i}", "action_id": i + 2}
        record |= {"task": "navigation", "environment": "kitchen", "robot_state": [0.5 * i, 1.0]}
        records.append(record | ({"episode": episodes[i]} if episodes else {}))
    records[1] = {key: value for key, value in (records[1] | changes).items() if value is not None}
    (folder / "manifest.json").write_text(json.dumps(records))
    return folder


def demos(folder: Path, count: int = 2, steps: int = 4) -> Path:
    for demo in range(count):
        place = folder / f"demo_{demo}"
        place.mkdir(parents=True)
        (place / "metadata.json").write_text(json.dumps({"instruction": f"wipe {demo}", "num_steps": steps}))
        for camera in ("front", "left", "right"):
            for step in range(steps):
                Image.fromarray(picture(10 * step + demo)).save(place / f"{camera}_{step}.png")
        np.save(place / "actions.npy", np.arange(steps * 3, dtype=np.float64).reshape(steps, 3) + demo)
    return folder


def calvin(folder: Path, frames: int = 6, annotations: bool = True) -> Path:
    (folder / "lang_annotations").mkdir(parents=True)
    for i in range(frames):
        np.savez(
            folder / f"episode_{i:07d}.npz",
            rgb_static=np.full((40, 40, 3), i, dtype=np.uint8),
            rgb_gripper=np.full((24, 24, 3), i + 1, dtype=np.uint8),
            robot_obs=np.arange(15.0) + i,
            scene_obs=np.arange(24.0) + i,
            actions=np.arange(7.0) + i,
            rel_actions=np.arange(7.0) / 10 + i,
        )
    found = {
        "language": {"ann": ["push the block", "open the drawer"], "task": ["push", "open"]},
        "info": {"indx": [[0, 2], [2, 5]]},
    }
    if annotations:
        (folder / "lang_annotations" / "auto_lang_ann.json").write_text(json.dumps(found))
    return folder


def test_a_manifest_is_one_frame_episodes(tmp_path: Path) -> None:
    folder = manifest(tmp_path)
    assert detect(folder) == detect(folder / "manifest.json") == "manifest"
    episodes = list(FORMATS["manifest"](folder, None))
    assert [len(episode) for episode in episodes] == [1, 1, 1]
    second = episodes[1]
    assert second.instruction == "go to door 1"
    assert second.action.tolist() == [[3]]
    assert second.state.tolist() == [[0.5, 1.0]]
    assert second.info == {"task": "navigation", "environment": "kitchen"}
    assert np.array_equal(second.images["observation.images.front"][0], picture(40))


def test_a_manifest_groups_by_episode(tmp_path: Path) -> None:
    episodes = list(FORMATS["manifest"](manifest(tmp_path, ("a", "b", "a")), 5.0))
    assert [len(episode) for episode in episodes] == [2, 1]
    assert [episodes[0].task(i) for i in range(2)] == ["go to door 0", "go to door 2"]
    assert episodes[0].fps == 5.0
    assert np.array_equal(episodes[0].images["observation.images.front"][1], picture(80))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"instruction": None}, "record 1 lacks 'instruction'"),
        ({"action_id": None}, "record 1 lacks 'action_id'"),
        ({"action_id": "left"}, "action_id is 'left'; it must be int"),
        ({"image_path": "no.png"}, "no.png is missing"),
        ({"robot_state": [1.0]}, "it must be 2 numbers"),
        ({"robot_state": None}, "every record must have a robot_state"),
        ({"instruction": " "}, "the task is ' '"),
    ],
)
def test_a_wrong_manifest_is_named(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said):
        list(FORMATS["manifest"](manifest(tmp_path, **changes), None))


def test_an_empty_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(DataError, match="at least one"):
        FORMATS["manifest"](tmp_path, None)


def test_demonstration_folders(tmp_path: Path) -> None:
    assert detect(demos(tmp_path)) == "demos"
    episodes = list(FORMATS["demos"](tmp_path, None))
    assert [episode.instruction for episode in episodes] == ["wipe 0", "wipe 1"]
    assert episodes[1].cameras == tuple(f"observation.images.{name}" for name in ("front", "left", "right"))
    assert episodes[1].action.tolist() == (np.arange(12).reshape(4, 3) + 1).tolist()
    assert np.array_equal(episodes[1].images["observation.images.left"][3], picture(31))


def _spoil(folder: Path, how: str) -> None:
    place = folder / "demo_1"
    if how == "picture":
        (place / "left_2.png").unlink()
    elif how == "broken picture":
        (place / "left_0.png").write_bytes(b"no picture")
    elif how == "length":
        np.save(place / "actions.npy", np.zeros((3, 3)))
    elif how == "text":
        (place / "actions.npy").write_bytes(b"no array")
    elif how == "cut":
        (place / "actions.npy").write_bytes((place / "actions.npy").read_bytes()[:-9])
    elif how == "pickle":
        np.save(place / "actions.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    elif how == "key":
        (place / "metadata.json").write_text('{"instruction": "wipe"}')
    elif how == "json":
        (place / "metadata.json").write_text("{")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("picture", r"left_2\.png is missing; num_steps is 4"),
        ("broken picture", r"left_0\.png is not a readable picture"),
        ("length", r"actions\.npy has shape \(3, 3\); num_steps says \(4, A\)"),
        ("text", r"actions\.npy is not a readable array"),
        ("cut", r"actions\.npy is not a readable array"),
        ("pickle", r"actions\.npy is not a readable array"),
        ("key", r"metadata\.json lacks 'num_steps'"),
        ("json", r"metadata\.json is not readable JSON"),
    ],
)
def test_a_wrong_demonstration_is_named(how: str, said: str, tmp_path: Path) -> None:
    _spoil(demos(tmp_path), how)
    with pytest.raises(DataError, match=said) as caught:
        list(FORMATS["demos"](tmp_path, None))
    assert "\n" not in str(caught.value)


def test_calvin_runs_are_episodes(tmp_path: Path) -> None:
    assert detect(calvin(tmp_path)) == "calvin"
    first, second = FORMATS["calvin"](tmp_path, None)
    assert (len(first), len(second)) == (3, 4)
    assert second.instruction == "open the drawer"
    assert second.info == {"task": "open", "frames": [2, 5]}
    assert second.fps == 30
    assert np.allclose(second.state[0], np.arange(15) + 2)
    assert np.allclose(second.action[1], np.arange(7) / 10 + 3)
    assert second.images["observation.images.static"][3].max() == 5
    assert second.images["observation.images.gripper"][0].shape == (24, 24, 3)


def test_calvins_pickle_is_refused_and_can_be_made_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calvin(tmp_path, annotations=False)
    found = {"language": {"ann": ["push"], "task": ["p"], "emb": np.zeros(3)}, "info": {"indx": [(0, np.int64(2))]}}
    np.save(tmp_path / "lang_annotations" / "auto_lang_ann.npy", np.array(found, dtype=object), allow_pickle=True)
    monkeypatch.setattr(pickle, "load", lambda *_, **__: pytest.fail("a pickle was loaded"))
    with pytest.raises(DataError, match="is a pickle") as caught:
        FORMATS["calvin"](tmp_path, None)
    assert HOW in str(caught.value)
    monkeypatch.undo()
    command = HOW.replace("python", sys.executable, 1)
    subprocess.run(command, shell=True, cwd=tmp_path / "lang_annotations", check=True, timeout=60)
    (episode,) = FORMATS["calvin"](tmp_path, None)
    assert (len(episode), episode.instruction) == (3, "push")


@pytest.mark.parametrize(("how", "said"), [("gone", "0000004.npz is missing"), ("cut", "0000004.npz is not a read")])
def test_a_wrong_calvin_frame_is_named(how: str, said: str, tmp_path: Path) -> None:
    file = calvin(tmp_path) / "episode_0000004.npz"
    file.unlink() if how == "gone" else file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(DataError, match=said):
        list(FORMATS["calvin"](tmp_path, None))


def test_a_calvin_frame_that_lacks_something(tmp_path: Path) -> None:
    np.savez(calvin(tmp_path) / "episode_0000001.npz", robot_obs=np.zeros(15))
    with pytest.raises(DataError, match="lacks 'rel_actions'; it has robot_obs"):
        list(FORMATS["calvin"](tmp_path, None))


def test_what_is_of_no_format(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no known format"):
        detect(tmp_path)
    with pytest.raises(DataError, match="is missing"):
        detect(tmp_path / "none")
