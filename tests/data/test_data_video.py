"""Any frame of a video by its number, in any order, and files joined without a change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from data_tools import picture
from hypothesis import given, settings
from hypothesis import strategies as st

from volition.data.decode import VideoPool, VideoReader
from volition.data.errors import DataError
from volition.data.frame_cache import ArrayCache
from volition.data.video import VideoEncoder, join, video_format


def encode(path: Path, count: int, seed: int = 0, fps: float = 10) -> np.ndarray:
    frames = np.stack([picture(seed, i, 32, 48) for i in range(count)])
    encoder = VideoEncoder(path, height=32, width=48, fps=fps)
    for frame in frames:
        encoder.add(frame)
    encoder.close()
    return frames


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    path = tmp_path_factory.mktemp("video") / "a.mp4"
    frames = encode(path, 60)
    decoded = VideoReader(path).frames(range(60))
    assert np.abs(decoded.astype(int) - frames).mean() < 6
    return path, decoded


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 59), min_size=1, max_size=12))
def test_frames_come_in_any_order(movie: tuple[Path, np.ndarray], numbers: list[int]) -> None:
    path, decoded = movie
    pool = VideoPool(1)
    assert np.array_equal(pool.frames(path, numbers), decoded[numbers])
    assert np.array_equal(pool.frames(path, numbers[::-1]), decoded[numbers[::-1]])
    pool.close()


@pytest.mark.parametrize("fps", [10, 12.5, 29.97, 30, 50])
def test_numbers_hold_at_every_rate_and_after_joining(tmp_path: Path, fps: float) -> None:
    lengths = (9, 1, 17)
    parts = []
    for seed, length in enumerate(lengths):
        encode(tmp_path / f"{seed}.mp4", length, seed, fps)
        parts.append(VideoReader(tmp_path / f"{seed}.mp4").frames(range(length)))
    paths = [tmp_path / f"{seed}.mp4" for seed in range(3)]
    assert len({video_format(path) for path in paths}) == 1
    assert join(paths, tmp_path / "all.mp4", fps) == list(lengths)
    reader, whole = VideoReader(tmp_path / "all.mp4"), np.concatenate(parts)
    assert float(reader.rate) == pytest.approx(fps, rel=1e-6)
    assert reader.count == sum(lengths)
    assert np.array_equal(reader.frames(range(27)), whole)
    assert np.array_equal(reader.frames([26, 3, 9, 10]), whole[[26, 3, 9, 10]])


def test_packets_have_the_same_hash_alone_and_joined(tmp_path: Path) -> None:
    hashes = []
    for seed in range(2):
        encoder = VideoEncoder(tmp_path / f"{seed}.mp4", height=32, width=48, fps=10)
        for i in range(11):
            encoder.add(picture(seed, i, 32, 48))
        hashes.append(encoder.close())
    join([tmp_path / "0.mp4", tmp_path / "1.mp4"], tmp_path / "all.mp4", 10)
    reader = VideoReader(tmp_path / "all.mp4")
    assert [reader.packets_hash(0, 11), reader.packets_hash(11, 11)] == hashes
    with pytest.raises(DataError, match="has 2 of the frames 20 to 30"):
        reader.packets_hash(20, 11)


def test_what_is_wrong_is_named(tmp_path: Path, movie: tuple[Path, np.ndarray]) -> None:
    with pytest.raises(DataError, match="even sides"):
        VideoEncoder(tmp_path / "odd.mp4", height=31, width=48, fps=10)
    with pytest.raises(DataError, match=r"none\.mp4 is missing"):
        VideoReader(tmp_path / "none.mp4")
    (tmp_path / "bad.mp4").write_bytes(b"not a video" * 100)
    with pytest.raises(DataError, match=r"bad\.mp4 is not a readable video"):
        VideoReader(tmp_path / "bad.mp4")
    reader = VideoReader(movie[0])
    with pytest.raises(DataError, match=r"has no frame 60; it has 60"):
        reader.frames([3, 60])
    assert np.array_equal(reader.frames([5])[0], movie[1][5])  # and goes on working


def test_a_cut_file_is_named(tmp_path: Path, movie: tuple[Path, np.ndarray]) -> None:
    whole = movie[0].read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 3])
    with pytest.raises(DataError, match=r"cut\.mp4"):
        VideoReader(tmp_path / "cut.mp4").frames(range(60))


def test_the_cache_stays_within_its_bytes() -> None:
    cache = ArrayCache(1000)
    for key in range(50):
        cache.put(key, np.full(100, key, np.uint8))
        assert cache.bytes <= 1000
    assert cache.get(0) is None
    kept = cache.get(49)
    assert kept is not None
    assert kept[0] == 49
    assert not kept.flags.writeable
    cache.put("large", np.zeros(2000, np.uint8))
    assert cache.get("large") is None
    view = np.zeros((100, 100), np.uint8)[3]
    assert cache.put("view", view).base is None
