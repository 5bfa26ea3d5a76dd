"""Features and episodes refuse what is wrong, naming the field, the value and what is allowed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from data_tools import FEATURES, TASKS

from volition.data.episode import EpisodeData, LazyFrames
from volition.data.errors import DataError
from volition.data.feature import Feature, image_feature, kind_of, vector_feature


def episode(**changes: Any) -> EpisodeData:
    values: dict[str, Any] = {
        "features": (image_feature("head", 16, 16), vector_feature("action", ["a", "b"])),
        "arrays": {"action": np.zeros((4, 2))},
        "images": {"observation.images.head": np.zeros((4, 16, 16, 3), np.uint8)},
        "tasks": ("go", "stop"),
        "fps": 10.0,
    }
    return EpisodeData(**{**values, **changes})


def test_an_episode_fills_in_what_is_usual() -> None:
    data = episode(task_index=np.array([0, 0, 1, 1]))
    assert len(data) == 4
    assert data.action.dtype == np.float32
    assert (data.instruction, data.task(3)) == ("go", "stop")
    assert data.timestamps is not None
    assert data.timestamps.tolist() == [0.0, 0.1, 0.2, 0.3]
    assert data.frame(2)["observation.images.head"].shape == (16, 16, 3)
    assert data.cameras == ("observation.images.head",)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fps": 0}, "fps is 0"),
        ({"fps": float("nan")}, "fps is nan"),
        ({"tasks": ()}, "tasks is empty"),
        ({"tasks": ("go", " ")}, "the task is ' '"),
        ({"arrays": {}}, "arrays lacks action"),
        ({"arrays": {"action": np.zeros((4, 2)), "x": np.zeros(4)}}, "has x, which no feature describes"),
        ({"arrays": {"action": np.zeros((3, 2))}}, "action 3, observation.images.head 4"),
        ({"arrays": {"action": np.zeros((4, 3))}}, r"shape \(4, 3\); it must be \(4, 2\)"),
        ({"arrays": {"action": np.full((4, 2), np.nan)}}, r"action is nan at \[0, 0\]; it must be finite"),
        ({"arrays": {"action": np.full((4, 2), 1e300)}}, "float32 cannot hold"),
        ({"arrays": {"action": np.array([["a", "b"]] * 4)}}, "must be numbers"),
        ({"images": {}}, "images lacks observation.images.head"),
        ({"images": {"observation.images.head": np.zeros((4, 16, 16, 3))}}, "must be uint8"),
        ({"images": {"observation.images.head": np.zeros((4, 8, 16, 3), np.uint8)}}, "shape"),
        ({"task_index": np.array([0, 0, 1, 2])}, "spans 0 to 2; it must be 0 to 1"),
        ({"task_index": np.zeros(3, int)}, "task_index"),
        ({"timestamps": np.array([0, 0.1, 0.1, 0.2])}, "timestamps"),
        ({"success": "yes"}, "success is 'yes'"),
        ({"features": (vector_feature("action", ["a", "b"]),) * 2}, "given twice"),
    ],
)
def test_a_wrong_episode_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        episode(**changes)


def test_lazy_pictures_are_checked_when_they_are_taken() -> None:
    data = episode(images={"observation.images.head": LazyFrames(4, lambda i: np.zeros((16, 8, 3), np.uint8))})
    with pytest.raises(DataError, match="frame 1"):
        data.frame(1)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": "timestamp"}, "filled in by the store"),
        ({"name": "a/b"}, "not allowed"),
        ({"name": "../up"}, "not allowed"),
        ({"name": ""}, "not allowed"),
        ({"kind": "sound"}, "kind is 'sound'"),
        ({"dtype": "complex64"}, "dtype is 'complex64'"),
        ({"shape": ()}, "shape is"),
        ({"shape": (0,)}, "shape is"),
        ({"names": ("a",)}, "1 names for 3 numbers"),
        ({"kind": "image", "dtype": "float32", "shape": (4, 4, 3)}, "an image is uint8"),
        ({"kind": "text", "dtype": "float32"}, "a text is string"),
    ],
)
def test_a_wrong_feature_is_refused(values: dict[str, Any], words: str) -> None:
    base: dict[str, Any] = {"name": "x", "kind": "state", "dtype": "float32", "shape": (3,)}
    with pytest.raises(DataError, match=words):
        Feature(**{**base, **values})


def test_kinds_follow_lerobots_names() -> None:
    assert [feature.kind for feature in FEATURES] == [kind_of(f.name, "video" if f.kind == "image" else f.dtype) for f in FEATURES]  # fmt: skip
    assert len(TASKS) == 3


def test_integers_are_not_rounded_in_silence() -> None:
    feature = Feature(name="id", kind="scalar", dtype="int64", shape=(1,))
    assert feature.check(np.array([1.0, 2.0]), frames=2, owner="x").tolist() == [[1], [2]]
    with pytest.raises(DataError, match="int64 cannot hold"):
        feature.check(np.array([1.5, 2.0]), frames=2, owner="x")
