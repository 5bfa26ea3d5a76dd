"""Faults in an episode's numbers: times, NaN, jumps, joints that lie at their limits, instructions.

Each function looks at one episode and yields findings; what is normal for the whole data set comes in as `Steps`.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from volition.data.feature import Feature
from volition.data.lint_finding import Finding

GAP = 1.5  # frames: a longer step is a hole
IRREGULAR = 0.1  # frames: further than this from its time
LIMIT_SHARE = 0.2  # of an episode's frames at a limit
LIMIT_NEAR = 0.002  # of the joint's range
JUMP_FACTOR = 6.0  # times the step that 95 % of the steps stay under
JUMP_SHARE = 0.25  # of the range of the number in the whole data set
JUMP_BEYOND, MOST = 2.0, 0.98  # times the largest step that so many of the episodes have
_SAMPLED = 100  # episodes that say how large steps are, spread over the data set
_SAMPLED_FRAMES = 500  # of each of them
_LONGEST = 500  # characters, as the command line allows
_BROKEN = ("Ã", "â€", "Â", "�")  # UTF-8 read as something else; what could not be decoded

Arrays = Mapping[str, np.ndarray]


def moving(features: Sequence[Feature]) -> list[Feature]:
    """States and actions: the numbers that are learnt from and learnt."""
    return [f for f in features if f.kind in ("state", "action") and f.dtype.startswith("float")]


def name_of(feature: Feature, column: int) -> str:
    """`observation.state left_elbow` of a column of (T, prod(shape))."""
    if feature.names is not None and len(feature.shape) == 1:
        return f"{feature.name} {feature.names[column]}"
    return f"{feature.name} {column}"


def check_times(episode: int, arrays: Arrays, fps: float) -> Iterator[Finding]:
    order = arrays["frame_index"].ravel()
    wrong = np.flatnonzero(order != np.arange(len(order)))
    if wrong.size:
        at = int(wrong[0])
        what = f"frame_index is {order[at]} where {at} belongs"
        yield Finding(kind="backwards", episode=episode, frame=at, where="frame_index", what=what)
    if "timestamp" not in arrays:
        return
    stamps = arrays["timestamp"].ravel()
    if not np.isfinite(stamps).all():
        at = int(np.flatnonzero(~np.isfinite(stamps))[0])
        yield Finding(kind="not finite", episode=episode, frame=at, where="timestamp", what=f"it is {stamps[at]}")
        return
    steps = np.diff(stamps) * fps
    back, gaps = np.flatnonzero(steps <= 0), np.flatnonzero(steps > GAP)
    for at in back[:1]:
        what = f"time goes from {stamps[at]:.3f} s to {stamps[at + 1]:.3f} s" + _more(back)
        yield Finding(kind="backwards", episode=episode, frame=int(at) + 1, where="timestamp", what=what)
    for at in gaps[:1]:
        what = f"{stamps[at + 1] - stamps[at]:.3f} s after the frame before; {1 / fps:.3f} s is one frame" + _more(gaps)
        yield Finding(kind="gap", episode=episode, frame=int(at) + 1, where="timestamp", what=what)
    if not back.size and not gaps.size:
        off = np.abs((stamps - stamps[0]) * fps - np.arange(len(stamps)))
        at = int(off.argmax())
        if off[at] > IRREGULAR:
            what = f"{off[at]:.2f} frames off its time at {fps:g} frames a second"
            yield Finding(kind="irregular", episode=episode, frame=at, where="timestamp", what=what)


def check_finite(episode: int, arrays: Arrays, features: Sequence[Feature]) -> Iterator[Finding]:
    for feature in features:
        values = arrays.get(feature.name)
        if values is None or values.dtype.kind != "f" or np.isfinite(values).all():
            continue
        flat = values.reshape(len(values), -1)
        frame, column = np.argwhere(~np.isfinite(flat))[0].tolist()
        where = name_of(feature, column)
        yield Finding(kind="not finite", episode=episode, frame=frame, where=where, what=f"it is {flat[frame, column]}")


class Steps:
    """How far each number of states and actions moves in a frame, and its range, over the whole data set."""

    def __init__(self, features: Sequence[Feature], episodes: int) -> None:
        self.features = moving(features)
        self._every = max(1, -(-episodes // _SAMPLED))
        self._steps: dict[str, list[np.ndarray]] = {feature.name: [] for feature in self.features}
        self._low: dict[str, np.ndarray] = {}
        self._high: dict[str, np.ndarray] = {}
        self._usual: dict[str, np.ndarray] = {}
        self._largest: dict[str, list[np.ndarray]] = {feature.name: [] for feature in self.features}

    def add(self, episode: int, arrays: Arrays) -> None:
        for feature in self.features:
            flat = arrays[feature.name].reshape(len(arrays[feature.name]), -1).astype(np.float64)
            low, high = flat.min(axis=0), flat.max(axis=0)
            if feature.name in self._low:
                low = np.minimum(low, self._low[feature.name])
                high = np.maximum(high, self._high[feature.name])
            self._low[feature.name], self._high[feature.name] = low, high
            steps = np.abs(np.diff(flat, axis=0))
            self._largest[feature.name].append(steps.max(axis=0, initial=0.0))
            if episode % self._every == 0:
                steps = steps[:_SAMPLED_FRAMES]
                self._steps[feature.name].append(np.where(steps > 0, steps, np.nan).astype(np.float32))

    def span(self, feature: Feature) -> np.ndarray:
        """(D,), largest minus smallest."""
        return self._high[feature.name] - self._low[feature.name]

    def largest(self, feature: Feature) -> np.ndarray:
        """(D,), what the largest step of an episode is in 98 % of them: where a number switches now and then, the switch."""
        return np.quantile(np.stack(self._largest[feature.name]), MOST, axis=0, method="lower")

    def usual(self, feature: Feature) -> np.ndarray:
        """(D,), what 95 % of the steps that are steps at all stay under; infinite where there are none."""
        known = self._usual.get(feature.name)
        if known is None:
            nothing = np.empty((0, len(self._low[feature.name])), dtype=np.float32)
            steps = np.concatenate([nothing, *self._steps[feature.name]])
            known = np.full(steps.shape[1], np.inf)
            some = ~np.isnan(steps).all(axis=0) if len(steps) else np.zeros(steps.shape[1], dtype=bool)
            if some.any():
                known[some] = np.nanquantile(steps[:, some], 0.95, axis=0)
            self._usual[feature.name] = known
        return known


def check_jumps(episode: int, arrays: Arrays, steps: Steps) -> Iterator[Finding]:
    """The largest jump of each number, if it is far beyond how this number moves elsewhere.

    All bounds are needed: a number that hardly moves has tiny usual steps, and one that is mostly still has large
    ones that are normal, such as a gripper that opens once an episode.
    """
    for feature in steps.features:
        flat = arrays[feature.name].reshape(len(arrays[feature.name]), -1).astype(np.float64)
        if len(flat) < 2:
            continue
        moved = np.abs(np.diff(flat, axis=0))
        largest = moved.max(axis=0)
        usual = steps.usual(feature)
        bound = np.max(
            [JUMP_FACTOR * usual, JUMP_SHARE * steps.span(feature), JUMP_BEYOND * steps.largest(feature)], axis=0
        )
        for column in np.flatnonzero(largest > bound).tolist():
            at = int(moved[:, column].argmax())
            what = (
                f"from {flat[at, column]:.3g} to {flat[at + 1, column]:.3g} in one frame; "
                f"steps are usually under {usual[column]:.2g}"
            )
            yield Finding(kind="jump", episode=episode, frame=at + 1, where=name_of(feature, column), what=what)


def check_limits(
    episode: int, arrays: Arrays, features: Sequence[Feature], limits: Mapping[str, tuple[float, float]]
) -> Iterator[Finding]:
    """Joints, matched by name, that spend much of an episode at one of their limits."""
    for feature in moving(features):
        values = arrays[feature.name]
        if feature.names is None or values.ndim != 2:
            continue
        for column, name in enumerate(feature.names):
            if name not in limits:
                continue
            low, high = limits[name]
            near = LIMIT_NEAR * (high - low) if np.isfinite(high - low) else 1e-3
            for side, at in (("lower", values[:, column] <= low + near), ("upper", values[:, column] >= high - near)):
                if at.mean() > LIMIT_SHARE and at.sum() > 2:
                    bound = low if side == "lower" else high
                    what = f"{at.mean():.0%} of the frames at the {side} limit of {bound:.3g} rad"
                    frame = int(np.flatnonzero(at)[0])
                    yield Finding(kind="limit", episode=episode, frame=frame, where=name_of(feature, column), what=what)


def check_texts(episode: int, tasks: Sequence[str], which: np.ndarray) -> Iterator[Finding]:
    if not tasks:
        yield Finding(kind="text", episode=episode, frame=0, where="task", what="there is no instruction")
    for place, task in enumerate(tasks):
        problem = text_problem(task)
        if problem:
            frame = int(np.flatnonzero(which == place)[0])
            yield Finding(kind="text", episode=episode, frame=frame, where="task", what=f"{task[:60]!r} {problem}")


def text_problem(text: str) -> str:
    """What makes an instruction unreadable; empty if nothing does."""
    if not text.strip():
        return "is empty"
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Co", "Cn") for letter in text.strip()):
        return "has characters that cannot be shown"
    if any(sign in text for sign in _BROKEN) and (_garbled(text) or "�" in text):
        return "is garbled: UTF-8 that was read as something else"
    if not any(letter.isalpha() for letter in text):
        return "has no word in it"
    return f"has {len(text)} characters; {_LONGEST} are allowed" if len(text) > _LONGEST else ""


def _garbled(text: str) -> bool:
    for encoding in ("cp1252", "latin-1"):
        try:
            return text.encode(encoding).decode("utf-8") != text
        except UnicodeError:
            continue
    return False


def _more(found: np.ndarray) -> str:
    return f", and {len(found) - 1} more" if len(found) > 1 else ""
