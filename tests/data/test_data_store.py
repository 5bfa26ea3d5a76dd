"""Reading: every version and layout, any frame in bounded memory, and a clear word about what is damaged."""

from __future__ import annotations

import io
import json
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_tools import FEATURES, TASKS, make, picture
from PIL import Image

from volition.data.errors import DataError
from volition.data.store import Dataset
from volition.data.video import VideoEncoder

HEAD = "observation.images.head"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("store") / "set")


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "set"))


def test_random_access_gives_what_reading_through_gives(folder: Path) -> None:
    through = Dataset(folder, cache_bytes=0)
    whole = [through.images(index, HEAD, range(len(through.episode(index)))) for index in range(3)]
    random = Dataset(folder, cache_bytes=20 * 48 * 64 * 3)
    rng = np.random.default_rng(0)
    for index in rng.integers(0, len(random), 80).tolist():
        episode, frame = random.locate(index)
        assert np.array_equal(random.images(episode, HEAD, [frame])[0], whole[episode][frame])
        assert random.pictures.bytes <= 20 * 48 * 64 * 3
    assert random.pictures.hits > 0
    assert np.array_equal(random.images(1, HEAD, [7, 3, 7]), whole[1][[7, 3, 7]])


def test_threads_may_share_it(folder: Path) -> None:
    dataset = Dataset(folder, cache_bytes=100_000)
    expected = {index: Dataset(folder)[index] for index in range(len(dataset))}
    order = np.random.default_rng(0).integers(0, len(dataset), 200).tolist()
    with ThreadPoolExecutor(6) as pool:
        for index, found in zip(order, pool.map(dataset.__getitem__, order), strict=True):
            for name, value in expected[index].items():
                assert np.array_equal(found[name], value)


def test_it_travels_to_another_process(folder: Path) -> None:
    dataset = Dataset(folder, cache_bytes=1234)
    dataset.images(0, HEAD, [0])
    again = pickle.loads(pickle.dumps(dataset))  # noqa: S301
    assert again.pictures.limit == 1234
    assert np.array_equal(again.images(0, HEAD, [3]), dataset.images(0, HEAD, [3]))


@pytest.mark.parametrize(
    "lost",
    [
        "meta/info.json",
        "meta/tasks.parquet",
        "meta/stats.json",
        "data/chunk-000/file-000.parquet",
        f"videos/{HEAD}/chunk-000/file-000.mp4",
    ],
)
@pytest.mark.parametrize("how", ["missing", "empty", "garbage", "half"])
def test_a_lost_file_is_named_in_one_sentence(copy: Path, lost: str, how: str) -> None:
    path = copy / lost
    content = path.read_bytes()
    path.unlink()
    if how != "missing":
        path.write_bytes({"empty": b"", "garbage": b"\x01\x02 no " * 99, "half": content[: len(content) // 2]}[how])
    with pytest.raises(DataError) as caught:  # noqa: PT012
        dataset = Dataset(copy)
        dataset.statistics  # noqa: B018
        for episode in dataset:
            for frame in range(len(episode)):
                episode.frame(frame)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_lost_episodes_are_named(copy: Path) -> None:
    (copy / "meta/episodes/chunk-000/file-000.parquet").unlink()
    with pytest.raises(DataError, match="lacks episode 0"):
        Dataset(copy)


def test_tampering_is_noticed(copy: Path) -> None:
    path = copy / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    states = table["action"].to_pylist()
    states[30][1] += 1e-3
    column = pa.array(states, type=table.schema.field("action").type)
    pq.write_table(table.set_column(table.column_names.index("action"), "action", column), path)
    with pytest.raises(DataError, match=r"episode 1, is not what was recorded"):
        Dataset(copy).verify()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"codebase_version": "v9.0"}, "codebase_version is 'v9.0'; readable are"),
        ({"features": {}}, "'features' is missing"),
        ({"features": {"x": {"dtype": "float32"}}}, "needs dtype and shape"),
        ({"fps": 0}, "fps is 0"),
        ({"total_episodes": 9}, "lacks episode 3"),
    ],
)
def test_a_wrong_info_is_named(copy: Path, change: dict[str, Any], words: str) -> None:
    path = copy / "meta/info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=words):
        Dataset(copy)


def test_wrong_questions_are_answered(folder: Path, tmp_path: Path) -> None:
    dataset = Dataset(folder)
    for question, words in (
        (lambda: dataset.episode(3), "no episode 3; it has 3"),
        (lambda: dataset[43], "no frame 43; it has 43"),
        (lambda: dataset.images(0, HEAD, [11]), "no frame 11; it has 11"),
        (lambda: dataset.images(0, "observation.images.tail", [0]), "has no 'observation.images.tail'"),
        (lambda: dataset.images(0, "action", [0]), "action is a action, not a camera"),
        (lambda: dataset.numbers(0, ["velocity"]), "no column velocity"),
        (lambda: Dataset(tmp_path), "info.json is missing"),
        (lambda: Dataset(tmp_path / "nowhere"), "is not a folder"),
    ):
        with pytest.raises(DataError, match=words):
            question()


def older(folder: Path, target: Path, version: str) -> Path:
    """The same data in the layout of v2.0 or v2.1, with the oddities of the GR1 demonstrations."""
    source = Dataset(folder)
    info = json.loads((folder / "meta/info.json").read_text())
    info |= {
        "codebase_version": version,
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
        "fps": 10.0,
    }
    del info["volition"], info["features"]["frame_index"]
    info["features"]["observation.images.ghost"] = info["features"][HEAD]
    lines: dict[str, list[Any]] = {"episodes": [], "episodes_stats": []}
    for index, data in enumerate(source):
        table = source._rows(source.record(index), source._columns(source.record(index))).drop_columns(["frame_index"])
        stamps = np.asarray(table["timestamp"]) + (0.05 if version == "v2.0" else 0)  # GR1's first stamp is not 0
        table = table.set_column(table.column_names.index("timestamp"), "timestamp", pa.array(stamps))
        path = target / info["data_path"].format(episode_chunk=0, episode_index=index)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path)
        for camera in data.cameras:
            video = target / info["video_path"].format(episode_chunk=0, video_key=camera, episode_index=index)
            height, width = data.feature(camera).shape[:2]
            encoder = VideoEncoder(video, height=height, width=width, fps=10)
            for frame in range(len(data)):
                encoder.add(picture(index + (camera != HEAD), frame, height, width))
            encoder.close()
        lines["episodes"].append({"episode_index": index, "tasks": [*data.tasks, "valid"], "length": len(data)})
        stats = {"action": {k: np.atleast_1d(f(data.action, axis=0)).tolist() for k, f in _KINDS.items()}}
        stats["action"]["count"] = [len(data)]
        lines["episodes_stats"].append({"episode_index": index, "stats": stats})
    (target / "meta").mkdir()
    (target / "meta/info.json").write_text(json.dumps(info))
    lines["tasks"] = [{"task_index": index, "task": task} for index, task in source.metadata.tasks.items()]
    if version == "v2.0":
        del lines["episodes_stats"]
        shutil.copy(folder / "meta/stats.json", target / "meta/stats.json")
    for name, rows in lines.items():
        (target / "meta" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return target


_KINDS: dict[str, Any] = {"min": np.min, "max": np.max, "mean": np.mean, "std": np.std}


@pytest.mark.parametrize("version", ["v2.0", "v2.1"])
def test_older_versions_are_read(folder: Path, tmp_path: Path, version: str) -> None:
    new, old = Dataset(folder), Dataset(older(folder, tmp_path / "old", version))
    assert old.notes == ("observation.images.ghost is declared in info.json but has no video; it is left out.",)
    assert (old.episodes, len(old)) == (3, 43)
    for index in range(3):
        one, other = new.episode(index), old.episode(index)
        assert one.tasks == other.tasks == (TASKS[index],)
        assert one.timestamps is not None
        assert np.array_equal(one.timestamps, other.timestamps)
        assert all(np.array_equal(one.arrays[name], other.arrays[name]) for name in one.arrays)
        for camera in one.cameras:
            assert np.array_equal(one.images[camera][len(one) - 1], other.images[camera][len(one) - 1])
    np.testing.assert_allclose(old.statistics["action"]["std"], new.statistics["action"]["std"], rtol=1e-6)
    (tmp_path / "old" / old.record(1).data).unlink()
    with pytest.raises(DataError, match=r"episode_000001\.parquet is missing"):
        Dataset(tmp_path / "old").episode(1)


def test_pictures_inside_parquet_are_read(copy: Path) -> None:
    path = copy / "data/chunk-000/file-000.parquet"
    table, info = pq.read_table(path), json.loads((copy / "meta/info.json").read_text())
    info["features"]["observation.images.depth"] = {
        "dtype": "image",
        "shape": [3, 48, 64],
        "names": ["channels", "h", "w"],
    }
    shutil.rmtree(copy / "meta/episodes.bak", ignore_errors=True)
    (copy / "meta/info.json").write_text(json.dumps(info))
    cells, pictures = [], []
    for row in range(43):
        pictures.append(picture(5, row, 48, 64))
        buffer = io.BytesIO()
        Image.fromarray(pictures[-1]).save(buffer, "PNG")
        cells.append({"bytes": buffer.getvalue(), "path": None})
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    pq.write_table(table.append_column("observation.images.depth", pa.array(cells, type=kind)), path)
    dataset = Dataset(copy)
    assert dataset.feature("observation.images.depth").shape == (48, 64, 3)
    assert np.array_equal(dataset.images(1, "observation.images.depth", [24])[0], pictures[35])
    assert dataset[35]["observation.images.depth"].shape == (48, 64, 3)


def test_features_survive_info_json(folder: Path) -> None:
    assert Dataset(folder).features == FEATURES
