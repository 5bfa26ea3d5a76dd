"""Whose data these are: the robot, its actions and pictures, as far as a data set tells. Ours is known in full.

    Datasets, cameras, action --taught_on--> Taught: a description, an ActionSpec, the size of the pictures

Any LeRobot data set can be learned from. A policy taught on another robot's data runs on no robot of ours: its
description says whose it is, and `robots/description.py` refuses it. A data set may bring the description of its robot
with it: then its policies know the true bounds of their actions, and run on that robot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from volition.data.atomic import read_json
from volition.data.errors import DataError
from volition.data.feature import ACTION, IMAGES, STATE, Feature
from volition.data.store import Dataset
from volition.robots.description import action_from, describe
from volition.robots.g1 import g1
from volition.types import ActionDimension, ActionSpec

RECORDED = "recorded"  # the action space of data that do not name theirs
DESCRIPTION = "meta/volition_robot.json"  # of a robot that is not ours, where a data set brings one
ROOM = 0.1  # of its range: how far beyond what was recorded an action may go


@dataclass(frozen=True, kw_only=True)
class Taught:
    name: str  # of the robot
    description: Mapping[str, Any]
    spec: ActionSpec
    picture: tuple[int, int]
    ours: bool


def names_of(feature: Feature) -> tuple[str, ...]:
    """Of a vector's numbers: the recorded ones, else counted."""
    if len(feature.shape) != 1:
        raise DataError(f"{feature.name} has shape {feature.shape}; states and actions are rows of numbers.")
    return feature.names or tuple(f"{feature.name}.{place}" for place in range(feature.shape[0]))


def main_action(dataset: Dataset) -> str:
    """The name of the action space in the column `action`."""
    return dataset.metadata.action_spec or RECORDED


def taught_on(datasets: Sequence[Dataset], cameras: Sequence[str], action: str) -> Taught:
    """Refuses data sets of several robots, several sizes of pictures, or several rates."""
    names = sorted({one.metadata.robot for one in datasets})
    if len(names) > 1:
        raise DataError(
            f"The data sets are of {', '.join(name or 'no robot' for name in names)}; train on one robot's."
        )
    sizes = sorted({one.feature(IMAGES + camera).shape[:2] for one in datasets for camera in cameras})
    if len(sizes) > 1:
        shown = ", ".join(f"{height} x {width}" for height, width in sizes)
        raise DataError(f"The pictures are {shown}; those of all cameras and data sets must be of one size.")
    rates = sorted({one.fps for one in datasets})
    if len(rates) > 1:
        raise DataError(
            f"The data sets have {', '.join(f'{rate:g}' for rate in rates)} frames a second; resample them."
        )
    (height, width), robot = sizes[0], g1(sizes[0][0])
    if names[0] != robot.name:
        brought = [_brought(one) for one in datasets]
        if brought[0] is None:
            return _other(datasets, cameras, action, (height, width))
        if any(one != brought[0] for one in brought[1:]):
            raise DataError(f"The data sets bring different descriptions of {names[0]}; train on alike ones.")
        spec = action_from(brought[0], action)
        return Taught(name=names[0], description=brought[0], spec=spec, picture=(height, width), ours=False)
    if height != width:
        raise DataError(f"The pictures are {height} x {width}; those of {robot.name} are squares.")
    if rates[0] != robot.policy_rate_hz:
        raise DataError(
            f"{datasets[0].folder} has {rates[0]:g} frames a second; policies of {robot.name} decide "
            f"{robot.policy_rate_hz:g} times a second, so resample it."
        )
    for one in datasets:
        if one.feature(STATE).names is None:
            raise DataError(f"{one.folder}: {STATE} has no names; record them, since joints are matched by name.")
    return Taught(
        name=robot.name, description=describe(robot), spec=robot.action(action), picture=(height, width), ours=True
    )


def _brought(dataset: Dataset) -> dict[str, Any] | None:
    """The description beside the data, if there is one."""
    path = dataset.folder / DESCRIPTION
    return read_json(path) if path.exists() else None


def _other(datasets: Sequence[Dataset], cameras: Sequence[str], action: str, picture: tuple[int, int]) -> Taught:
    """A robot that nobody described: its action space is what was recorded, within what was recorded and a little more."""
    first = datasets[0]
    column = ACTION if action == main_action(first) else f"{ACTION}.{action}"
    feature = first.feature(column)
    found = [one.statistics[column] for one in datasets]
    low, high = (
        getattr(np, end)([np.asarray(one[end], dtype=np.float64).ravel() for one in found], axis=0)
        for end in ("min", "max")
    )
    room = np.maximum(ROOM * (high - low), 1e-6)
    dimensions = tuple(
        ActionDimension(name=name, unit=feature.unit, meaning="absolute", low=float(least), high=float(most))
        for name, least, most in zip(names_of(feature), low - room, high + room, strict=True)
    )
    spec = ActionSpec(name=action, dimensions=dimensions)
    name = first.metadata.robot or "unknown"
    height, width = picture
    description = {
        "name": name,
        "joints": [],
        "cameras": [{"name": camera, "height": height, "width": width} for camera in cameras],
        "actions": [asdict(spec)],
        "policy_rate_hz": first.fps,
    }
    return Taught(name=name, description=description, spec=spec, picture=picture, ours=False)
