"""Doubt that acts: when a policy is unsure, the robot is slowed, holds, or asks a person. Off without a calibration.

    admitted chunk -> Signs.of + ActionChunk.doubt -> Calibration -> Doubt: sure | slow | hold | ask -> Loop, Guard

It begins when the doubt reaches the calibrated threshold, and ends only when it has stayed clearly below for a while.
After a hold, or a person's yes, the robot goes on slowly until then, and does not hold or ask again before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from volition.errors import ContractError
from volition.runtime.trajectory import Kinds, Trajectory
from volition.safety import reasons
from volition.safety.calibration import CALIBRATION, Calibration, read_calibration, share, smoothed, weights_of
from volition.transforms import rotation
from volition.types import ActionChunk, ActionSpec, Intervention

Response = Literal["watch", "slow", "hold", "ask"]
State = Literal["sure", "watched", "slow", "hold", "ask"]


@dataclass(frozen=True, kw_only=True)
class DoubtConfig:
    """What is done when the policy is unsure. `watch`: it is written down, and nothing else."""

    response: Response = "slow"
    slow_to: float = 0.25  # share of the speed limits of arms, hands and base that is left
    release: float = 0.8  # of the threshold: the doubt must fall below this ...
    calm_s: float = 0.5  # ... and stay there so long
    hold_s: float = 2.0  # how long a hold lasts

    def __post_init__(self) -> None:
        if self.response not in get_args(Response):
            raise ContractError(
                f"DoubtConfig.response is {self.response!r}; it must be one of {', '.join(get_args(Response))}."
            )
        for name, low, high in (
            ("slow_to", 0.05, 1.0),
            ("release", 0.0, 1.0),
            ("calm_s", 0.0, 60.0),
            ("hold_s", 0.1, 60.0),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ContractError(f"DoubtConfig.{name} is {value}; it must be {low:g} to {high:g}.")


class Signs:
    """What can be seen of any policy from outside, a remote one too.

    change   how much the new chunk differs from the one before about the same moments, in shares of each number's range
    time     s since the instruction was given
    """

    def __init__(self, spec: ActionSpec) -> None:
        self._kinds, self._range = Kinds(spec), spec.high - spec.low
        self.reset()

    def reset(self) -> None:
        self._last: Trajectory | None = None
        self._begin: float | None = None

    def of(self, chunk: ActionChunk) -> dict[str, float]:
        """Of the chunks in their order."""
        if self._begin is None:
            self._begin = chunk.stamp
        times = chunk.stamp + chunk.dt * np.arange(1, len(chunk.values) + 1)
        found = {"time": chunk.stamp - self._begin}
        if self._last is not None and times[0] <= self._last.end + 1e-9:
            both = times[times <= self._last.end + 1e-9]
            differences = [self._off(values, time) for values, time in zip(chunk.values, both, strict=False)]
            found["change"] = float(np.sqrt(np.mean(np.square(differences))))
        self._last = Trajectory(self._kinds, times, chunk.values, moving=True)
        return found

    def _off(self, values: np.ndarray, time: float) -> np.ndarray:
        assert self._last is not None
        kinds, (before, turned) = self._kinds, self._last.value(time)
        off = (values - before) / self._range
        off[kinds.discrete] = values[kinds.discrete] != before[kinds.discrete]
        if len(kinds.rotations):
            turns = rotation.between(turned, rotation.from_rotvec(values[kinds.rotations]))
            off[kinds.rotations] = turns / (2 * math.pi)
        return off


def doubt_for(calibration: Calibration | None, spec: ActionSpec, response: Response | None, name: str) -> Doubt | None:
    """As somebody asked for it. `response` None: what is usual where the policy is calibrated, else nothing acts. `name`:
    the policy's, for the person who chose."""
    if calibration is None and response is not None:
        raise ContractError(
            f"{name} is not calibrated: nobody knows what its doubt means, so it cannot {response}. Calibrate the checkpoint "
            "or exported folder with `python -m volition.eval.uncertainty FOLDER`, or leave --doubt out."
        )
    return None if calibration is None else Doubt(calibration, spec, DoubtConfig(response=response or "slow"))


def doubt_beside(folder: Path, spec: ActionSpec, config: DoubtConfig | None = None) -> Doubt | None:
    """As calibrated for the checkpoint in this folder; None: it is not calibrated, and nothing acts."""
    if not (folder / CALIBRATION).exists():
        return None
    found = read_calibration(folder, weights_of(folder))
    return None if found is None else Doubt(found, spec, config)


class Doubt:
    """Of one policy; `begin` at the start of each run, `hear` its chunks, `look` once a tick."""

    def __init__(self, calibration: Calibration, spec: ActionSpec, config: DoubtConfig | None = None) -> None:
        self.calibration, self.config = calibration, config or DoubtConfig()
        self._signs = Signs(spec)
        self.begin()

    def begin(self) -> None:
        self._signs.reset()
        self._lean: float | None = None
        self._heard = 0.0
        self._signals: Mapping[str, float] = {}
        self._state: State = "sure"
        self._since = 0.0  # in this state
        self._calm: float | None = None  # since when it has been below the release
        self._told: list[tuple[str, float, str]] = []

    @property
    def score(self) -> float:
        """0 to 1: how likely such moments are to be of an episode that fails."""
        return 0.0 if self._lean is None else share(self._lean)

    @property
    def state(self) -> State:
        return self._state

    @property
    def holds(self) -> bool:
        return self._state == "hold"

    @property
    def caution(self) -> float:
        """Share of the speed limits that is left."""
        return 1.0 if self._state in ("sure", "watched") else self.config.slow_to

    @property
    def question(self) -> str:
        """For the person who is asked."""
        return f"go on, though the policy is unsure ({self._why()})"

    def hear(self, chunk: ActionChunk, now: float) -> None:
        self._signals = {**self._signs.of(chunk), **chunk.doubt}
        lean = self.calibration.lean(self._signals)
        self._lean = smoothed(self._lean, lean, now - self._heard, self.calibration.smooth_s)
        self._heard = now

    def look(self, now: float) -> State:
        """What is to be done from this tick on."""
        limit = self.calibration.threshold
        if self._state == "sure":
            if self.score >= limit:
                self._become(self.config.response if self.config.response != "watch" else "watched", now)
                self._told.append((reasons.DOUBT, now, f"{self.config.response}: {self._why()}"))
        elif self._state == "hold" and now - self._since >= self.config.hold_s:
            self._become("slow", now)
        elif self._state in ("slow", "watched"):
            self._calm = (self._calm or now) if self.score < self.config.release * limit else None
            if self._calm is not None and now - self._calm >= self.config.calm_s:
                self._become("sure", now)
                self._told.append((reasons.CALM, now, "the policy is sure again"))
        return self._state

    def answered(self, now: float) -> None:
        """The person said yes: go on, slowly at first."""
        if self._state == "ask":
            self._become("slow", now)

    def events(self) -> list[Intervention]:
        """What has happened since the last call, for the log."""
        limit = self.calibration.threshold
        found = [
            Intervention(stamp=now, reason=reason, where="policy", before=self.score, after=limit, detail=detail)
            for reason, now, detail in self._told
        ]
        self._told.clear()
        return found

    def _become(self, state: State, now: float) -> None:
        self._state, self._since, self._calm = state, now, None

    def _why(self) -> str:
        return f"doubt {self.score:.2f}, mostly {self.calibration.blame(self._signals)}"
