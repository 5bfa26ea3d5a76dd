"""What a policy's doubts mean: learned from episodes whose end is known, kept beside the checkpoint, read by the robot side.

    signals of a chunk (ActionChunk.doubt and what the runtime sees) -> Calibration.lean -> smoothed -> share -> threshold

`share` is how likely such a chunk is to be of an episode that fails. The threshold is conformal: of new successful
episodes at most `alarms` reach it, on average over calibrations. `eval/uncertainty.py` makes the file.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from volition.errors import AssetError, ContractError

CALIBRATION = "uncertainty.json"  # beside the weights
FORMAT = 1
_TINY = 1e-6
_FAR = (-3.0, 6.0)  # spreads from the middle: beyond them one signal says no more


@dataclass(frozen=True, kw_only=True)
class Signal:
    """`middle` and `spread` are of the signal's logarithm in episodes that succeeded; `weight` is at least 0."""

    name: str
    middle: float
    spread: float
    weight: float

    def __post_init__(self) -> None:
        numbers = (self.middle, self.spread, self.weight)
        if not all(math.isfinite(one) for one in numbers) or self.spread <= 0 or self.weight < 0:
            raise ContractError(
                f"The signal {self.name!r} has middle {self.middle}, spread {self.spread} and weight {self.weight}; they "
                "must be finite, the spread above 0 and the weight at least 0."
            )

    def off(self, value: float | None) -> float:
        """How far above the middle, in spreads; 0 where nothing is known."""
        if value is None or not math.isfinite(value):
            return 0.0
        return min(max((math.log(max(value, 0.0) + _TINY) - self.middle) / self.spread, _FAR[0]), _FAR[1])


@dataclass(frozen=True, kw_only=True)
class Calibration:
    signals: tuple[Signal, ...]
    bias: float
    threshold: float  # of the share, 0 to 1
    alarms: float  # share of successful episodes that may reach it
    smooth_s: float  # over which the doubt is averaged
    weights: str  # sha256 of the policy's weights; "": of a policy without any
    about: Mapping[str, Any] = field(default_factory=dict[str, Any])  # how it was made, for people

    def __post_init__(self) -> None:
        if not self.signals:
            raise ContractError("Calibration has no signals; it needs at least one.")
        for name, low, high in (("threshold", 0.0, 1.0), ("alarms", 0.0, 1.0), ("smooth_s", 0.0, 60.0)):
            value = getattr(self, name)
            if not low <= value <= high:  # NaN too
                raise ContractError(f"Calibration.{name} is {value}; it must be {low:g} to {high:g}.")
        if not math.isfinite(self.bias):
            raise ContractError(f"Calibration.bias is {self.bias}; it must be finite.")

    def lean(self, signals: Mapping[str, float]) -> float:
        """The doubt of one chunk before it is smoothed: any number, larger is more doubtful."""
        return self.bias + sum(one.weight * one.off(signals.get(one.name)) for one in self.signals)

    def blame(self, signals: Mapping[str, float]) -> str:
        """The signal that says most of it."""
        return max(self.signals, key=lambda one: one.weight * one.off(signals.get(one.name))).name

    def to_json(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self)}


def share(lean: float) -> float:
    """0 to 1"""
    return 1.0 / (1.0 + math.exp(-min(max(lean, -60.0), 60.0)))


def smoothed(before: float | None, lean: float, passed: float, smooth_s: float) -> float:
    """A running mean that forgets over `smooth_s`."""
    if before is None or smooth_s <= 0:
        return lean
    return before + (1.0 - math.exp(-max(passed, 0.0) / smooth_s)) * (lean - before)


def calibration_from_json(told: Any, source: str) -> Calibration:
    try:
        if told["format"] != FORMAT:
            raise AssetError(f"{source} has format {told['format']}; this version reads {FORMAT}.")
        return Calibration(
            signals=tuple(Signal(**one) for one in told["signals"]),
            bias=float(told["bias"]),
            threshold=float(told["threshold"]),
            alarms=float(told["alarms"]),
            smooth_s=float(told["smooth_s"]),
            weights=str(told["weights"]),
            about=dict(told["about"]),
        )
    except ContractError as error:
        raise AssetError(f"{source} is damaged: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise AssetError(f"{source} is not a calibration: {type(error).__name__}: {error}.") from error


def read_calibration(folder: Path, weights: str | None = None) -> Calibration | None:
    """The one beside a checkpoint; None: there is none, and nothing acts on doubts. `weights`: what it has to be of, if
    that is known."""
    path = folder / CALIBRATION
    if not path.exists():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AssetError(f"{path} cannot be read: {error}.") from error
    found = calibration_from_json(told, str(path))
    if weights is not None and found.weights != weights:
        raise AssetError(
            f"{path} is of other weights (sha256 {found.weights[:12]}, not {weights[:12]}); calibrate again with "
            f"`python -m volition.eval.uncertainty {folder}`, or remove it."
        )
    return found


def weights_of(folder: Path) -> str:
    """The hash by which a calibration knows its checkpoint."""
    try:
        with (folder / "model.safetensors").open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AssetError(f"{folder / 'model.safetensors'} cannot be read: {error.strerror}.") from error
