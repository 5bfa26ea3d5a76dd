"""Where a thing is, and where it would be seen: what the simulator knows and a policy has to find out from its pictures.

    Stage, thing --Sight--> its place (m, world): a drawer's bar, a chair's foot, else its middle; in a picture that point, and the cells it covers

For auxiliary losses in training, never for a policy's input. Nothing hides anything here: a thing behind a hand is
where it is, which is what a policy should learn to keep in mind.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from volition.sim.stage import Stage
from volition.sim.things import bar

ROLES = ("thing", "place")  # what a goal names
CELLS = 16  # a picture is cut into so many rows and columns
MANY = 16  # things that a scene has at most
_POINTS = 5  # points along each side of a geom's box: nearer to each other than a cell is wide, for things within reach
_NEAR = 0.02  # m: what is closer to a camera than this is not in its picture

_BITS = 1 << np.arange(CELLS)
_UPRIGHT = np.array([1.0, -1.0])  # a picture counts down, a camera up


@dataclass(frozen=True)
class Seen:
    """A thing in one picture. `point` is its place, right and down from the upper left corner as shares of the picture,
    and the picture's middle if that is not inside."""

    point: np.ndarray  # (2,)
    inside: bool
    cells: np.ndarray  # (CELLS, CELLS) bool, rows from the top


class Sight:
    """Built once a stage. `look` tells all of a thing; its parts serve those who need less, or of many things."""

    def __init__(self, stage: Stage) -> None:
        self._model, self._data = stage.world.model, stage.world.data
        step = np.linspace(-1.0, 1.0, _POINTS)
        grid = np.stack(np.meshgrid(step, step, step, indexing="ij"), axis=-1).reshape(-1, 3)
        self._geoms: dict[str, np.ndarray] = {}
        self._local: dict[str, np.ndarray] = {}  # (G, P, 3): points all through each geom's box, in its own frame
        self._bars = {thing.name: bar(thing) for thing in stage.scene.things if thing.kind == "drawer"}
        self._standing = {thing.name for thing in stage.scene.things if thing.position[2] == 0.0}  # on the floor
        for thing in stage.scene.things:
            geoms = self._geoms[thing.name] = self._geoms_of(thing.name)
            box = self._model.geom_aabb[geoms]  # (G, 6): middle and half size in the geom's frame
            self._local[thing.name] = box[:, None, :3] + box[:, None, 3:] * grid

    def look(self, thing: str, cameras: Sequence[str]) -> tuple[np.ndarray, list[Seen]]:
        """The place of a thing (world, m), and how each camera would see it."""
        place, points = self.place(thing), self.points(thing)
        seen: list[Seen] = []
        for camera in cameras:
            spots, inside = self.spots(place[None], camera)
            seen.append(Seen(spots[0], bool(inside[0]), self.cells(points, camera)))
        return place, seen

    def place(self, thing: str) -> np.ndarray:
        """What one goes for (world, m): the middle of a drawer's bar; else of what moves of a thing (a button's cap), or of all of it, of a
        stain too, however little is left; on the floor its foot. The middle of a drawer is hidden, and how far its bar stands before that depends
        on how one stands to it; the middle of a pillar is above a picture of a camera that looks down, but for the last steps."""
        if thing in self._bars:
            box = self._model.body(f"{thing}.box").id
            return self._data.xpos[box] + self._data.xmat[box].reshape(3, 3) @ self._bars[thing]
        points = self._spread(self._geoms[thing], self._local[thing])
        low, high = points.min(axis=0), points.max(axis=0)
        if thing in self._standing:
            high[2] = low[2]
        return (low + high) / 2

    def points(self, thing: str) -> np.ndarray:
        """Points all through the boxes around what moves of a thing, in the world; of a stain, what is left of it. (P, 3)"""
        geoms, local = self._geoms[thing], self._local[thing]
        left = self._model.geom_rgba[geoms, 3] > 0
        if left.any() and not left.all():
            geoms, local = geoms[left], local[left]
        return self._spread(geoms, local)

    def _spread(self, geoms: np.ndarray, local: np.ndarray) -> np.ndarray:
        turn = self._data.geom_xmat[geoms].reshape(-1, 3, 3)
        return (local @ turn.swapaxes(1, 2) + self._data.geom_xpos[geoms][:, None]).reshape(-1, 3)

    def spots(self, points: np.ndarray, camera: str) -> tuple[np.ndarray, np.ndarray]:
        """Where points (N, 3) are in a picture, (N, 2), its middle for those that are not inside; which are inside, (N,)."""
        flat, inside = self._project(camera, points)
        flat[~inside] = 0.5
        return flat, inside

    def cells(self, points: np.ndarray, camera: str) -> np.ndarray:
        """Which cells of a picture points (N, 3) lie in, (CELLS, CELLS)."""
        flat, inside = self._project(camera, points)
        covered = np.zeros((CELLS, CELLS), dtype=bool)
        column, row = (flat[inside] * CELLS).astype(int).T
        covered[row, column] = True
        return covered

    def _project(self, camera: str, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N, 3) in the world to (N, 2) in the picture, and whether each is in it."""
        number = self._model.camera(camera).id
        axes = self._data.cam_xmat[number].reshape(3, 3)  # columns: right, up, backwards
        away = (points - self._data.cam_xpos[number]) @ axes
        depth = -away[:, 2]
        half = math.tan(math.radians(self._model.cam_fovy[number]) / 2)  # of a square picture
        flat = _UPRIGHT * away[:, :2] / (np.maximum(depth, 1e-6) * (2.0 * half))[:, None] + 0.5
        return flat, (depth > _NEAR) & ((flat >= 0) & (flat < 1)).all(axis=1)

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
