"""A small data set for the tests of data/: two cameras, a state, two action spaces, a reward, a text; seeded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from volition.data.feature import Feature, image_feature, vector_feature
from volition.data.writer import DatasetWriter

FPS = 10
TASKS = ("press the red button", "wipe the left patch", "heb de kubus op — ünïcode")
FEATURES = (
    image_feature("head", 48, 64),
    image_feature("left_wrist", 32, 32),
    vector_feature("observation.state", [f"joint_{i}" for i in range(7)], unit="rad"),
    vector_feature("action", ["left.x", "left.y", "left.grasp"]),
    vector_feature("action.joint", [f"joint_{i}" for i in range(5)]),
    Feature(name="observation.grid", kind="state", dtype="float32", shape=(2, 3)),
    Feature(name="next.reward", kind="scalar", dtype="float32", shape=(1,)),
    Feature(name="next.done", kind="scalar", dtype="bool", shape=(1,)),
    Feature(name="note", kind="text", dtype="string", shape=(1,)),
)


def picture(episode: int, frame: int, height: int, width: int) -> np.ndarray:
    """Smooth, and different in every frame, so that a wrong frame shows."""
    y, x = np.mgrid[0:height, 0:width]
    phase = 0.7 * frame + 2.1 * episode
    planes = [127 + 90 * np.sin(x / 9 + phase), 127 + 90 * np.cos(y / 7 - phase), np.full(x.shape, (frame * 9) % 250)]
    return np.stack(planes, axis=-1).astype(np.uint8)


def frame_of(episode: int, frame: int) -> dict[str, Any]:
    rng = np.random.default_rng([episode, frame])
    return {
        "observation.images.head": picture(episode, frame, 48, 64),
        "observation.images.left_wrist": picture(episode + 1, frame, 32, 32),
        "observation.state": rng.normal(size=7),
        "action": rng.normal(size=3) * [1, 10, 0.1],
        "action.joint": rng.uniform(-1, 1, size=5),
        "observation.grid": rng.normal(size=(2, 3)),
        "next.reward": float(frame),
        "next.done": frame % 5 == 4,
        "note": f"note {frame} of {episode}",
    }


def record(writer: DatasetWriter, episode: int, length: int) -> None:
    for frame in range(length):
        writer.add_frame(frame_of(episode, frame), TASKS[episode % 3])
    writer.end_episode(success=(True, False, None)[episode % 3], info={"seed": episode})


def make(folder: Path, lengths: tuple[int, ...] = (11, 25, 7), **options: Any) -> Path:
    with open_writer(folder, **options) as writer:
        for episode, length in enumerate(lengths):
            record(writer, episode, length)
    return folder


def open_writer(folder: Path, **options: Any) -> DatasetWriter:
    return DatasetWriter.open(folder, FEATURES, FPS, "unitree_g1", **{"action_spec": "ee", **options})
