"""The training loop: batches in, weights and a record of how it went out.

    Batches -> Stepper (losses, gradients, AdamW) -> Ema -> validate, evaluate -> Best; State; Journal

    OUT/states/    to go on from (state.py)         OUT/metrics.jsonl, events/, curves.svg   (journal.py)
    OUT/best/      to deploy: best in closed loop   OUT/last/  to deploy: at the end         (best.py)

A run of `steps` on a CPU is a function of its configuration, model and data, however often it was stopped. A run of
`minutes` counts the time of steps only, not that of validation, evaluation and saving.
"""

from __future__ import annotations

import math
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import volition
from volition.train import state as states
from volition.train.adapt import counts
from volition.train.best import Candidate, success_of, write_weights
from volition.train.config import TrainConfig
from volition.train.contracts import Batch, Batches, Evaluate, Export, Physical
from volition.train.distributed import Processes, shares
from volition.train.ema import Ema
from volition.train.errors import TrainError
from volition.train.journal import Journal
from volition.train.progress import Pace, reporting
from volition.train.schedule import learning_rate, progress
from volition.train.state import State, StateError
from volition.train.step import Outcome, Stepper
from volition.train.stop import Stop
from volition.train.validate import evaluating, validate

FIXED = ("seed", "accumulate", "ema")  # what a run that goes on must not change


@dataclass(frozen=True, kw_only=True)
class TrainReport:
    """What a finished run was; of this process's share of it where it was resumed, but for `steps` and `minutes`."""

    steps: int
    minutes: float
    loss: float
    skipped: int
    samples_per_s: float
    waiting: float  # share of the time, for data
    best: Candidate | None


class Trainer:
    """One run in the folder `out`. The model is taken over: moved, split among processes, and trained in place."""

    def __init__(
        self,
        model: nn.Module,
        data: Batches,
        config: TrainConfig,
        out: Path,
        *,
        held_out: Batches | None = None,
        physical: Physical | None = None,
        evaluate: Evaluate | None = None,
        export: Export = write_weights,
        resume: bool = False,
    ) -> None:
        self.model, self.data, self.config, self.out = model, data, config, out
        self.held_out, self.physical, self.evaluate, self.export = held_out, physical, evaluate, export
        if len(data) == 0:
            raise TrainError("The data has no batches; use smaller batches or more episodes.")
        if (evaluate is None) != (config.evaluate_every == 0):
            given = "something" if evaluate else "nothing"
            raise TrainError(
                f"TrainConfig.evaluate_every is {config.evaluate_every} and {given} was given that evaluates; set both or none."
            )
        if config.threads:
            torch.set_num_threads(config.threads)
        before = _to_go_on_from(out, resume)
        self.processes = Processes(config.parallel, config.device)
        self.stepper = Stepper(model, config, self.processes)
        self.ema = Ema(model, config.ema) if config.ema else None
        self.step, self.seconds, self.skipped, self._row = 0, 0.0, 0, 0  # _row: skipped steps in a row
        self.best: Candidate | None = None
        self._newest: Candidate | None = None
        self.pace, self._last = Pace(), math.nan
        self._owed = False  # the last step's validation or evaluation was due and did not come to its end
        if before is not None:
            self._restore(before)
        self.journal = Journal(out, self.step) if self.processes.main else None
        if self.processes.main:
            for name in ("best", "last"):
                states.recover(out / name)
            for folder in (out, out / "states"):
                states.clean(folder)
            if resume and before is None:
                self._say(f"{out} holds no state to go on from; the run begins.")

    def run(self) -> TrainReport:
        config, total = self.config, None if self.config.minutes else self.config.steps
        self._say(f"{counts(self.model)}; {self.processes.world} x {self.processes.device}, {self.stepper.dtype}.")
        batches = self._batches()
        processor = config.clock == "processor"
        along = progress(config, self.step, self.seconds)
        try:
            with Stop() as stop, reporting(total, along, quiet=not self.processes.main) as report:
                if self._owed:
                    self._look(last=along >= 1)
                while along < 1:
                    began, spent = time.perf_counter(), time.process_time()
                    parts = [next(batches) for _ in range(config.accumulate)]
                    waited = time.perf_counter() - began
                    rate = learning_rate(config, self.step, self.seconds)
                    outcome = self.stepper(self.step, parts, shares(parts, self.processes), rate)
                    self._judge(outcome, rate)
                    self.step += 1
                    took = time.perf_counter() - began
                    seconds, asked = self._agree(time.process_time() - spent if processor else took, stop.asked)
                    self.seconds += seconds
                    self.pace.add(took, waited, self.processes.world * sum(one.size for one, _ in parts))
                    along = progress(config, self.step, self.seconds)
                    self._note(outcome, rate)
                    self._look(last=along >= 1)
                    report(self.step, along, f"loss {outcome.loss:.4g}", self.pace)
                    if asked:
                        self._save(last=True)
                        self._say(f"Stopped after step {self.step}, which is saved in {self.out}; --resume goes on.")
                        stop.end(asked)
            return self._finish()
        finally:
            batches.close()
            self.processes.close()

    def _batches(self) -> Generator[Batch]:
        """This process's rows of all batches from the present step on, epoch after epoch."""
        epoch, skip = divmod(self.step * self.config.accumulate, len(self.data))
        while True:
            count = skip
            for batch in self.data.epoch(epoch, skip=skip, share=self.processes.share):
                count += 1
                yield batch
            if count != len(self.data):
                raise TrainError(
                    f"Epoch {epoch} of the data had {count} batches, and its length says {len(self.data)}."
                )
            epoch, skip = epoch + 1, 0

    def _agree(self, seconds: float, asked: int) -> tuple[float, int]:
        """All processes take the main one's clock, and end at the same step when one of them is asked to."""
        took = seconds if self.processes.main else 0.0
        seconds, interrupted, any_ = self.processes.total([took, float(asked == signal.SIGINT), float(asked != 0)])
        return seconds, signal.SIGINT if interrupted else signal.SIGTERM if any_ else 0

    def _judge(self, outcome: Outcome, rate: float) -> None:
        """A step that is not finite has changed nothing; too many in a row end the run."""
        if outcome.finite:
            self._row, self._last = 0, outcome.loss
            if self.ema is not None:
                self.ema.update()
            return
        self.skipped, self._row = self.skipped + 1, self._row + 1
        if self._row >= self.config.patience:
            terms = ", ".join(f"{name} {value:.4g}" for name, value in outcome.terms.items())
            broken = self.stepper.broken()
            raise TrainError(
                f"{self._row} steps in a row up to step {self.step + 1} were not finite: losses {terms}; gradient norm "
                f"{outcome.norm:.4g}, first not finite in {broken[0] if broken else 'none'} ({len(broken)} parameters); learning rate "
                f"{rate:.3g}; last finite loss {self._last:.4g}. Lower the learning rate, use float32, or look at the data. "
                f"The last saved state is whole."
            )

    def _note(self, outcome: Outcome, rate: float) -> None:
        if self.journal is None or (self.step % self.config.log_every and outcome.finite):
            return
        figures = {"loss": outcome.loss, **{f"loss/{name}": value for name, value in outcome.terms.items()}}
        figures |= {"rate": rate, "norm": outcome.norm, "skipped": self.skipped, "seconds": self.seconds}
        figures |= {"samples_per_s": self.pace.rows_per_s, "waiting": self.pace.waiting}
        self.journal.write(self.step, figures)

    def _look(self, *, last: bool) -> None:
        """What is due after a step: validation, evaluation, the best so far, a save. In this order, so that a state knows
        what its step was worth, or that it is still owed."""
        config = self.config
        validating = self.held_out is not None and (last or _due(self.step, config.validate_every))
        evaluating = config.evaluate_every > 0 and (last or _due(self.step, config.evaluate_every))
        self._owed = validating or evaluating
        if self._owed:
            try:
                self._weigh(validating, evaluating)
            except BaseException:  # also Ctrl-C: hours of steps are not to be lost to what looks on
                if self.processes.parallel != "fsdp":  # there a save needs every process
                    self._save(last=False)
                raise
            self._owed = False
        if last or _due(self.step, config.save_every):
            self._save(last=last)

    def _weigh(self, validating: bool, evaluating: bool) -> None:
        """Measure the weights that would be deployed, and keep them if they are the best."""
        config, figures, success = self.config, {}, None
        with self._averaged():
            if validating and self.held_out is not None:
                found = validate(
                    self.model, self.held_out, self.processes, physical=self.physical,
                    batches=config.validation_batches, dtype=self.stepper.dtype, seed=config.seed,
                )  # fmt: skip
                figures |= {f"validation/{name}": value for name, value in found.items()}
            with self._deployed() as model:
                if evaluating and self.evaluate is not None and self.processes.main:
                    found = self.evaluate(self.step, model)
                    success = success_of(found, self.step)
                    figures |= {f"evaluation/{name}": value for name, value in found.items()}
                loss = figures.get("validation/loss", math.nan)
                candidate = Candidate(step=self.step, success=success, loss=loss if math.isfinite(loss) else None)
                self._newest = candidate
                if self.journal is not None:
                    self.journal.write(self.step, figures)
                    if (evaluating or not config.evaluate_every) and candidate.beats(self.best):
                        written = self._try(lambda: self._export("best", model, candidate))
                        self.best = candidate if written else self.best

    def _save(self, *, last: bool) -> None:
        """Every process gives its share; the main one writes. A full disk does not end a run that can still go on."""
        main = self.processes.main
        numbers = {
            "step": self.step, "seconds": self.seconds, "skipped": self.skipped, "in_a_row": self._row, "owed": self._owed,
            "loss": self._last if math.isfinite(self._last) else None,
            "updates": self.ema.updates if self.ema else 0, "best": self.best.to_json() if self.best else None,
            "batches": len(self.data), "config": asdict(self.config), "version": volition.__version__,
        }  # fmt: skip
        files: dict[str, dict[str, Tensor]] = {}
        for name, tensors in self._tensors().items():
            for key, tensor in tensors.items():
                whole = self.processes.whole(tensor)
                if main:
                    files.setdefault(name, {})[key] = whole.cpu()
        if main:
            state = State(tensors=files, numbers=numbers)

            def write() -> None:
                states.save(self.out / "states", self.step, state, self.config.keep)

            if last:
                write()
            else:
                self._try(write)
            if self.journal is not None:
                self.journal.plot(last=last)

    def _restore(self, path: Path) -> None:
        found, put = states.load(path), self.processes.put
        numbers = found.numbers
        for name in FIXED:
            if numbers["config"][name] != getattr(self.config, name):
                raise TrainError(
                    f"{path} was saved with {name} {numbers['config'][name]}, and now it is {getattr(self.config, name)}; "
                    "use the same, or another folder."
                )
        if numbers["batches"] != len(self.data):
            raise TrainError(
                f"{path} was saved with {numbers['batches']} batches an epoch, and now there are {len(self.data)}; use the "
                "same data and batch size, or another folder."
            )
        states.put_moments(self.stepper.optimiser, found.tensors.get(states.OPTIMISER, {}), put)
        for name, tensors in self._tensors().items():
            if name != states.OPTIMISER:
                states.put_all(tensors, found.tensors.get(name, {}), f"{path / name}", put)
        self.step, self.seconds = numbers["step"], numbers["seconds"]
        self.skipped, self._row = numbers["skipped"], numbers["in_a_row"]
        self._owed = numbers["owed"]
        self._last = math.nan if numbers["loss"] is None else numbers["loss"]
        self.best = Candidate(**numbers["best"]) if numbers["best"] else None
        if self.ema is not None:
            self.ema.updates = numbers["updates"]

    def _tensors(self) -> dict[str, dict[str, Tensor]]:
        found = {
            states.WEIGHTS: states.named_tensors(self.model),
            states.OPTIMISER: states.moments(self.stepper.optimiser),
        }
        return found | ({states.AVERAGE: self.ema.averages} if self.ema is not None else {})

    def _finish(self) -> TrainReport:
        with self._averaged(), self._deployed() as model:
            if self.processes.main:
                newest = self._newest
                known = newest if newest is not None and newest.step == self.step else Candidate(step=self.step)
                self._export("last", model, known)
        pace = self.pace
        report = TrainReport(
            steps=self.step, minutes=self.seconds / 60, loss=self._last, skipped=self.skipped, best=self.best,
            samples_per_s=pace.rows / max(pace.seconds, 1e-9), waiting=pace.waited / max(pace.seconds, 1e-9),
        )  # fmt: skip
        self._say(
            f"Trained {report.steps} steps in {report.minutes:.1f} min: loss {report.loss:.4g}, {report.samples_per_s:.0f} "
            f"samples/s, {report.waiting:.0%} of the time waiting for data, {report.skipped} steps skipped as not finite."
        )
        return report

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        if self.ema is None:
            yield
            return
        with self.ema.swapped():
            yield

    @contextmanager
    def _deployed(self) -> Iterator[nn.Module]:
        """The model in one piece and in evaluation mode, for the main process; the others wait at the end."""
        model = self.processes.gathered(self.model)
        with evaluating(model):
            yield model
        self.processes.total([0.0])

    def _export(self, name: str, model: nn.Module, candidate: Candidate) -> None:
        states.write_folder(self.out / name, lambda folder: self.export(folder, model, candidate.to_json()))

    def _try(self, write: Callable[[], Any]) -> bool:
        try:
            write()
        except StateError as error:
            self._say(f"{error} The run goes on and tries again at the next save.")
            return False
        return True

    def _say(self, text: str) -> None:
        if self.processes.main:
            print(text, file=sys.stderr, flush=True)


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _to_go_on_from(out: Path, resume: bool) -> Path | None:
    """The newest state of a run that is resumed; refuses to write over a run that is not."""
    found = states.states(out / "states")
    if found and not resume:
        raise TrainError(f"{out} holds a run up to {found[-1].name}; --resume goes on with it, or give another folder.")
    return found[-1] if found and resume else None
