"""Freezing by name, and low-rank adapters that merge into the weights they stand beside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from train_tools import TinyData, TinyModel, same, trained, weights

from volition.train.adapt import LoraConfig, add_lora, counts, freeze, merge, plain_weights, unfreeze
from volition.train.errors import TrainError


@dataclass(frozen=True)
class Settings:
    width: int = 3


def adapted(tmp_path: Path) -> TinyModel:
    model = TinyModel(blocks=2)
    model.config = Settings()  # type: ignore[assignment]
    add_lora(model, LoraConfig(layers=("blocks", "vision.0"), rank=2))
    trained(tmp_path, model, steps=5)
    return model


def test_freezing_counts_what_is_left_to_train() -> None:
    model = TinyModel()
    everything = sum(one.numel() for one in model.parameters())
    found = freeze(model, "vision", "*.bias")
    trainable = {name for name, one in model.named_parameters() if one.requires_grad}
    assert trainable == {"language.weight", "position", "blocks.0.weight", "norm.weight", "head.weight"}
    assert found.everything == everything
    assert found.trainable == sum(one.numel() for one in model.parameters() if one.requires_grad)
    assert unfreeze(model, "*").trainable == everything
    assert "100.0%" in str(counts(model))


def test_a_pattern_that_fits_nothing_lists_names_like_it() -> None:
    with pytest.raises(TrainError, match=r"No parameter is called 'vison'; there are for example: .*vision\.0"):
        freeze(TinyModel(), "vison")
    with pytest.raises(TrainError, match=r"No linear layer is called 'norm'; there are for example"):
        add_lora(TinyModel(), LoraConfig(layers=("norm",)))
    with pytest.raises(TrainError, match="layers is empty"):
        LoraConfig(layers=())


def test_only_adapters_learn_and_the_weights_beside_them_stay(tmp_path: Path) -> None:
    start = weights(TinyModel(blocks=2))
    model = adapted(tmp_path)
    learning = {name for name, one in model.named_parameters() if one.grad is not None}
    assert learning
    assert all("lora_" in name for name in learning)
    now = weights(model)
    for name, tensor in start.items():
        inside = (
            name if name in now else name.replace(".weight", ".base_layer.weight").replace(".bias", ".base_layer.bias")
        )
        assert torch.equal(now[inside], tensor), name
    found = counts(model)
    assert found.trainable == 2 * (2 * 16 * 2) + 2 * (6 + 8)
    assert found.trainable < found.everything


def test_merged_weights_act_as_the_adapters_did(tmp_path: Path) -> None:
    model = adapted(tmp_path).eval()
    inputs, _ = TinyData().batch(3, 1)
    before = model.act(inputs, rng=None)
    plain = TinyModel(blocks=2).eval()
    untouched = plain.act(inputs, rng=None)
    assert not torch.allclose(before, untouched, atol=1e-3)  # they learned something
    named = plain_weights(model)
    assert torch.equal(model.act(inputs, rng=None), before)  # and it stays as it was
    plain.load_state_dict(named)  # the names of a model without adapters, all of them
    assert torch.allclose(plain.act(inputs, rng=None), before, atol=1e-5)
    merge(model)
    assert torch.allclose(model.act(inputs, rng=None), before, atol=1e-5)
    assert weights(model).keys() == weights(plain).keys()


def test_a_run_with_adapters_deploys_plain_weights_and_goes_on(tmp_path: Path) -> None:
    model = adapted(tmp_path)
    deployed = load_file(tmp_path / "last" / "model.safetensors")
    assert deployed.keys() == weights(TinyModel(blocks=2)).keys()
    again = TinyModel(blocks=2)
    add_lora(again, LoraConfig(layers=("blocks", "vision.0"), rank=2, seed=5))
    trained(tmp_path, again, steps=5, resume=True)
    assert same(weights(again), weights(model))


def test_adapters_start_the_same_for_the_same_seed_and_leave_the_global_one_alone() -> None:
    def starts(seed: int) -> dict[str, torch.Tensor]:
        model = TinyModel()
        state = torch.random.get_rng_state()
        add_lora(model, LoraConfig(layers=("head",), seed=seed))
        assert torch.equal(torch.random.get_rng_state(), state)
        return weights(model)

    assert same(starts(1), starts(1))
    assert not same(starts(1), starts(2))
