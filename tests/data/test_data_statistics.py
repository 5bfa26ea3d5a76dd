"""Statistics in one pass equal those of all the data; what cannot be used to normalise is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volition.data.errors import DataError
from volition.data.feature import image_feature, vector_feature
from volition.data.fingerprint import check_fingerprint, episode_hash, fingerprint, write_fingerprint
from volition.data.statistics import (
    QUANTILES,
    Moments,
    PictureMoments,
    check_spread,
    check_statistics,
    merge,
    read_statistics,
    write_statistics,
)

ACTION = vector_feature("action", ["a", "b", "c"])


def moments(values: np.ndarray, cuts: list[int]) -> dict[str, np.ndarray]:
    running = Moments(values.shape[1:])
    for block in np.split(values, cuts):
        running.add(block)
    return running.result()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 300), st.lists(st.integers(0, 300), max_size=5), st.integers(0, 99))
def test_small_data_is_exact_however_it_is_cut(count: int, cuts: list[int], seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(count, 2, 3)) * 10 + 1000
    found = moments(values, sorted(cut for cut in cuts if cut <= count))
    values = values.reshape(-1, 3)  # the axes before the last are pooled
    for key, expected in (
        ("mean", values.mean(0)),
        ("std", values.std(0)),
        ("min", values.min(0)),
        ("max", values.max(0)),
    ):
        np.testing.assert_allclose(found[key], expected, rtol=1e-9, atol=1e-9)
    for key, share in QUANTILES.items():
        np.testing.assert_allclose(found[key], np.quantile(values, share, axis=0))
    assert found["count"].tolist() == [count]


def test_large_data_keeps_few_points_and_its_quantiles() -> None:
    rng = np.random.default_rng(0)
    values = np.stack([rng.normal(size=200_000), np.exp(rng.normal(size=200_000))], axis=1)
    found = moments(values, list(range(0, 200_000, 137)))
    again = moments(values, [50_000])
    for key, share in QUANTILES.items():
        rank = [(values[:, i] < found[key][i]).mean() for i in range(2)]
        np.testing.assert_allclose(rank, share, atol=0.006)
        assert np.array_equal(found[key], again[key])


def test_pictures_are_exact() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (5, 20, 30, 3), dtype=np.uint8)
    running = PictureMoments()
    for one in pictures:
        running.add(one)
    found, flat = running.result(), pictures.reshape(-1, 3) / 255
    assert {value.shape for key, value in found.items() if key != "count"} == {(3, 1, 1)}
    np.testing.assert_allclose(found["mean"].ravel(), flat.mean(0))
    np.testing.assert_allclose(found["std"].ravel(), flat.std(0))
    np.testing.assert_allclose(found["min"].ravel(), flat.min(0))
    np.testing.assert_allclose(found["q99"].ravel(), np.quantile(flat, 0.99, axis=0, method="inverted_cdf"))


def test_merging_is_exact_but_for_quantiles() -> None:
    values = np.random.default_rng(1).normal(size=(100, 3)) + 5
    whole, merged = moments(values, []), merge([moments(values[:13], []), moments(values[13:], [])])
    for key in ("min", "max", "mean", "std", "count"):
        np.testing.assert_allclose(merged[key], whole[key])


def test_statistics_are_checked_before_they_normalise(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(100, 3))
    good = {"action": moments(values, [])}
    write_statistics(tmp_path / "stats.json", good)
    read = read_statistics(tmp_path / "stats.json")
    check_statistics(read, [ACTION])
    check_spread(read, [ACTION])
    with pytest.raises(DataError, match="lack observation"):
        check_statistics(good, [vector_feature("observation.state", ["a"])])
    with pytest.raises(DataError, match=r"action\.min has shape \(3,\); it must be \(4,\)"):
        check_statistics(good, [vector_feature("action", ["a", "b", "c", "d"])])
    with pytest.raises(DataError, match="not finite"):
        check_statistics({"action": good["action"] | {"std": np.array([1, np.inf, 1])}}, [ACTION])
    with pytest.raises(DataError, match="contradict"):
        check_statistics({"action": good["action"] | {"mean": np.full(3, 99.0)}}, [ACTION])
    with pytest.raises(DataError, match="lack 'std'"):
        check_statistics({"action": {key: good["action"][key] for key in ("min", "max", "mean")}}, [ACTION])
    with pytest.raises(DataError, match=r"lack observation\.images\.head"):
        check_statistics(good, [image_feature("head", 32, 32)])
    values[:, 1] = 0.5
    with pytest.raises(DataError, match="hardly varies in b "):
        check_spread({"action": moments(values, [])}, [ACTION])


def test_a_fingerprint_notices_every_change(tmp_path: Path) -> None:
    arrays = {"action": np.zeros((3, 2), np.float32), "note": np.array([["a"], ["b"], ["c"]], dtype=object)}
    one = episode_hash(arrays, ["go"] * 3, {"head": "x"}, True)
    changed = {**arrays, "action": np.full((3, 2), 1e-30, np.float32)}
    others = [
        episode_hash(changed, ["go"] * 3, {"head": "x"}, True),
        episode_hash(arrays, ["go", "go", "no"], {"head": "x"}, True),
        episode_hash(arrays, ["go"] * 3, {"head": "y"}, True),
        episode_hash(arrays, ["go"] * 3, {"head": "x"}, None),
    ]
    assert len({one, *others}) == 5
    whole = fingerprint([ACTION], 10, "g1", "ee", [one])
    assert whole != fingerprint([ACTION], 20, "g1", "ee", [one])
    stats, saved = tmp_path / "stats.json", tmp_path / "fingerprint.json"
    stats.write_text("{}")
    write_fingerprint(saved, data=whole, statistics=stats, episodes=1, frames=3)
    assert check_fingerprint(saved, data=whole, statistics=stats)["frames"] == 3
    with pytest.raises(DataError, match="the data has changed"):
        check_fingerprint(saved, data="0" * 64, statistics=stats)
    stats.write_text("{ }")
    with pytest.raises(DataError, match=r"stats\.json is not the file"):
        check_fingerprint(saved, data=whole, statistics=stats)
