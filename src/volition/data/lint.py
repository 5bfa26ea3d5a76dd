"""`volition data check`: everything that is wrong with a data set and would spoil training, by episode and frame.

    Dataset -> lint -> Finding, Finding, ...

Two passes over the numbers (what is normal, then what is not) and one over the pictures, an episode at a time. What
is found in an episode's file keeps it out of the later checks, so that one fault is one finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from volition.data import layout
from volition.data.errors import DataError
from volition.data.feature import IMAGES, STATE, Feature
from volition.data.lint_finding import Finding
from volition.data.lint_numbers import (
    Steps,
    check_finite,
    check_jumps,
    check_limits,
    check_texts,
    check_times,
    moving,
    name_of,
)
from volition.data.lint_pictures import check_pictures
from volition.data.statistics import Moments, Statistics, check_statistics, constant_dimensions
from volition.data.store import Dataset
from volition.robots.g1 import g1
from volition.specs import RobotSpec

ROBOTS: dict[str, Callable[[], RobotSpec]] = {"unitree_g1": g1}  # whose joints' limits are known
SIDES = ("left", "right")
_NAMED = 12  # numbers that one finding lists
CLOSE = 1e-3  # of the spread: how near saved statistics must be

Report = Callable[[str, int, int], None]  # what is being done, how many episodes are done, of how many


@dataclass
class _Known:
    """What the first pass learns."""

    steps: Steps
    moments: dict[str, Moments]
    whole: list[int] = field(default_factory=list)  # episodes whose numbers are readable and finite
    timely: set[int] = field(default_factory=set)  # of them, those whose pictures can be found by their times


def lint(dataset: Dataset, *, pictures: bool = True, report: Report = lambda what, done, total: None) -> list[Finding]:
    """All findings, by episode, those about all episodes first. `pictures`: decode them too, which takes longest."""
    found = [Finding(kind="note", where="meta", what=note.rstrip(".")) for note in dataset.notes]
    numeric = [feature for feature in dataset.features if feature.kind not in ("image", "text")]
    known = _Known(Steps(dataset.features, dataset.episodes), {f.name: Moments(f.shape) for f in numeric})
    for episode in range(dataset.episodes):
        found += _first_pass(dataset, episode, numeric, known)
        report("Reading numbers", episode + 1, dataset.episodes)
    if known.whole:
        found += _check_whole(dataset, numeric, known)
    found += [one for at in known.whole for one in check_jumps(at, dataset.numbers(at), known.steps)]
    limits = limits_of(dataset.metadata.robot)
    for done, episode in enumerate(known.whole):
        arrays = dataset.numbers(episode)
        found += check_limits(episode, arrays, dataset.features, limits)
        if episode in known.timely:
            found += _check_pictures(dataset, episode, arrays, known.steps) if pictures else ()
            found += _check_hash(dataset, episode, found)
        report("Looking at pictures" if pictures else "Comparing", done + 1, len(known.whole))
    return sorted(found, key=lambda one: (-1 if one.episode is None else one.episode, one.frame or 0))


def limits_of(robot: str) -> Mapping[str, tuple[float, float]]:
    """Joint -> lowest and highest rad; infinite where the robot rests at the limit, as an open hand does."""
    make = ROBOTS.get(robot)
    if make is None:
        return {}
    spec = make()
    limits = {}
    for joint in spec.joints:
        (low, high), home = joint.position, spec.home[joint.name]
        near = 0.01 * (high - low)
        limits[joint.name] = (-np.inf if home - low < near else low, np.inf if high - home < near else high)
    return limits


def _first_pass(dataset: Dataset, episode: int, numeric: list[Feature], known: _Known) -> Iterator[Finding]:
    try:
        arrays = dataset.numbers(episode, reserved=True)
        tasks, which = dataset.tasks_of(episode, arrays)
    except DataError as error:
        where = dataset.record(episode).data
        yield Finding(kind="unreadable", episode=episode, where=where, what=str(error).rstrip("."))
        return
    yield from check_texts(episode, tasks, which)
    late = list(check_times(episode, arrays, dataset.fps))
    broken = list(check_finite(episode, arrays, numeric))
    yield from (*late, *broken)
    if broken:
        return
    known.whole.append(episode)
    if not any(one.kind != "irregular" for one in late):
        known.timely.add(episode)
    known.steps.add(episode, arrays)
    for name, moments in known.moments.items():
        moments.add(arrays[name])


def _check_whole(dataset: Dataset, numeric: list[Feature], known: _Known) -> Iterator[Finding]:
    computed: Statistics = {name: moments.result() for name, moments in known.moments.items()}
    for feature in moving(dataset.features):
        still = constant_dimensions(computed, feature)
        if still:
            listed = ", ".join(still[:_NAMED]) + (f" and {len(still) - _NAMED} more" if len(still) > _NAMED else "")
            yield Finding(kind="constant", where=feature.name, what=f"{listed}: spread under 0.0001")
    try:
        saved = dataset.statistics
        cameras = [feature for feature in dataset.features if feature.kind == "image"]
        check_statistics(saved, [*numeric, *(camera for camera in cameras if camera.name in saved)])
    except DataError as error:
        yield Finding(kind="statistics", where=layout.STATS, what=str(error).rstrip("."))
        return
    for camera in cameras:
        if camera.name not in saved:  # as in most data sets of v2.0: pictures are then scaled by fixed numbers
            yield Finding(kind="note", where=layout.STATS, what=f"no statistics of the pictures of {camera.name}")
    if len(known.whole) < dataset.episodes:
        return  # those of the readable episodes alone would differ with good reason
    for feature in numeric:
        problem = _difference(saved[feature.name], computed[feature.name], feature)
        if problem:
            yield Finding(kind="statistics", where=f"{layout.STATS}, {feature.name}", what=problem)


def _difference(saved: Mapping[str, np.ndarray], computed: Mapping[str, np.ndarray], feature: Feature) -> str:
    slack = CLOSE * computed["std"] + 1e-5 * (1 + np.abs(computed["mean"]))
    for key in ("mean", "std", "min", "max"):
        far = np.flatnonzero(np.abs(saved[key] - computed[key]) > slack)
        if far.size:
            at = int(far[0])
            name = feature.names[at] if feature.names else str(at)
            return f"{key} of {name} is {saved[key][at]:.5g}; the data's is {computed[key][at]:.5g}"
    return ""


def _check_pictures(dataset: Dataset, episode: int, arrays: Mapping[str, np.ndarray], steps: Steps) -> list[Finding]:
    features = [f for f in steps.features if f.kind == "state"] or steps.features
    features = [f for f in features if f.name == STATE] or features
    shares = [arrays[f.name].reshape(len(arrays[f.name]), -1) / np.maximum(steps.span(f), 1e-3) for f in features]
    travel = np.concatenate(shares, axis=1) if shares else None
    names = [
        name_of(feature, column)
        for feature, one in zip(features, shares, strict=True)
        for column in range(one.shape[1])
    ]
    found: list[Finding] = []
    for camera in (feature.name for feature in dataset.features if feature.kind == "image"):
        elsewhere = _other_side(camera)
        its = [
            column for column, name in enumerate(names) if not elsewhere or not name.split()[-1].startswith(elsewhere)
        ]
        found += check_pictures(dataset, episode, camera, None if travel is None else travel[:, its])
    return found


def _other_side(camera: str) -> str:
    """A camera on the left wrist need not see what the right arm does."""
    own = camera.removeprefix(IMAGES)
    return next((other for side, other in (SIDES, SIDES[::-1]) if own.startswith(side)), "")


def _check_hash(dataset: Dataset, episode: int, found: list[Finding]) -> Iterator[Finding]:
    """Whether the episode is what was recorded; not asked where a file is known to be broken."""
    record = dataset.record(episode)
    if not record.sha256 or any(one.episode == episode and one.kind == "unreadable" for one in found):
        return
    try:
        same = dataset.episode_hash(episode) == record.sha256
    except DataError as error:
        yield Finding(kind="unreadable", episode=episode, where=record.data, what=str(error).rstrip("."))
        return
    if not same:
        yield Finding(kind="changed", episode=episode, where=record.data, what="its hash is not the recorded one")
