"""The loop: it learns, goes on bit-exactly after any end, loses nothing to a full disk, and stops where numbers break."""

from __future__ import annotations

import errno
import math
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from train_tools import BASE, TinyData, TinyModel, forked, same, trained, weights

from volition.train import state as states
from volition.train.errors import TrainError
from volition.train.journal import read
from volition.train.trainer import Trainer


def losses(out: Path) -> dict[int, float]:
    return {line["step"]: line["loss"] for line in read(out) if "loss" in line}


def noisy() -> TinyModel:
    return TinyModel(noise=0.1, dropout=0.2, norm=True)


class OneBatch(TinyData):
    def batch(self, number: int, index: int) -> Any:
        return super().batch(0, 0)


def test_the_same_batch_again_and_again_is_overfitted(tmp_path: Path) -> None:
    trained(tmp_path, TinyModel(), OneBatch(rows=4), steps=300, learning_rate=2e-2, weight_decay=0.0, save_every=0)
    curve = losses(tmp_path)
    assert curve[300] < 0.02 * curve[1]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_two_steps_and_a_resume_are_the_uninterrupted_run(tmp_path: Path, accumulate: int) -> None:
    whole = trained(tmp_path / "whole", noisy(), steps=9, accumulate=accumulate)
    first = TinyData()
    stop_after(first, 2 * accumulate, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "parts", noisy(), first, steps=9, accumulate=accumulate)
    data = TinyData()
    resumed = trained(tmp_path / "parts", noisy(), data, steps=9, accumulate=accumulate, resume=True)
    assert data.made[0] == divmod(2 * accumulate, 5)  # nothing before was computed
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    assert same(weights(resumed.model), weights(whole.model))
    assert whole.ema is not None
    assert resumed.ema is not None
    assert same(resumed.ema.averages, whole.ema.averages)
    last = [load_file(tmp_path / name / "last" / "model.safetensors") for name in ("whole", "parts")]
    assert same(*last)


def stop_after(data: TinyData, batches: int, number: int) -> None:
    def before() -> None:
        if len(data.made) == batches:
            os.kill(os.getpid(), number)

    data.before = before


def test_randomness_reaches_the_losses_and_looking_on_does_not_change_them(tmp_path: Path) -> None:
    trained(tmp_path / "a", noisy(), steps=6)
    other = Trainer(noisy(), TinyData(), replace(BASE, steps=6, validate_every=2), tmp_path / "b", held_out=TinyData(seed=9))  # fmt: skip
    other.run()
    trained(tmp_path / "c", noisy(), steps=6, seed=1)
    assert losses(tmp_path / "a") == losses(tmp_path / "b")
    assert losses(tmp_path / "a") != losses(tmp_path / "c")


def kill_at(event: int, out: Path) -> None:
    """The run of the kill test; ends itself at the given one of its batches, files, flushes and renames."""
    count = 0

    def tick(*_: Any) -> None:
        nonlocal count
        count += 1
        if count == event:
            os.kill(os.getpid(), signal.SIGKILL)

    data, fsync, rename, write = TinyData(), os.fsync, Path.rename, states.save_file
    data.before = tick

    def flush(handle: int) -> None:
        tick()
        fsync(handle)

    def move(path: Path, target: Any) -> Path:
        tick()
        return rename(path, target)

    def save(*a: Any) -> None:
        tick()
        write(*a)

    os.fsync, Path.rename, states.save_file = flush, move, save  # type: ignore[method-assign]
    Trainer(noisy(), data, replace(BASE, steps=30, save_every=3), out, held_out=TinyData(), resume=True).run()


def test_kills_at_any_moment_lose_nothing_that_was_saved(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole", noisy(), steps=30, save_every=3)
    half = tmp_path / "killed" / "states" / ".step-000000002.part"  # of a save that no step will make again
    half.mkdir(parents=True)
    (half / "weights.safetensors").write_bytes(b"half")
    rng, ends = np.random.default_rng(0), []
    while not ends or ends[-1] != 0:
        process = forked(kill_at, int(rng.integers(10, 40)), tmp_path / "killed")
        process.join(60)
        ends.append(process.exitcode)
        assert ends[-1] in (0, -signal.SIGKILL)
        assert len(ends) < 40
    assert len(ends) > 4  # it was killed several times
    out = tmp_path / "killed"
    found = states.load(states.states(out / "states")[-1])
    assert same(dict(found.tensors[states.WEIGHTS]), weights(whole.model))
    assert losses(out) == losses(tmp_path / "whole")
    assert not [*out.glob(".*"), *(out / "states").glob(".*")]


def test_sigterm_saves_and_ends_with_its_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = TinyData()
    stop_after(data, 4, signal.SIGTERM)
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        trained(tmp_path, TinyModel(), data)
    assert ended.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is handler
    assert [path.name for path in states.states(tmp_path / "states")] == ["step-000000004"]
    assert "Stopped after step 4" in capsys.readouterr().err


def test_a_full_disk_costs_a_save_and_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = trained(tmp_path / "whole", noisy())
    write, calls = states.save_file, []

    def full(tensors: Any, path: Path) -> None:
        calls.append(path)
        if 4 <= len(calls) <= 5:  # the second save: its first file is there, its second not whole
            path.write_bytes(b"half")
            if len(calls) == 5:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return
        write(tensors, path)

    monkeypatch.setattr(states, "save_file", full)
    trainer = trained(tmp_path / "full", noisy(), save_every=5)
    assert same(weights(trainer.model), weights(whole.model))
    assert (tmp_path / "full" / "last" / "model.safetensors").stat().st_mode & 0o044  # not the owner alone
    assert [path.name for path in states.states(tmp_path / "full" / "states")] == ["step-000000005", "step-000000012"]
    said = capsys.readouterr().err
    assert "No space left on device" in said
    assert "tries again" in said


def test_a_full_disk_at_the_end_is_one_sentence_and_the_save_before_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = states.save_file

    def full(tensors: Any, path: Path) -> None:
        if "12" in path.parent.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(tensors, path)

    monkeypatch.setattr(states, "save_file", full)
    with pytest.raises(TrainError, match="No space left on device"):
        trained(tmp_path, noisy())
    monkeypatch.undo()
    assert {path.name for path in (tmp_path / "states").iterdir()} == {"step-000000005", "step-000000010"}
    resumed = trained(tmp_path, noisy(), resume=True)
    assert same(weights(resumed.model), weights(trained(tmp_path / "whole", noisy()).model))


def test_only_the_newest_states_are_kept(tmp_path: Path) -> None:
    trained(tmp_path, TinyModel(), save_every=2, keep=3)
    assert [int(path.name[5:]) for path in states.states(tmp_path / "states")] == [8, 10, 12]


def test_a_step_that_is_not_finite_changes_nothing_and_is_counted(tmp_path: Path) -> None:
    data = TinyData()
    data.spoil = lambda number, index: (number, index) == (0, 1)
    model = TinyModel(norm=True)
    seen: list[dict[str, torch.Tensor]] = []
    data.before = lambda: seen.append(weights(model))
    trainer = trained(tmp_path, model, data, steps=4)
    assert trainer.skipped == 1
    assert not same(seen[0], seen[1])
    assert same(seen[1], seen[2])  # batch 1 was the spoilt one
    assert not same(seen[2], seen[3])
    lines = {line["step"]: line for line in read(tmp_path)}
    assert lines[2]["loss"] is None
    assert math.isfinite(lines[3]["loss"])


def test_gradients_that_are_not_finite_are_skipped_too(tmp_path: Path) -> None:
    class Root(TinyModel):
        def losses(self, inputs: Any, targets: Any, *, rng: Any) -> dict[str, torch.Tensor]:
            return {
                "root": (self.head.weight * 0).abs().sum().sqrt() + super().losses(inputs, targets, rng=rng)["action"]
            }

    with pytest.raises(
        TrainError, match=r"3 steps in a row up to step 3 were not finite.*gradient norm nan.*head\.weight"
    ):
        trained(tmp_path, Root(), patience=3)


def test_many_losses_in_a_row_that_are_not_finite_end_the_run_with_the_facts(tmp_path: Path) -> None:
    data = TinyData()
    data.spoil = lambda number, index: number > 0
    with pytest.raises(TrainError, match=r"4 steps in a row up to step 9.*action nan.*last finite loss [0-9.]+"):
        trained(tmp_path, TinyModel(), data, patience=4)


@pytest.mark.parametrize("padded", [False, True])
def test_four_batches_accumulated_are_one_four_times_as_large(tmp_path: Path, padded: bool) -> None:
    small = TinyData(rows=4, batches=4)
    small.padded = padded

    class Large(TinyData):
        def batch(self, number: int, index: int) -> Any:
            from volition.train.mixture import concatenate

            return concatenate([small.batch(number, place) for place in range(4)])

    a = trained(tmp_path / "a", TinyModel(), small, accumulate=4, steps=5, warmup_steps=0)
    b = trained(tmp_path / "b", TinyModel(), Large(batches=1), steps=5, warmup_steps=0)
    assert losses(tmp_path / "a") == pytest.approx(losses(tmp_path / "b"), abs=1e-6)
    for name, tensor in weights(a.model).items():
        assert torch.allclose(tensor, weights(b.model)[name], atol=1e-5), name


def test_a_run_is_not_overwritten_and_goes_on_only_with_what_it_began_with(tmp_path: Path) -> None:
    trained(tmp_path, TinyModel())
    with pytest.raises(TrainError, match="holds a run up to step-000000012; --resume"):
        trained(tmp_path, TinyModel())
    with pytest.raises(TrainError, match="saved with seed 0, and now it is 4"):
        trained(tmp_path, TinyModel(), resume=True, seed=4)
    with pytest.raises(TrainError, match="saved with 5 batches an epoch, and now there are 6"):
        trained(tmp_path, TinyModel(), TinyData(batches=6), resume=True)
    with pytest.raises(TrainError, match=r"weights has no blocks\.1\.weight; it has for example blocks\.0\.weight"):
        trained(tmp_path, TinyModel(blocks=2), resume=True)


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    trained(tmp_path, TinyModel())
    file = tmp_path / "states" / "step-000000012" / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(TrainError, match=r"step-000000012 cannot be read .* remove it to go on from the state before"):
        trained(tmp_path, TinyModel(), resume=True)


def test_the_best_is_the_most_successful_not_the_lowest_loss(tmp_path: Path) -> None:
    successes = {4: 0.5, 8: 0.75, 12: 0.25}
    seen: dict[int, dict[str, torch.Tensor]] = {}

    def evaluate(step: int, model: torch.nn.Module) -> dict[str, float]:
        assert not model.training
        seen[step] = weights(model)
        return {"success": successes[step], "falls": 0.0}

    config = replace(BASE, evaluate_every=4, validate_every=4)
    trainer = Trainer(TinyModel(), TinyData(), config, tmp_path, held_out=TinyData(seed=5), evaluate=evaluate)
    report = trainer.run()
    assert report.best is not None
    assert (report.best.step, report.best.success) == (8, 0.75)
    assert same(load_file(tmp_path / "best" / "model.safetensors"), seen[8])
    assert same(load_file(tmp_path / "last" / "model.safetensors"), seen[12])
    lines = read(tmp_path)
    validation = {line["step"]: line["validation/loss"] for line in lines if "validation/loss" in line}
    assert validation[12] < validation[8]  # so that loss would have chosen otherwise
    assert {line["step"]: line["evaluation/success"] for line in lines if "evaluation/success" in line} == successes


def test_an_evaluation_that_fails_loses_no_step_and_is_made_up_for(tmp_path: Path) -> None:
    def run(out: Path, evaluate: Any, resume: bool = False) -> Trainer:
        trainer = Trainer(noisy(), TinyData(), replace(BASE, evaluate_every=6, save_every=5), out, evaluate=evaluate, resume=resume)  # fmt: skip
        trainer.run()
        return trainer

    def broken(step: int, model: torch.nn.Module) -> dict[str, float]:
        raise TrainError("the simulator is gone")

    whole = run(tmp_path / "whole", lambda step, model: {"success": step / 100})
    with pytest.raises(TrainError, match="simulator is gone"):
        run(tmp_path / "parts", broken)
    assert states.states(tmp_path / "parts" / "states")[-1].name == "step-000000006"
    again = run(tmp_path / "parts", lambda step, model: {"success": step / 100}, resume=True)
    assert same(weights(again.model), weights(whole.model))
    made = [
        (line["step"], line["evaluation/success"]) for line in read(tmp_path / "parts") if "evaluation/success" in line
    ]
    assert made == [(6, 0.06), (12, 0.12)]


def test_equal_success_is_decided_by_held_out_loss_then_by_the_later_step() -> None:
    from volition.train.best import Candidate

    assert Candidate(step=2, success=0.5, loss=0.3).beats(Candidate(step=1, success=0.5, loss=0.4))
    assert not Candidate(step=2, success=0.5, loss=0.5).beats(Candidate(step=1, success=0.5, loss=0.4))
    assert Candidate(step=2, success=0.5).beats(Candidate(step=1, success=0.5))
    assert Candidate(step=1, success=0.6, loss=9.0).beats(Candidate(step=2, success=0.5, loss=0.1))
    assert not Candidate(step=3).beats(None)


def test_what_is_deployed_are_the_averages_and_training_goes_on_with_the_weights(tmp_path: Path) -> None:
    trainer = trained(tmp_path, TinyModel(), save_every=0)
    assert trainer.ema is not None
    last = load_file(tmp_path / "last" / "model.safetensors")
    for name, average in trainer.ema.averages.items():
        assert torch.equal(last[name], average)
        assert not torch.equal(last[name], weights(trainer.model)[name])


def test_a_budget_of_processor_time_does_not_count_what_others_take(tmp_path: Path) -> None:
    import time

    data = TinyData()
    data.before = lambda: time.sleep(0.02)  # as where another program has the core
    trainer = trained(tmp_path, TinyModel(), data, minutes=0.2 / 60, clock="processor")
    assert 0.2 <= trainer.seconds < 0.4
    assert trainer.pace.seconds > trainer.seconds + 0.01 * trainer.step


def test_a_budget_of_time_ends_the_run_and_counts_what_was_spent_before(tmp_path: Path) -> None:
    import time

    data = TinyData()
    data.before = lambda: time.sleep(0.01)
    stopping = TinyData()

    def before() -> None:
        time.sleep(0.01)
        if len(stopping.made) == 10:
            os.kill(os.getpid(), signal.SIGINT)

    stopping.before = before
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, TinyModel(), stopping, minutes=0.4 / 60)
    spent = states.load(states.states(tmp_path / "states")[-1]).numbers["seconds"]
    trainer = trained(tmp_path, TinyModel(), data, minutes=0.4 / 60, resume=True)
    assert 0.1 <= spent < 0.4
    assert trainer.pace.seconds + spent == pytest.approx(trainer.seconds)
    assert 0.4 <= trainer.seconds < 0.8
    rates = [line["rate"] for line in read(tmp_path) if "rate" in line][4:]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.3 * rates[0]


def test_a_model_that_cannot_checkpoint_its_gradients_is_not_asked_in_silence(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match=r"TinyModel has no gradient_checkpointing\(on\)"):
        trained(tmp_path, TinyModel(), gradient_checkpointing=True)
    asked: list[bool] = []
    model = TinyModel()
    model.gradient_checkpointing = asked.append  # type: ignore[assignment]
    trained(tmp_path, model, gradient_checkpointing=True, steps=1, warmup_steps=0)
    assert asked == [True]


def test_an_evaluation_that_would_never_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainError, match="evaluate_every is 0 and something was given"):
        Trainer(TinyModel(), TinyData(), BASE, tmp_path, evaluate=lambda step, model: {"success": 1.0})
    with pytest.raises(TrainError, match="evaluate_every is 3 and nothing was given"):
        trained(tmp_path, TinyModel(), evaluate_every=3)


def test_data_whose_length_is_wrong_is_refused(tmp_path: Path) -> None:
    class Short(TinyData):
        def __len__(self) -> int:
            return self.batches + 1

    with pytest.raises(TrainError, match="Epoch 0 of the data had 5 batches, and its length says 6"):
        trained(tmp_path, TinyModel(), Short())
