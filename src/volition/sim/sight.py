"""Where a thing is, and where it would be seen: what the simulator knows and a policy has to find out from its pictures.

    Stage, thing --Sight--> its middle (m, world); in a camera's picture its point and the cells it covers

For auxiliary losses in training, never for a policy's input. Nothing hides anything here: a thing behind a hand is
where it is, which is what a policy should learn to keep in mind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from volition.sim.stage import Stage

ROLES = ("thing", "place")  # what a goal names
CELLS = 16  # a picture is cut into so many rows and columns
MANY = 16  # things that a scene has at most
_POINTS = 5  # points along each side of a geom's box: nearer to each other than a cell is wide, for things within reach
_NEAR = 0.02  # m: what is closer to a camera than this is not in its picture

_BITS = 1 << np.arange(CELLS)


@dataclass(frozen=True)
class Seen:
    """A thing in one picture. `point` is its middle, right and down from the upper left corner as shares of the picture,
    and the picture's middle if that is not inside."""

    point: np.ndarray  # (2,)
    inside: bool
    cells: np.ndarray  # (CELLS, CELLS) bool, rows from the top


class Sight:
    """Built once a stage."""

    def __init__(self, stage: Stage) -> None:
        self._model, self._data = stage.world.model, stage.world.data
        self._geoms = {thing.name: self._geoms_of(thing.name) for thing in stage.scene.things}
        step = np.linspace(-1.0, 1.0, _POINTS)
        self._grid = np.stack(np.meshgrid(step, step, step, indexing="ij"), axis=-1).reshape(-1, 3)

    def look(self, thing: str, cameras: Sequence[str]) -> tuple[np.ndarray, list[Seen]]:
        """The middle of what moves of a thing, else of all of it (a drawer's front, a button's cap; world, m), and how
        each camera would see it."""
        points = self._points(thing)
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        return middle, [self._seen(camera, np.vstack([middle, points])) for camera in cameras]

    def _seen(self, camera: str, points: np.ndarray) -> Seen:
        """Of a thing whose middle comes first."""
        flat, depth = self._project(camera, points)
        inside = (depth > _NEAR) & np.all((flat >= 0) & (flat < 1), axis=1)
        cells = np.zeros((CELLS, CELLS), dtype=bool)
        column, row = np.floor(flat[1:][inside[1:]] * CELLS).astype(int).T
        cells[row, column] = True
        return Seen(flat[0] if inside[0] else np.full(2, 0.5), bool(inside[0]), cells)

    def _project(self, camera: str, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, 3) in the world to (N, 2) in the picture, and how far in front of the camera each is."""
        eye, number = self._data.camera(camera), self._model.camera(camera).id
        away = (points - eye.xpos) @ eye.xmat.reshape(3, 3)  # x right, y up, looking along -z
        depth = -away[:, 2]
        half = np.tan(np.radians(self._model.cam_fovy[number]) / 2)  # of a square picture
        flat = away[:, :2] / np.maximum(depth, 1e-6)[:, None] / half
        return np.stack([0.5 + flat[:, 0] / 2, 0.5 - flat[:, 1] / 2], axis=1), depth

    def _points(self, thing: str) -> np.ndarray:
        """Points all through the boxes around a thing's geoms, in the world; of a stain, what is left of it."""
        geoms = self._geoms[thing]
        left = geoms[self._model.geom_rgba[geoms, 3] > 0]
        geoms = left if len(left) else geoms
        box = self._model.geom_aabb[geoms]  # (G, 6): middle and half size in the geom's frame
        local = box[:, None, :3] + box[:, None, 3:] * self._grid
        turn = self._data.geom_xmat[geoms].reshape(-1, 3, 3)
        return (np.einsum("gij,gpj->gpi", turn, local) + self._data.geom_xpos[geoms][:, None]).reshape(-1, 3)

    def _geoms_of(self, thing: str) -> np.ndarray:
        body = self._model.body(thing).id
        parts = [number for number in range(self._model.nbody) if self._model.body_parentid[number] == body]
        return np.flatnonzero(np.isin(self._model.geom_bodyid, parts or [body]))


def pack(cells: np.ndarray) -> np.ndarray:
    """(..., CELLS, CELLS) bool to (..., CELLS) int32: a row a number, its lowest bit the leftmost cell."""
    return (cells @ _BITS).astype(np.int32)


def unpack(rows: np.ndarray) -> np.ndarray:
    """The inverse of `pack`."""
    return (rows[..., None] & _BITS) > 0
