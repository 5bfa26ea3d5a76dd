"""Distances from points to all obstacles at once. Obstacles (any frame) -> Field (pelvis frame) -> distances, directions."""

from __future__ import annotations

import numpy as np

from volition.safety.obstacles import Obstacles
from volition.transforms.rotation import rotate
from volition.types import RobotState

AHEAD = 0.4  # s: a moving obstacle is taken to be everywhere on its way within this, which is longer than an arm needs to stop
_PLACES = 3  # on that way


class Shapes:
    """Obstacles as arrays in their own frame, (N, ...): made once for as long as the same value is given."""

    def __init__(self, obstacles: Obstacles) -> None:
        shapes = obstacles.shapes
        self.obstacles = obstacles
        self.names = tuple(shape.name for shape in shapes)
        self.people = np.array([shape.kind == "person" for shape in shapes], dtype=bool)
        self.margins = np.array([np.nan if shape.margin is None else shape.margin for shape in shapes])
        self.centre = np.array([shape.centre for shape in shapes], dtype=float).reshape(-1, 3)
        self.velocity = np.array([shape.velocity for shape in shapes], dtype=float).reshape(-1, 3)
        quaternion = np.array([shape.quaternion for shape in shapes], dtype=float).reshape(-1, 1, 4)
        self.axes = rotate(quaternion, np.eye(3))  # (N, 3, 3), a row is an axis of the box
        self.half = np.array([shape.half for shape in shapes], dtype=float).reshape(-1, 3)
        self.radius = np.array([shape.radius for shape in shapes], dtype=float)
        self.moving = np.flatnonzero(self.velocity.any(axis=1))


class Field:
    """The obstacles of one tick in the pelvis frame; a moving one stands at several places (P) of its way."""

    def __init__(self, shapes: Shapes, state: RobotState, now: float) -> None:
        self.names, self.people, self.margins = shapes.names, shapes.people, shapes.margins
        centre, velocity, axes = shapes.centre, shapes.velocity, shapes.axes
        if shapes.obstacles.frame == "world":
            turn = rotate(state.base_quaternion, np.eye(3))  # a row is where an axis of the pelvis points
            centre, velocity, axes = (centre - state.base_position) @ turn.T, velocity @ turn.T, axes @ turn.T
        index = np.arange(len(self.names))
        if shapes.moving.size:
            moving = shapes.moving
            age = max(0.0, now - shapes.obstacles.stamp)
            times = np.full(len(index), age)
            for place in range(1, _PLACES):
                index = np.concatenate([index, moving])
                times = np.concatenate([times, np.full(moving.size, age + AHEAD * place / (_PLACES - 1))])
            centre = centre[index] + velocity[index] * times[:, None]
        self.of = index  # which obstacle each place belongs to, (P,)
        self._centre = centre
        self._turn = axes[index].swapaxes(1, 2)  # columns are the box's axes
        self._half, self.radius = shapes.half[index], shapes.radius[index]

    def distance(self, points: np.ndarray) -> np.ndarray:
        """From points (S, 3) to each place's surface, (P, S); negative inside."""
        away = np.abs((points[None] - self._centre[:, None]) @ self._turn) - self._half[:, None]
        outside = np.maximum(away, 0.0)
        inside = np.minimum(away.max(axis=2), 0.0)
        return np.sqrt(np.einsum("psx,psx->ps", outside, outside)) + inside - self.radius[:, None]

    def nearest(self, points: np.ndarray) -> np.ndarray:
        """The nearest point of each place's box (without its rounding) to each of points (S, 3): (P, S, 3)."""
        own = (points[None] - self._centre[:, None]) @ self._turn
        half = self._half[:, None]
        return self._centre[:, None] + np.einsum("psj,pij->psi", np.minimum(np.maximum(own, -half), half), self._turn)

    def only(self, places: np.ndarray) -> Field:
        """The same with some of the places."""
        found = object.__new__(Field)
        found.__dict__.update(self.__dict__)
        found.of, found._centre, found._turn = self.of[places], self._centre[places], self._turn[places]
        found._half, found.radius = self._half[places], self.radius[places]
        return found
