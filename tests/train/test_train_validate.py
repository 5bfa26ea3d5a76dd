"""Held-out figures: means over real action steps, errors in physical units, accuracy of ids."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from train_tools import A, K, TinyData, TinyModel

from volition.train.contracts import Batch, Physical
from volition.train.distributed import Processes
from volition.train.errors import TrainError
from volition.train.validate import validate

ALONE = Processes("ddp", "cpu")
PHYSICAL = Physical(
    names=("x", "y", "turn", "gait"),
    units=("m", "m", "rad", "id"),
    convert=lambda actions: actions * torch.tensor([2.0, 1.0, 1.0, 1.0]),
    discrete=("gait",),
)


class Constant(TinyModel):
    def act(self, inputs: Any, *, rng: torch.Generator | None) -> torch.Tensor:
        return torch.zeros(inputs.size, K, A)


class Known(TinyData):
    """Targets 0.5 where they are real, nonsense in the padding; the last dimension is an id, right in half of the rows."""

    def batch(self, number: int, index: int) -> Batch:
        inputs, targets = super().batch(number, index)
        actions = torch.full_like(targets.actions, 0.5)
        actions[: self.rows // 2, :, 3], actions[self.rows // 2 :, :, 3] = 0.0, 2.0
        actions[~targets.real] = 1e6
        return inputs, replace(targets, actions=actions)


def test_errors_are_physical_and_padding_is_left_out() -> None:
    data = Known(rows=8, batches=3)
    found = validate(Constant(), data, ALONE, physical=PHYSICAL)
    assert found["error/x [m]"] == pytest.approx(1.0)
    assert found["error/y [m]"] == pytest.approx(0.5)
    assert found["error/turn [rad]"] == pytest.approx(0.5)
    real = [data.batch(0, index)[1].real for index in range(3)]
    right = sum(one[:4].sum().item() for one in real) / sum(one.sum().item() for one in real)
    assert found["accuracy/gait"] == pytest.approx(right)


def test_the_mean_over_uneven_batches_is_that_of_one_large_batch() -> None:
    from volition.train.mixture import concatenate

    data, model = TinyData(rows=4, batches=3), TinyModel()

    class Whole(TinyData):
        def batch(self, number: int, index: int) -> Batch:
            return concatenate([data.batch(0, place) for place in range(3)])

    parts, whole = validate(model, data, ALONE), validate(model, Whole(batches=1), ALONE)
    assert parts == pytest.approx(whole)
    assert parts["loss"] == pytest.approx(parts["loss/action"] + parts["loss/size"])


def test_a_validation_repeats_itself_and_leaves_modes_as_they_were() -> None:
    model = TinyModel(noise=0.5, dropout=0.5, norm=True)
    model.vision.eval()
    first, second = (validate(model, TinyData(), ALONE, batches=2) for _ in range(2))
    assert first == second
    assert model.training
    assert model.dropout.training
    assert not model.vision[1].training


def test_no_batches_and_wrong_dimensions_are_refused() -> None:
    with pytest.raises(TrainError, match="no batches"):
        validate(TinyModel(), TinyData(batches=0), ALONE)
    with pytest.raises(TrainError, match="all three must agree"):
        validate(TinyModel(), TinyData(), ALONE, physical=replace(PHYSICAL, names=("x", "y"), units=("m", "m")))
