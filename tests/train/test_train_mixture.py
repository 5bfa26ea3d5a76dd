"""Mixed batches: shares as the weights say, every row once an epoch of its set, and any batch can be skipped to."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from train_tools import TinyData, TinyModel, same, trained, weights

from volition.body.course import COURSE
from volition.data.share import Share
from volition.model.inputs import Felt, Sentences
from volition.train.contracts import Batch
from volition.train.errors import TrainError
from volition.train.mixture import Mixture, MixtureConfig, concatenate


def mixture(batch: int = 10, batches: int = 40, seed: int = 0) -> Mixture:
    sets = {
        "pick": TinyData(rows=3, batches=4, mark=1000.0, words=3),
        "pour": TinyData(rows=4, batches=2, mark=2000.0, words=6),
        "wave": TinyData(rows=2, batches=9, mark=3000.0, words=3),
    }
    config = MixtureConfig(batch=batch, batches=batches, seed=seed)
    return Mixture(sets, {"pick": 5.0, "pour": 3.1, "wave": 1.9}, config)


def marks(batch: Batch) -> Counter[int]:
    return Counter((batch[1].actions[:, 0, 0] / 1000).round().int().tolist())


def equal(a: Batch, b: Batch) -> bool:
    return torch.equal(a[1].actions, b[1].actions) and torch.equal(a[0].sentences.ids, b[0].sentences.ids)


def test_shares_follow_the_weights_in_each_batch_and_over_all() -> None:
    one = mixture()
    counts = [marks(batch) for batch in one.epoch(0)]
    for count in counts:
        assert sum(count.values()) == 10
        assert count[1] == 5
        assert count[2] in (3, 4)
        assert count[3] in (1, 2)
    shares = sum(counts, Counter())
    assert shares[2] / 400 == pytest.approx(0.31, abs=0.005)
    assert [sum(row) for row in zip(*(one.counts(0, 40).tolist()), strict=True)] == [shares[1], shares[2], shares[3]]


def test_a_batch_smaller_than_the_number_of_sets_still_serves_all_by_weight() -> None:
    sets = {str(number): TinyData(seed=number) for number in range(7)}
    one = Mixture(sets, {name: 1.0 + int(name) for name in sets}, MixtureConfig(batch=2, batches=1))
    share = one.counts(0, 5000).sum(axis=0) / 10_000
    assert share == pytest.approx(np.arange(1, 8) / 28, abs=2e-3)


def test_every_row_of_a_set_comes_once_before_any_comes_again() -> None:
    one = mixture()
    wanted = [row for number in range(3) for index in range(2) for row in TinyData(rows=4, batches=2, mark=2000.0, words=6).batch(number, index)[1].actions]  # fmt: skip
    got = [row for batch in one.epoch(0) for row in batch[1].actions if 1500 < row[0, 0] < 2500]
    assert all(torch.equal(a, b) for a, b in zip(wanted, got, strict=False))
    assert len(got) > len(wanted)


@pytest.mark.parametrize(("number", "skip"), [(0, 1), (0, 39), (1, 0), (2, 17)])
def test_skipping_gives_what_going_there_gives(number: int, skip: int) -> None:
    through = mixture()
    batches = list(
        islice((batch for epoch in range(number + 1) for batch in through.epoch(epoch)), number * 40 + skip, None)
    )
    fresh = mixture()
    skipped = list(fresh.epoch(number, skip=skip))
    assert len(skipped) == 40 - skip
    assert all(equal(a, b) for a, b in zip(batches, skipped, strict=True))
    computed: Any = fresh.sets["pick"]
    assert len(computed.made) <= 2 + (40 - skip) * 5 / 3 + 1  # nothing before was computed, but for one look


def test_the_schedule_depends_on_the_seed_alone() -> None:
    assert (mixture(seed=1).counts(0, 50) == mixture(seed=1).counts(0, 50)).all()
    assert (mixture(seed=1).counts(0, 50) != mixture(seed=2).counts(0, 50)).any()


def test_sentences_are_padded_to_the_longest_and_unknown_tasks_say_so() -> None:
    a, b = TinyData(words=3).batch(0, 0), TinyData(words=6).batch(0, 0)
    b = (replace(b[0], task=torch.arange(8)), b[1])
    inputs, targets = concatenate([a, b])
    assert inputs.sentences.ids.shape == (16, 6)
    assert inputs.sentences.mask.sum(1).tolist() == [3] * 8 + [6] * 8
    assert inputs.task is not None
    assert inputs.task.tolist() == [-1] * 8 + list(range(8))
    assert targets.task is None
    assert torch.equal(targets.actions, torch.cat([a[1].actions, b[1].actions]))


def test_sets_that_do_not_fit_together_are_refused_by_name() -> None:
    a, b = TinyData().batch(0, 0), TinyData().batch(0, 0)
    image = {"head": torch.zeros(8, 1, 2, 2, 3)}
    with pytest.raises(TrainError, match=r"images are .*head.*must agree"):
        concatenate([a, (replace(b[0], images=image), b[1])])
    with pytest.raises(TrainError, match=r"state has rows of the shapes \(1, 6\) and \(2, 6\)"):
        concatenate([a, (replace(b[0], state=b[0].state[:, :1]), b[1])])
    with pytest.raises(TrainError, match="Some sets have done, others do not"):
        concatenate([a, (replace(b[0], done=torch.zeros(8, 1, 4)), b[1])])
    embedded: Sentences = replace(b[0].sentences, embedded=torch.zeros(8, 4, 2))
    with pytest.raises(TrainError, match="embedded sentences"):
        concatenate([a, (replace(b[0], sentences=embedded), b[1])])


def test_features_of_half_precision_are_put_together_while_a_model_computes_in_another() -> None:
    """Held-out batches are made while the model's precision is on."""
    image = {"head": torch.zeros(8, 1, 4, 3, dtype=torch.float16)}
    a, b = ((replace(one[0], images=image), one[1]) for one in (TinyData().batch(0, 0), TinyData().batch(0, 1)))
    with torch.autocast("cpu", torch.bfloat16):
        together, _ = concatenate([a, b])
    assert together.images["head"].dtype == torch.float16
    assert together.images["head"].shape == (16, 1, 4, 3)


def test_wrong_weights_and_ragged_batches_are_refused() -> None:
    data = TinyData()
    with pytest.raises(TrainError, match="must be the same names"):
        Mixture({"a": data}, {"b": 1.0})
    with pytest.raises(TrainError, match="weight of a is 0"):
        Mixture({"a": data}, {"a": 0.0})

    class Ragged(TinyData):
        def batch(self, number: int, index: int) -> Batch:
            self.rows = 8 if index < 4 else 5
            return super().batch(number, index)

    with pytest.raises(TrainError, match="batches of 8 and of 5 rows"):
        list(Mixture({"a": Ragged()}, {"a": 1.0}, MixtureConfig(batch=8, batches=9)).epoch(0))


def test_a_training_on_a_mixture_goes_on_where_it_stopped(tmp_path: Path) -> None:
    def data() -> Mixture:
        return Mixture({"a": TinyData(), "b": TinyData(seed=1, words=7)}, {"a": 2.0, "b": 1.0}, MixtureConfig(batch=6))

    whole = trained(tmp_path / "whole", TinyModel(), data(), save_every=5)
    path = tmp_path / "whole" / "states" / "step-000000012"
    path.rename(tmp_path / "elsewhere")
    again = trained(tmp_path / "whole", TinyModel(), data(), resume=True)
    assert again.pace.rows == 2 * 6  # two steps were left
    assert same(weights(again.model), weights(whole.model))


@pytest.mark.parametrize("batch", [6, 7])
def test_the_shares_of_all_processes_are_the_batch(batch: int) -> None:
    """Sets of five and of eight rows a batch, over the ends of epochs: each row is made once, by one process."""

    def mixture() -> Mixture:
        sets = {"a": TinyData(rows=5, batches=3), "b": TinyData(rows=8, batches=2, seed=1)}
        return Mixture(sets, {"a": 2.0, "b": 1.0}, MixtureConfig(batch=batch, batches=9))

    for skip in (0, 4):
        whole = list(mixture().epoch(1, skip=skip))
        parts = [list(mixture().epoch(1, skip=skip, share=Share(rank, 3))) for rank in range(3)]
        assert [len(part) for part in parts] == [len(whole)] * 3
        for (inputs, _), *shares in zip(whole, *parts, strict=True):
            found = torch.cat([share.state for share, _ in shares])
            assert sorted(found[:, 0, 0].tolist()) == sorted(inputs.state[:, 0, 0].tolist())
            assert all(1 <= share.size <= 4 for share, _ in shares)


def test_a_batch_smaller_than_the_processes_is_refused() -> None:
    mixture = Mixture({"a": TinyData(), "b": TinyData(seed=1)}, {"a": 1.0, "b": 1.0}, MixtureConfig(batch=2))
    with pytest.raises(TrainError, match="2 rows for 9 processes"):
        list(mixture.epoch(0, share=Share(8, 9)))


def test_moments_of_a_set_that_has_them_are_left_out_beside_one_that_has_none() -> None:
    felt = Felt(
        state=torch.zeros(2, 3, 4), positions=torch.zeros(2, 3, 2, 3), present=torch.ones(2, 3, 2, dtype=torch.bool),
        actions=torch.zeros(2, 3, 5, 2), real=torch.ones(2, 3, 5, dtype=torch.bool),
        course=torch.zeros(2, 3, COURSE),
    )  # fmt: skip
    batch = next(iter(TinyData(rows=2).epoch(0)))[1]
    with_moments = replace(batch, felt=felt)
    assert concatenate([with_moments, batch]).felt is None
    both = concatenate([with_moments, with_moments]).felt
    assert both is not None
    assert both.state.shape == (4, 3, 4)
