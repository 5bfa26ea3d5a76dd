"""Keeps a run in memory and writes it at the end: `run.npz` (numbers at the control rate) and `run.json` (the words).

    Loop --Tick--> Recorder --save--> folder/run.npz, folder/run.json --load_run--> Recording

Bounded: of a run longer than `limit_s` the latest part is kept, since the end is what one wants to look at. Files
are written beside and renamed, so that a killed run leaves the old recording whole or none; run.json is renamed
last and carries the hash of its run.npz, so that a pair that does not belong together is noticed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from volition.errors import ContractError
from volition.runtime.report import RunSummary, Tick
from volition.types import ActionSpec, Intervention, RobotSpec

_STATE = (
    "position",
    "velocity",
    "effort",
    "base_position",
    "base_quaternion",
    "base_velocity",
    "base_angular_velocity",
)


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A run read back. `arrays` has one row a tick; where there was no action or command, its row is NaN."""

    arrays: Mapping[str, np.ndarray]
    about: Mapping[str, Any]


class Recorder:
    """`start`, `add` every tick, `save`. Pictures are not kept."""

    def __init__(self, folder: Path, *, limit_s: float = 600.0) -> None:
        if not 1.0 <= limit_s <= 86400.0:
            raise ContractError(f"Recorder.limit_s is {limit_s}; it must be 1 to 86400 s.")
        self.folder, self._limit = Path(folder), limit_s
        self._rows: deque[dict[str, np.ndarray | float]] = deque()
        self._events: deque[Intervention] = deque(maxlen=10_000)

    def start(self, instruction: str, robot: RobotSpec, action: ActionSpec) -> None:
        ticks = max(1, round(self._limit * robot.control_rate_hz))
        self._rows = deque(maxlen=ticks)
        self._events.clear()
        self._ticks = 0
        self._width, self._commanded = len(action.dimensions), len(robot.commanded)
        self._about = {
            "format": 1,
            "instruction": instruction,
            "robot": robot.name,
            "action": action.name,
            "control_rate_hz": robot.control_rate_hz,
            "policy_rate_hz": robot.policy_rate_hz,
            "joints": list(robot.joint_names),
            "commanded": [joint.name for joint in robot.commanded],
            "action_names": list(action.names),
        }

    def add(self, tick: Tick) -> None:
        action, command = tick.action, tick.command
        row: dict[str, np.ndarray | float] = {name: getattr(tick.state, name) for name in _STATE}
        row["stamp"], row["state_stamp"] = tick.stamp, tick.state.stamp
        row["action"] = np.full(self._width, np.nan) if action is None else action.values
        row["chunk_stamp"] = np.nan if action is None else action.chunk_stamp
        row["command_position"] = np.full(self._commanded, np.nan) if command is None else command.position
        row["command_base_velocity"] = np.full(3, np.nan) if command is None else command.base_velocity
        row["safe_position"], row["safe_base_velocity"] = tick.safe.position, tick.safe.base_velocity
        self._rows.append(row)
        self._events.extend(tick.interventions)
        self._ticks += 1

    def save(self, summary: RunSummary) -> Path:
        """Write both files; returns the folder."""
        names = self._rows[0].keys() if self._rows else ()
        arrays = {name: np.array([row[name] for row in self._rows]) for name in names}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # numpy 2's stubs mistake names for flags
        packed = buffer.getvalue()
        about = {
            **self._about,
            "ticks": len(self._rows),
            "ticks_dropped": self._ticks - len(self._rows),
            "sha256": hashlib.sha256(packed).hexdigest(),
            "summary": dataclasses.asdict(summary),
            "interventions": [_plain(event) for event in self._events],
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        _replace(
            {
                self.folder / "run.npz": packed,
                self.folder / "run.json": json.dumps(about, indent=1, allow_nan=False, default=_number).encode(),
            }
        )
        return self.folder


def load_run(folder: Path) -> Recording:
    """Read a recording back, or raise a ContractError that says what is wrong with it."""
    folder = Path(folder)
    try:
        about = json.loads((folder / "run.json").read_text())
        packed = (folder / "run.npz").read_bytes()
    except (OSError, ValueError) as error:
        raise ContractError(f"{folder} is not a recorded run: {error}") from error
    if hashlib.sha256(packed).hexdigest() != about.get("sha256"):
        raise ContractError(f"{folder}: run.npz is not the one run.json was written for; record the run again.")
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        return Recording(arrays={name: arrays[name] for name in arrays.files}, about=about)


def _replace(files: Mapping[Path, bytes]) -> None:
    """Write all beside first, then rename: only the renames, which cannot be half done, touch the old files."""
    beside = {path: path.with_name(f".{path.name}.{os.getpid()}.part") for path in files}
    try:
        for path, content in files.items():
            with beside[path].open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for path, part in beside.items():
            part.replace(path)
    finally:
        for part in beside.values():
            part.unlink(missing_ok=True)


def _plain(event: Intervention) -> dict[str, Any]:
    """JSON has no NaN or infinity, which is just what an intervention may be about: those become text."""
    fields = dataclasses.asdict(event)
    return {
        name: repr(value) if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in fields.items()
    }


def _number(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
