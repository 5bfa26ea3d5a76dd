"""From episodes whose end is known to a Calibration, and to how well it tells failing episodes from others. numpy only.

    Heard (signals by time, success, when it was decided) -> fitted: weights, conformal threshold -> judged: Verdict, curve

Half of the successful episodes, and all that failed, teach the weights; the other half of the successful ones set the
threshold; episodes that are in neither judge it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from volition.errors import ContractError
from volition.eval.intervals import wilson
from volition.safety.calibration import Calibration, Signal, share, smoothed

FEW = 3  # failing episodes: from fewer no weights are learned, all signals count the same
LEAST = 4  # successful episodes that say what is usual
_STEPS, _RATE, _KEEP = 2000, 0.5, 0.02  # of the descent; `_KEEP` pulls weights to 0
_NARROW = 0.05  # the least spread of a logarithm


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One episode. `chunks`: when each was there, s since the beginning, and its signals; none after the decision."""

    success: bool
    ended_s: float  # when success or failure was decided
    chunks: tuple[tuple[float, Mapping[str, float]], ...]
    key: str = ""
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A threshold on episodes that it has not seen."""

    failing: int
    caught: int  # of the failing, before they failed
    successful: int
    alarmed: int  # of the successful
    lead_s: float | None  # median time between alarm and failure of those caught

    @property
    def catches(self) -> tuple[float, float]:
        return wilson(self.caught, self.failing)

    @property
    def alarms(self) -> tuple[float, float]:
        return wilson(self.alarmed, self.successful)

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "catches_95": self.catches, "alarms_95": self.alarms}


def fitted(
    episodes: Sequence[Heard],
    names: Sequence[str],
    *,
    alarms: float = 0.1,
    smooth_s: float = 0.5,
    weights: str = "",
    about: Mapping[str, Any] | None = None,
) -> Calibration:
    """`names`: the signals that count; `alarms`: share of successful episodes that may be taken for failing."""
    if not names:
        raise ContractError("No policy has said anything that doubt could be read from; name at least one signal.")
    good, failed = _with_chunks(episodes, success=True), _with_chunks(episodes, success=False)
    usual, setting = good[::2], good[1::2]
    needed = math.ceil(1 / alarms) - 1
    if len(setting) < needed or len(usual) < LEAST:
        raise ContractError(
            f"{len(good)} of {len(episodes)} calibration episodes succeeded; a threshold for at most {100 * alarms:g} % false "
            f"alarms needs {2 * max(needed, LEAST)}. Calibrate with more episodes (--calibrate), or with a better policy."
        )
    scaled = [_scaled(name, usual) for name in names]
    bias, strengths = (
        _weighed(scaled, [*usual, *failed], smooth_s) if len(failed) >= FEW else (0.0, np.ones(len(names)))
    )
    signals = tuple(
        Signal(name=one.name, middle=one.middle, spread=one.spread, weight=float(strength))
        for one, strength in zip(scaled, strengths, strict=True)
    )
    made = Calibration(
        signals=signals,
        bias=float(bias),
        threshold=1.0,
        alarms=alarms,
        smooth_s=smooth_s,
        weights=weights,
        about=about or {},
    )
    threshold = conformal([top(made, episode) for episode in setting], alarms)
    return Calibration(**{**vars(made), "threshold": threshold})


def conformal(tops: Sequence[float], alarms: float) -> float:
    """A threshold that a new episode like these reaches with a probability of at most `alarms`, over such draws.

    V. Vovk, A. Gammerman and G. Shafer, "Algorithmic Learning in a Random World" (2005): the rank ceil((n + 1)(1 - alarms)).
    """
    rank = math.ceil((len(tops) + 1) * (1 - alarms) - 1e-9)
    if rank > len(tops):
        raise ContractError(f"{len(tops)} episodes are too few for at most {100 * alarms:g} % false alarms.")
    return float(min(1.0, np.nextafter(sorted(tops)[rank - 1], 2.0)))


def course(calibration: Calibration, episode: Heard) -> list[tuple[float, float]]:
    """When the doubt was what, 0 to 1."""
    found: list[tuple[float, float]] = []
    lean, last = None, 0.0
    for time, signals in episode.chunks:
        lean, last = smoothed(lean, calibration.lean(signals), time - last, calibration.smooth_s), time
        found.append((time, share(lean)))
    return found


def top(calibration: Calibration, episode: Heard) -> float:
    """The largest doubt before the episode was decided."""
    return max((value for time, value in course(calibration, episode) if time < episode.ended_s), default=0.0)


def judged(calibration: Calibration, episodes: Sequence[Heard]) -> Verdict:
    """An alarm counts only before the episode was decided."""
    leads: list[float] = []
    caught = alarmed = 0
    for episode in episodes:
        when = next((time for time, doubt in course(calibration, episode) if doubt >= calibration.threshold), math.inf)
        early = when < episode.ended_s
        alarmed += early and episode.success
        if early and not episode.success:
            caught += 1
            leads.append(episode.ended_s - when)
    failing = sum(not episode.success for episode in episodes)
    return Verdict(
        failing=failing,
        caught=caught,
        successful=len(episodes) - failing,
        alarmed=alarmed,
        lead_s=float(np.median(leads)) if leads else None,
    )


def curve(calibration: Calibration, episodes: Sequence[Heard]) -> list[dict[str, float]]:
    """For every threshold: the share of failing episodes caught before they fail, and of false alarms, with 95 %."""
    failing = np.array([top(calibration, one) for one in episodes if not one.success])
    good = np.array([top(calibration, one) for one in episodes if one.success])
    points: list[dict[str, float]] = []
    for threshold in [1.0, *sorted({*failing.tolist(), *good.tolist()}, reverse=True)]:
        caught, alarmed = int((failing >= threshold).sum()), int((good >= threshold).sum())
        low, high = wilson(caught, len(failing))
        least, most = wilson(alarmed, len(good))
        points.append(
            {
                "threshold": threshold,
                "caught": caught / max(len(failing), 1),
                "caught_low": low,
                "caught_high": high,
                "alarms": alarmed / max(len(good), 1),
                "alarms_low": least,
                "alarms_high": most,
            }
        )
    return points


def names_in(episodes: Sequence[Heard]) -> list[str]:
    """The signals that any chunk has, in the order in which they come up."""
    return list(dict.fromkeys(name for one in episodes for _, signals in one.chunks for name in signals))


def _with_chunks(episodes: Sequence[Heard], *, success: bool) -> list[Heard]:
    return [one for one in episodes if one.success == success and one.chunks]


def _scaled(name: str, usual: Sequence[Heard]) -> Signal:
    """Middle and spread of what is usual; quartiles, since some signals are 0 most of the time."""
    values = [signals[name] for one in usual for _, signals in one.chunks if name in signals]
    logs = np.log(np.maximum([value for value in values if math.isfinite(value)] or [1.0], 0.0) + 1e-6)
    low, middle, high = np.percentile(logs, (25, 50, 75))
    return Signal(name=name, middle=float(middle), spread=max(float(high - low) / 1.35, _NARROW), weight=1.0)


def _weighed(scaled: Sequence[Signal], episodes: Sequence[Heard], smooth_s: float) -> tuple[float, np.ndarray]:
    """Logistic regression of "this episode fails" on the smoothed signals; weights of at least 0. Each episode counts the
    same however long it is, and failures as much as successes."""
    rows: list[np.ndarray] = []
    labels: list[float] = []
    counts: list[float] = []
    classes = [sum(not one.success for one in episodes), sum(one.success for one in episodes)]
    for episode in episodes:
        far: np.ndarray | None = None
        last = 0.0
        share_of = 1.0 / (2 * classes[episode.success] * len(episode.chunks))
        for time, signals in episode.chunks:
            off = np.array([one.off(signals.get(one.name)) for one in scaled])
            part = 1.0 if far is None or smooth_s <= 0 else 1.0 - math.exp(-max(time - last, 0.0) / smooth_s)
            far = off if far is None else far + part * (off - far)
            last = time
            rows.append(far)
            labels.append(float(not episode.success))
            counts.append(share_of)
    matrix, wanted, weight = np.array(rows), np.array(labels), np.array(counts)
    bias, strengths = 0.0, np.zeros(len(scaled))
    for _ in range(_STEPS):
        error = weight * (1.0 / (1.0 + np.exp(-np.clip(matrix @ strengths + bias, -60, 60))) - wanted)
        strengths = np.maximum(strengths - _RATE * (matrix.T @ error + _KEEP * strengths), 0.0)
        bias -= _RATE * float(error.sum())
    return bias, strengths if strengths.any() else np.ones(len(scaled))
