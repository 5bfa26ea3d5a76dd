"""A training that begins its processes itself: the same curve as one, and no process left behind."""

from __future__ import annotations

import multiprocessing
import os
from dataclasses import replace
from pathlib import Path

import pytest
from train_tools import BASE, TinyData, TinyModel

from volition.train.errors import TrainError
from volition.train.journal import read
from volition.train.together import together
from volition.train.trainer import Trainer


def run(out: Path) -> int:
    Trainer(TinyModel(), TinyData(), replace(BASE, threads=1), out).run()
    return 0


def refused(out: Path) -> int:
    raise TrainError("There is nothing to train on.")


def broken(out: Path) -> int:
    if os.environ["RANK"] == "1":
        os._exit(3)
    return run(out)  # which waits for the other


def curve(out: Path) -> list[float]:
    return [line["loss"] for line in read(out) if "loss" in line]


def test_two_processes_begun_here_train_as_one(tmp_path: Path) -> None:
    run(tmp_path / "one")
    assert together(2, run, tmp_path / "two") == 0
    assert curve(tmp_path / "two") == pytest.approx(curve(tmp_path / "one"), abs=1e-5)
    assert not multiprocessing.active_children()


def test_what_is_refused_is_said_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert together(2, refused, tmp_path) == 2
    assert capfd.readouterr().err.count("nothing to train on") == 1


def test_a_process_that_ends_is_named_and_the_others_end_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("volition.train.together.ENDING", 1.0)
    with pytest.raises(TrainError, match="Process 1 of the training ended with exit code 3"):
        together(2, broken, tmp_path)
    assert not multiprocessing.active_children()
