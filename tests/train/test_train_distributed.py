"""Several processes train as one does: the same curve, and states that any number of processes goes on from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from train_tools import BASE, TinyData, TinyModel, torchrun

from volition.train.errors import TrainError
from volition.train.journal import read
from volition.train.trainer import Trainer


def curve(out: Path, name: str = "loss") -> list[float]:
    return [line[name] for line in read(out) if name in line]


def run(out: Path, parallel: str, changes: dict[str, Any], resume: bool) -> None:
    # five rows and random padding: the processes' parts are of different sizes
    config = replace(BASE, parallel=parallel, **changes)
    held_out = TinyData(rows=5, batches=2, seed=8)
    Trainer(TinyModel(blocks=2), TinyData(rows=5), config, out, held_out=held_out, resume=resume).run()


@pytest.mark.parametrize(
    ("parallel", "changes"),
    [
        ("ddp", {"accumulate": 2}),
        pytest.param("ddp", {}, marks=pytest.mark.slow),
        pytest.param("fsdp", {"accumulate": 2}, marks=pytest.mark.slow),
    ],
)
def test_two_processes_train_as_one(tmp_path: Path, parallel: str, changes: dict[str, Any]) -> None:
    changes = changes | {"validate_every": 4}
    run(tmp_path / "one", "ddp", changes, False)
    torchrun(2, run, tmp_path / "two", parallel, changes, False)
    assert curve(tmp_path / "two") == pytest.approx(curve(tmp_path / "one"), abs=1e-5)
    assert len(curve(tmp_path / "two")) == 12
    for name in ("validation/loss", "norm"):
        assert curve(tmp_path / "two", name) == pytest.approx(curve(tmp_path / "one", name), abs=1e-5)
    one, two = (load_file(tmp_path / name / "last" / "model.safetensors") for name in ("one", "two"))
    assert all(torch.allclose(one[name], two[name], atol=1e-4) for name in one)


@pytest.mark.slow
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_a_state_goes_on_with_another_number_of_processes(tmp_path: Path, parallel: str) -> None:
    run(tmp_path / "one", "ddp", {"steps": 12}, False)
    whole = curve(tmp_path / "one")
    torchrun(2, run, tmp_path / "mixed", parallel, {"steps": 12, "save_every": 5, "keep": 9}, False)
    for path in (tmp_path / "mixed" / "states").iterdir():
        if path.name > "step-000000005":
            for file in path.iterdir():
                file.unlink()
            path.rmdir()
    run(tmp_path / "mixed", "ddp", {"steps": 12, "save_every": 8, "keep": 1}, True)
    assert curve(tmp_path / "mixed") == pytest.approx(whole, abs=1e-5)
    # and back: one process's state, gone on with by two
    torchrun(2, run, tmp_path / "mixed", parallel, {"steps": 12}, True)
    assert curve(tmp_path / "mixed") == pytest.approx(whole, abs=1e-5)


def test_a_device_that_is_not_there_is_refused() -> None:
    from volition.train.distributed import Processes

    with pytest.raises(TrainError, match="must be auto, cpu, cuda"):
        Processes("ddp", "gpu")


def test_batches_without_an_action_still_teach_what_else_there_is_to_learn() -> None:
    from volition.train.distributed import Processes, shares

    alone = Processes("ddp", "cpu")
    inputs, targets = TinyData(rows=4).batch(0, 0)
    silent = inputs, replace(targets, real=torch.zeros_like(targets.real))
    assert shares([silent, silent], alone) == [0.5, 0.5]
    assert shares([silent, (inputs, targets)], alone) == [0.0, 1.0]
