"""The numbers of an episode in groups that make sense in one plot: joints of an arm, places of a hand, one unit each.

EpisodeData + Statistics -> groups -> Group(title, unit, lines) -> show_plots.py, show_rerun.py
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from volition.data.episode import EpisodeData
from volition.data.feature import Feature
from volition.data.statistics import Statistics

MOST = 8  # lines in a plot of numbers whose names say nothing
FIELD = 64  # numbers
_PARTS = {
    "hand": "hand",
    "shoulder": "arm",
    "elbow": "arm",
    "wrist": "arm",
    "hip": "leg",
    "knee": "leg",
    "ankle": "leg",
}
_JOINT = re.compile(r"(?:(left|right)_)?([a-z]+)_.*joint")
# Volition's names, "left.rx" or "base.forward": what the number is, and its unit.
_DIMENSIONS = {
    **dict.fromkeys(("x", "y", "z"), ("position", "m")),
    **dict.fromkeys(("rx", "ry", "rz"), ("rotation vector", "rad")),
    **dict.fromkeys(("grasp", "closed"), ("grasp", "0 open, 1 closed")),
    **dict.fromkeys(("forward", "left"), ("velocity", "m/s")),
    "turn": ("turn", "rad/s"),
    **dict.fromkeys(("roll", "pitch"), ("lean", "rad")),
    "height": ("height", "m"),
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One number over time. `band` is q01 and q99 of the whole data set."""

    name: str
    values: np.ndarray  # (T,)
    band: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Group:
    feature: str
    title: str
    unit: str
    lines: tuple[Line, ...]


def groups(episode: EpisodeData, statistics: Statistics) -> list[Group]:
    """Actions first, then states, then what else are numbers; in the order of their names."""
    order = {"action": 0, "state": 1, "scalar": 2}
    features = [feature for feature in episode.features if feature.kind in order and not _is_field(feature)]
    found: list[Group] = []
    for feature in sorted(features, key=lambda feature: order[feature.kind]):
        values = np.asarray(episode.arrays[feature.name], dtype=np.float64).reshape(len(episode), -1)
        found += _of_feature(feature, values, statistics)
    return found


def _is_field(feature: Feature) -> bool:
    """So many numbers beside state and action are a picture of some sort, which lines do not show."""
    return feature.kind == "scalar" and int(np.prod(feature.shape)) > FIELD


def _of_feature(feature: Feature, values: np.ndarray, statistics: Statistics) -> list[Group]:
    known, last = statistics.get(feature.name, {}), feature.shape[-1]
    names = feature.names or tuple(map(str, range(last)))
    made: dict[tuple[str, str], list[Line]] = {}
    for column in range(values.shape[1]):
        name = names[column % last]  # of several axes the last is named, and has statistics
        band = None
        if "q01" in known and "q99" in known:
            band = (float(known["q01"].ravel()[column % last]), float(known["q99"].ravel()[column % last]))
        title, unit, short = _place(name, column, feature)
        if values.shape[1] > last:
            short = f"{short} [{column // last}]"
        made.setdefault((title, unit), []).append(Line(name=short, values=values[:, column], band=band))
    return [
        Group(feature=feature.name, title=title, unit=unit, lines=tuple(lines)) for (title, unit), lines in made.items()
    ]


def _place(name: str, column: int, feature: Feature) -> tuple[str, str, str]:
    """Title and unit of the group a number belongs to, and its name there."""
    owner, _, part = name.partition(".")
    if part in _DIMENSIONS:
        what, unit = _DIMENSIONS[part]
        return f"{owner} {what}", unit, part
    joint = _JOINT.fullmatch(name)
    if joint:
        side, part = joint.groups()
        title = f"{side or ''} {_PARTS.get(part, part)} joints".strip()
        return title, feature.unit or "rad", name.removeprefix(f"{side}_").removesuffix("_joint")
    width = int(np.prod(feature.shape))
    if width <= MOST:
        return "", feature.unit, name
    first = column // MOST * MOST
    return f"{first} to {min(first + MOST, width) - 1}", feature.unit, name


def titled(group: Group) -> str:
    return f"{group.feature}: {group.title}" if group.title else group.feature


def sampled(count: int, most: int) -> Sequence[int]:
    """At most so many of `count` frames, evenly, with the first and the last."""
    return [round(place) for place in np.linspace(0, count - 1, min(most, count))]
