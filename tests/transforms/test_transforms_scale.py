"""Scales: there and back again, and statistics that cannot be right are refused by name."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from volition.errors import ContractError
from volition.transforms.scale import Scale, scale_from_json, scale_of

NAMES = ("x", "y", "id")
STATISTICS = {
    "mean": np.array([1.0, -2.0, 3.0]),
    "std": np.array([0.5, 4.0, 2.0]),
    "min": np.array([-1.0, -10.0, 0.0]),
    "max": np.array([3.0, 6.0, 9.0]),
    "q01": np.array([-0.5, -9.0, 0.0]),
    "q99": np.array([2.5, 5.0, 8.0]),
}
EVERY = pytest.mark.parametrize("kind", ["mean_std", "min_max", "quantiles", "identity"])


def changed(key: str, value: Any) -> dict[str, np.ndarray]:
    return {**STATISTICS, key: np.array(value)}


@EVERY
@given(values=arrays.arrays(np.float64, (2, 4, 3), elements=st.floats(-1e6, 1e6)))
def test_there_and_back_again_is_the_same(kind: Any, values: np.ndarray) -> None:
    scale = scale_of(STATISTICS, NAMES, kind=kind)
    before = values.copy()
    np.testing.assert_allclose(scale.inverse(scale.forward(values)), values, rtol=1e-12, atol=1e-9)
    np.testing.assert_array_equal(values, before)  # the input is never changed


def test_each_kind_puts_its_own_marks_at_its_own_places() -> None:
    for kind, low, high in (("min_max", "min", "max"), ("quantiles", "q01", "q99")):
        scale = scale_of(STATISTICS, NAMES, kind=kind)
        np.testing.assert_allclose(scale.forward(STATISTICS[low]), -1)
        np.testing.assert_allclose(scale.forward(STATISTICS[high]), 1)
    scale = scale_of(STATISTICS, NAMES)
    np.testing.assert_allclose(scale.forward(STATISTICS["mean"]), 0)
    np.testing.assert_allclose(scale.forward(STATISTICS["mean"] + STATISTICS["std"]), 1)
    np.testing.assert_array_equal(scale_of({}, NAMES, kind="identity").forward(np.arange(3.0)), np.arange(3.0))


@pytest.mark.parametrize(
    ("statistics", "says"),
    [
        ({"mean": STATISTICS["mean"]}, "lack std, which the scale mean_std needs; they have mean"),
        (changed("std", [1.0, 1.0]), r"std has shape \(2,\); it must be 3 finite numbers"),
        (changed("mean", [1.0, np.nan, 1.0]), "mean .* 3 finite numbers"),
        (changed("std", [1.0, np.inf, 1.0]), "std .* 3 finite numbers"),
        (changed("std", [1.0, -1.0, 1.0]), "below 0 in y"),
    ],
)
def test_statistics_that_cannot_be_right_are_refused(statistics: dict[str, np.ndarray], says: str) -> None:
    with pytest.raises(ContractError, match=says):
        scale_of(statistics, NAMES)


def test_a_range_that_ends_before_it_begins_is_refused_also_where_still_numbers_are_kept() -> None:
    with pytest.raises(ContractError, match="below 0 in x"):
        scale_of(changed("max", [-3.0, 6.0, 9.0]), NAMES, kind="min_max", still="keep")


def test_a_kind_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ContractError, match="'z_score'; there are mean_std, min_max, quantiles, identity"):
        scale_of(STATISTICS, NAMES, kind="z_score")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ContractError, match="'z_score'"):
        scale_from_json({**scale_of(STATISTICS, NAMES).to_json(), "kind": "z_score"})


def test_a_number_that_hardly_varies_is_refused_by_name() -> None:
    with pytest.raises(ContractError, match=r"^y hardly varies") as refusal:
        scale_of(changed("std", [0.5, 1e-5, 2.0]), NAMES)
    assert "x" not in str(refusal.value).split(" hardly")[0]


def test_a_number_that_hardly_varies_is_kept_in_its_own_unit_where_that_is_asked_for() -> None:
    scale = scale_of(changed("std", [0.5, 1e-5, 2.0]), NAMES, still="keep")
    assert scale.kept == ("y",)
    given_ = np.array([1.0, -1.5, 3.0])
    np.testing.assert_allclose(scale.forward(given_), [0.0, 0.5, 0.0])  # half a unit from its mean stays that
    np.testing.assert_allclose(scale.inverse(scale.forward(given_)), given_)


def test_ids_are_left_alone_and_never_too_still() -> None:
    scale = scale_of(changed("std", [0.5, 4.0, 0.0]), NAMES, plain=["id"])
    assert scale.kept == ()
    np.testing.assert_array_equal(scale.forward(np.array([1.0, -2.0, 7.0])), [0.0, 0.0, 7.0])


def test_an_array_of_other_numbers_is_refused() -> None:
    scale = scale_of(STATISTICS, NAMES)
    for wrong in (np.zeros(2), np.zeros((3, 1)), np.float64(1)):
        with pytest.raises(ContractError, match="A Scale of 3 numbers"):
            scale.forward(wrong)
        with pytest.raises(ContractError, match="A Scale of 3 numbers"):
            scale.inverse(wrong)


@EVERY
def test_json_brings_the_same_scale_back(kind: Any) -> None:
    scale = scale_of(changed("std", [0.5, 0.0, 2.0]), NAMES, kind=kind, still="keep", plain=["id"])
    back = scale_from_json(json.loads(json.dumps(scale.to_json())))
    assert (back.kind, back.names, back.kept) == (scale.kind, scale.names, scale.kept)
    np.testing.assert_array_equal(back.offset, scale.offset)
    np.testing.assert_array_equal(back.factor, scale.factor)


@pytest.mark.parametrize(
    "damage",
    [
        lambda values: values.pop("offset"),
        lambda values: values.update(offset=[1.0, 2.0]),
        lambda values: values.update(offset="much"),
        lambda values: values.update(offset=[[1.0], [2.0, 3.0]]),
        lambda values: values.update(names=None),
        lambda values: values.update(factor=[1.0, 0.0, 1.0]),
        lambda values: values.update(factor=[1.0, float("nan"), 1.0]),
        lambda values: values.update(factor={"a": 1}),
    ],
)
def test_damaged_json_is_refused_in_one_sentence(damage: Any) -> None:
    values = scale_of(STATISTICS, NAMES).to_json()
    damage(values)
    with pytest.raises(ContractError) as refusal:
        scale_from_json(values)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).endswith(".")


def test_a_scale_cannot_be_changed() -> None:
    scale = scale_of(STATISTICS, NAMES)
    assert isinstance(scale, Scale)
    with pytest.raises(ValueError, match="read-only"):
        scale.offset[0] = 1.0
