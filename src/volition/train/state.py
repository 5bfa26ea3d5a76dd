"""Training states that are whole or absent, and from which a run goes on as if it had never stopped. For `trainer.py`.

    out/states/step-000001000/{weights,optimiser,average}.safetensors + state.json

A state is written beside as a hidden folder, flushed to disk, and renamed. Tensors are whole (not a process's share) and by
the model's names: the moments of `a.weight` are `exp_avg.a.weight` and so on. Randomness needs no saving (`seeds.py`)
and the place in the data is step * accumulate. No pickle.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from volition.train.errors import TrainError, near

NUMBERS = "state.json"
WEIGHTS, OPTIMISER, AVERAGE = "weights", "optimiser", "average"
MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass(frozen=True, kw_only=True)
class State:
    """Named tensors by file, and numbers: all JSON."""

    tensors: Mapping[str, Mapping[str, Tensor]]
    numbers: Mapping[str, Any]


class StateError(TrainError):
    """A state could not be written; the ones before are whole."""


def save(folder: Path, step: int, state: State, keep: int) -> Path:
    """Write a state, then drop all but the last `keep`."""
    path = folder / f"step-{step:09d}"
    if not path.exists():  # else this very step was saved before: a run is a function of its configuration
        write_folder(path, lambda beside: _write(beside, state))
    for old in states(folder)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return path


def states(folder: Path) -> list[Path]:
    """Whole states, oldest first."""
    return sorted(path for path in folder.glob("step-*") if path.is_dir())


def load(path: Path) -> State:
    try:
        numbers = json.loads((path / NUMBERS).read_text(encoding="utf-8"))
        tensors = {one.stem: load_file(one) for one in sorted(path.glob("*.safetensors"))}
    except (OSError, ValueError, SafetensorError) as error:
        raise TrainError(f"{path} cannot be read ({error}); remove it to go on from the state before.") from error
    return State(tensors=tensors, numbers=numbers)


def named_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and lasting buffers; what is shared between names is there once, by its first name."""
    found: dict[int, tuple[str, Tensor]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        found.setdefault(id(tensor), (name, tensor))
    return dict(found.values())


def put_all(
    targets: Mapping[str, Tensor], values: Mapping[str, Tensor], what: str, put: Callable[[Tensor, Tensor], None]
) -> None:
    """Every value into the tensor of its name: as many, of the same shapes, or nothing at all."""
    for name, target in targets.items():
        if name not in values:
            raise TrainError(f"{what} has no {name}; it has for example {near(name, values)}. It is of another model.")
        if values[name].shape != target.shape:
            shapes = f"{tuple(values[name].shape)}, the model's is {tuple(target.shape)}"
            raise TrainError(f"{what}: {name} is {shapes}. It is of another model.")
    if extra := sorted(set(values) - set(targets)):
        raise TrainError(f"{what} has {near(extra[0], extra)}, which the model does not. It is of another model.")
    for name, target in targets.items():
        put(target, values[name])


def moments(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What the optimiser remembers, by parameter."""
    found: dict[str, Tensor] = {}
    for group in optimiser.param_groups:
        for name, parameter in zip(group["names"], group["params"], strict=True):
            found |= {f"{key}.{name}": value for key, value in optimiser.state.get(parameter, {}).items()}
    return found


def put_moments(
    optimiser: torch.optim.Optimizer, values: Mapping[str, Tensor], put: Callable[[Tensor, Tensor], None]
) -> None:
    """Into an optimiser that has not stepped yet."""
    targets: dict[str, Tensor] = {}
    for group in optimiser.param_groups:
        for name, parameter in zip(group["names"], group["params"], strict=True):
            if f"step.{name}" not in values:  # no loss has reached it yet
                continue
            device = parameter.device if group.get("fused") else "cpu"
            fresh = {key: torch.zeros_like(parameter, requires_grad=False) for key in MOMENTS[:2]}
            fresh["step"] = torch.zeros((), dtype=torch.float32, device=device)
            optimiser.state[parameter] = fresh
            targets |= {f"{key}.{name}": value for key, value in fresh.items()}
    put_all(targets, values, OPTIMISER, put)


def write_folder(path: Path, write: Callable[[Path], None]) -> None:
    """A folder that is whole or absent: `write` fills a hidden one beside it, which is renamed. Replaces one that is there;
    a kill in the middle of replacing leaves the old one as `.NAME.old`, which `recover` puts back."""
    beside, old = path.with_name(f".{path.name}.part"), path.with_name(f".{path.name}.old")
    try:
        recover(path)
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        write(beside)
        readable = beside.stat().st_mode & 0o666  # safetensors lets only the owner read what it writes
        for file in beside.rglob("*"):
            if file.is_file():
                file.chmod(readable)
                _sync(file)
        _sync(beside)
        if path.exists():
            path.rename(old)
        beside.rename(path)
        _sync(path.parent)
    except (OSError, SafetensorError) as error:
        recover(path)
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise StateError(f"{path} cannot be written: {reason}. What was saved before is whole.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def clean(folder: Path) -> None:
    """Remove what a kill left half written."""
    for path in folder.glob(".*.part"):
        shutil.rmtree(path, ignore_errors=True)


def recover(path: Path) -> None:
    """End a replacing that was cut short: the old one goes back where it is missing, or goes where the new one is."""
    old = path.with_name(f".{path.name}.old")
    if old.exists() and path.exists():
        shutil.rmtree(old)
    elif old.exists():
        old.rename(path)


def _write(folder: Path, state: State) -> None:
    for name, tensors in state.tensors.items():
        save_file({key: value.contiguous() for key, value in tensors.items()}, folder / f"{name}.safetensors")
    text = json.dumps(state.numbers, indent=4, ensure_ascii=False, allow_nan=False)
    (folder / NUMBERS).write_text(text + "\n", encoding="utf-8")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
