"""What is around the robot, as simple shapes, and who keeps it up to date.

perception (or a simulated scene) --Surroundings.update(Obstacles)--> Guard --every tick--> Shield
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from volition.errors import ContractError

Vector = tuple[float, float, float]
_ENDLESS = 50.0  # m: half the size of the box that stands for a half-space


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """A box with rounded edges, which is a ball when it has no size and a capsule when it has one; use the makers below."""

    name: str
    centre: Vector  # m
    quaternion: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)  # wxyz
    half: Vector = (0.0, 0.0, 0.0)  # m, half the box's sizes along its own axes
    radius: float = 0.0  # m, around the box
    kind: Literal["thing", "person"] = "thing"
    velocity: Vector = (0.0, 0.0, 0.0)  # m/s
    margin: float | None = None  # m; None: the shield's own. Below 0: hands may touch it that deep

    def __post_init__(self) -> None:
        numbers = (*self.centre, *self.quaternion, *self.half, self.radius, *self.velocity, self.margin or 0.0)
        if not all(math.isfinite(number) for number in numbers):
            raise ContractError(f"Obstacle {self.name!r} has a number that is not finite.")
        if min(*self.half, self.radius) < 0 or abs(math.hypot(*self.quaternion) - 1) > 1e-3:
            raise ContractError(
                f"Obstacle {self.name!r}: sizes must be at least 0 and the quaternion must have length 1."
            )
        if self.kind not in ("thing", "person"):
            raise ContractError(f"Obstacle {self.name!r} is a {self.kind!r}; it must be a thing or a person.")


def box(name: str, centre: Vector, size: Vector, **more: object) -> Obstacle:
    """`size` in m along its axes; `more` as in Obstacle."""
    return Obstacle(name=name, centre=centre, half=(size[0] / 2, size[1] / 2, size[2] / 2), **more)  # type: ignore[arg-type]


def sphere(name: str, centre: Vector, radius: float, **more: object) -> Obstacle:
    return Obstacle(name=name, centre=centre, radius=radius, **more)  # type: ignore[arg-type]


def capsule(name: str, start: Vector, end: Vector, radius: float, **more: object) -> Obstacle:
    """All points nearer than `radius` to the line from `start` to `end`."""
    first, last = np.array(start, dtype=float), np.array(end, dtype=float)
    middle, length = (first + last) / 2, float(np.linalg.norm(last - first))
    quaternion = _turn_z_to((last - first) / length) if length > 1e-9 else (1.0, 0.0, 0.0, 0.0)
    centre: Vector = (float(middle[0]), float(middle[1]), float(middle[2]))
    half: Vector = (0.0, 0.0, length / 2)
    return Obstacle(name=name, centre=centre, quaternion=quaternion, half=half, radius=radius, **more)  # type: ignore[arg-type]


def plane(name: str, point: Vector, normal: Vector, **more: object) -> Obstacle:
    """Everything below the plane through `point`, as seen along `normal`."""
    up = np.array(normal, dtype=float) / np.linalg.norm(normal)
    centre = np.array(point, dtype=float) - _ENDLESS * up
    at: Vector = (float(centre[0]), float(centre[1]), float(centre[2]))
    half: Vector = (_ENDLESS, _ENDLESS, _ENDLESS)
    return Obstacle(name=name, centre=at, quaternion=_turn_z_to(up), half=half, **more)  # type: ignore[arg-type]


def person(
    name: str, position: tuple[float, float], *, height: float = 1.8, radius: float = 0.3, **more: object
) -> Obstacle:
    """Somebody who stands on the floor of the world at (x, y)."""
    x, y = position
    return capsule(name, (x, y, radius), (x, y, height - radius), radius, kind="person", **more)


@dataclass(frozen=True, kw_only=True)
class Obstacles:
    """All of them as they were at `stamp`. In the pelvis frame or in the world of the robot's odometry.

    `forces` is what the hands feel (N, pelvis frame, by side), where something measures it; without it the shield
    estimates it from the arms' efforts.
    """

    stamp: float  # s, the robot's clock
    shapes: tuple[Obstacle, ...] = ()
    frame: Literal["pelvis", "world"] = "world"
    lasting: bool = False  # known once for all: never too old
    forces: Mapping[str, Vector] = field(default_factory=dict[str, Vector])

    def __post_init__(self) -> None:
        if not math.isfinite(self.stamp):
            raise ContractError(f"Obstacles.stamp is {self.stamp}; it must be finite seconds of the robot's clock.")
        if self.frame not in ("pelvis", "world"):
            raise ContractError(f"Obstacles.frame is {self.frame!r}; it must be pelvis or world.")


class Surroundings:
    """Holds the latest Obstacles; any thread may update it, the guard reads it each tick.

    Until the first update there are none. From then on, what is not `lasting` has to be updated or the robot stops.
    """

    def __init__(self, obstacles: Obstacles | None = None) -> None:
        self._lock = threading.Lock()
        self._latest = obstacles or Obstacles(stamp=0.0, lasting=True)

    def update(self, obstacles: Obstacles) -> None:
        with self._lock:
            self._latest = obstacles

    @property
    def latest(self) -> Obstacles:
        with self._lock:
            return self._latest


def _turn_z_to(axis: np.ndarray) -> tuple[float, float, float, float]:
    """The shortest turn from the z axis, wxyz."""
    x, y, z = axis.tolist()
    if z < -1 + 1e-9:
        return 0.0, 1.0, 0.0, 0.0
    length = math.sqrt(2 * (1 + z))
    return length / 2, -y / length, x / length, 0.0
