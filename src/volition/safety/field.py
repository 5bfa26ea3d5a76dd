"""Distances from points to all obstacles at once. Obstacles (any frame) -> Field (pelvis frame) -> distances, directions."""

from __future__ import annotations

import numpy as np

from volition.safety.config import ShieldConfig
from volition.safety.frames import matrix
from volition.safety.obstacles import Obstacles
from volition.types import RobotState

AHEAD = 0.4  # s: a moving obstacle is taken to be everywhere on its way within this, which is longer than an arm needs to stop
_PLACES = 3  # on that way


class Shapes:
    """Obstacles as arrays in their own frame, (N, ...), with the shield's margins: made once for as long as the same
    value is given."""

    def __init__(self, obstacles: Obstacles, config: ShieldConfig) -> None:
        shapes = obstacles.shapes
        self.obstacles = obstacles
        self.names = tuple(shape.name for shape in shapes)
        self.people = np.array([shape.kind == "person" for shape in shapes], dtype=bool)
        usual = [config.person_margin if person else config.thing_margin for person in self.people]
        own = [shape.margin for shape in shapes]
        self.margins = np.array([most if one is None else one for one, most in zip(own, usual, strict=True)])
        slow = np.where(self.people, config.person_slow, config.thing_slow)
        self.slowing = np.maximum(slow - self.margins, 1e-3)  # m over which an arm slows down
        centre = np.array([shape.centre for shape in shapes], dtype=float).reshape(-1, 3, 1)
        self.velocity = np.array([shape.velocity for shape in shapes], dtype=float).reshape(-1, 3, 1)
        # (N, 3, 3), a row is an axis of the box.
        self.axes = np.array([matrix(np.array(shape.quaternion, dtype=float)).T for shape in shapes]).reshape(-1, 3, 3)
        self.half = np.array([shape.half for shape in shapes], dtype=float).reshape(-1, 3, 1)
        self.radius = np.array([shape.radius for shape in shapes], dtype=float).reshape(-1, 1)
        self.shift = -(self.axes @ centre)  # with `axes`, into the boxes' own frames
        self.index = np.arange(len(shapes))
        self.moving = np.flatnonzero(self.velocity.any(axis=(1, 2)))


class Field:
    """The obstacles of one tick in the pelvis frame; a moving one stands at several places (P) of its way.

    Points are columns: (..., 3, S).
    """

    def __init__(self, shapes: Shapes, state: RobotState, now: float) -> None:
        self.names = shapes.names
        index, axes, shift = shapes.index, shapes.axes, shapes.shift
        of_places = (shapes.half, shapes.radius, shapes.people, shapes.margins, shapes.slowing)
        if shapes.moving.size:
            age = max(0.0, now - shapes.obstacles.stamp)
            index = np.concatenate([index] + [shapes.moving] * (_PLACES - 1))
            times = np.full(len(index), age)
            for place in range(1, _PLACES):
                first = len(shapes.names) + (place - 1) * shapes.moving.size
                times[first:] = age + AHEAD * place / (_PLACES - 1)
            axes, of_places = axes[index], [part[index] for part in of_places]
            shift = shift[index] - axes @ (shapes.velocity[index] * times[:, None, None])
        if shapes.obstacles.frame == "world":
            shift = shift + axes @ state.base_position[:, None]
            axes = axes @ matrix(state.base_quaternion)
        self.of = index  # which obstacle each place belongs to, (P,)
        self._axes, self._shift = axes, shift  # from the pelvis frame to the box's own: (P, 3, 3), (P, 3, 1)
        self._half, self.radius, self.people, self.margins, self.slowing = of_places

    def distance(self, points: np.ndarray) -> np.ndarray:
        """From points (..., 3, S) to each place's surface, (..., P, S); negative inside."""
        away = np.abs(self._own(points))
        away -= self._half
        inside = np.maximum.reduce(away, axis=-2)
        np.maximum(away, 0.0, out=away)
        away *= away
        distance = np.sqrt(np.add.reduce(away, axis=-2))
        distance += np.minimum(inside, 0.0, out=inside)
        distance -= self.radius
        return distance

    def ways(self, points: np.ndarray) -> np.ndarray:
        """From points (3, P), one for each place, to its box without the rounding, (P, 3)."""
        own = np.einsum("pij,jp->pi", self._axes, points) + self._shift[..., 0]
        half = self._half[..., 0]
        return np.einsum("pij,pi->pj", self._axes, np.minimum(np.maximum(own, -half), half) - own)

    def only(self, places: np.ndarray) -> Field:
        """The same with some of the places."""
        if len(places) == len(self.of):
            return self
        found = object.__new__(Field)
        found.names = self.names
        for name in ("of", "_axes", "_shift", "_half", "radius", "people", "margins", "slowing"):
            setattr(found, name, getattr(self, name)[places])
        return found

    def _own(self, points: np.ndarray) -> np.ndarray:
        """The points in each box's own frame, (..., P, 3, S)."""
        own = self._axes.reshape(-1, 3) @ points
        own = own.reshape(*own.shape[:-2], -1, 3, own.shape[-1])
        own += self._shift
        return own
