"""Balls that cover the arms and hands: what the distance to obstacles is measured from. CollisionModel -> Cover -> Carried.

Every link's collision geometry lies inside a capsule along its longest axis, and balls along the capsule's axis cover
it. So the distance of the balls is never more than the true one; it is less by up to about 2 cm (a test measures it).
"""

# MuJoCo ships no type stubs: strict checking would report every use of it.
# pyright: basic, reportAttributeAccessIssue=false
from __future__ import annotations

import mujoco
import numpy as np

from volition.safety.carried import Part
from volition.safety.collision import SIDES, CollisionModel

_APART = 0.025  # m between two balls of a link


class Cover:
    """The left arm's balls come first. `Carried` says where they are."""

    def __init__(self, collision: CollisionModel) -> None:
        model = collision.compiled[0]
        self.bodies: list[int] = []
        self.offsets: list[np.ndarray] = []  # of the centres, in their bodies' frames
        radii: list[float] = []
        for side in SIDES:
            for body in (number for number, own in enumerate(collision.body_sides) if own == side):
                for geom in np.flatnonzero(model.geom_bodyid == body).tolist():
                    for offset, radius in _balls(*_points(model, geom)):
                        self.bodies.append(body)
                        self.offsets.append(offset)
                        radii.append(radius)
            if side == SIDES[0]:
                self.lefts = len(self.bodies)
        self.radius = np.array(radii)

    def parts(self) -> list[Part]:
        """A column for each ball's centre."""
        return [Part(column=at, body=body, offset=self.offsets[at]) for at, body in enumerate(self.bodies)]


def _points(model: mujoco.MjModel, geom: int) -> tuple[np.ndarray, float]:
    """Points in the body's frame whose hull, with a radius around it, is the geom."""
    size = model.geom_size[geom]
    kind, radius = model.geom_type[geom], 0.0
    if kind == mujoco.mjtGeom.mjGEOM_MESH:
        mesh = model.geom_dataid[geom]
        first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
        own = model.mesh_vert[first : first + count].astype(float)
    elif kind in (mujoco.mjtGeom.mjGEOM_SPHERE, mujoco.mjtGeom.mjGEOM_CAPSULE):
        half = size[1] if kind == mujoco.mjtGeom.mjGEOM_CAPSULE else 0.0
        own, radius = np.array([[0.0, 0.0, -half], [0.0, 0.0, half]]), float(size[0])
    elif kind == mujoco.mjtGeom.mjGEOM_CYLINDER:
        own = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * size[[0, 0, 1]]
    else:  # a box, or the box around anything else
        own = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * size
    turn = np.empty(9)
    mujoco.mju_quat2Mat(turn, model.geom_quat[geom])
    return own @ turn.reshape(3, 3).T + model.geom_pos[geom], radius


def _balls(points: np.ndarray, radius: float) -> list[tuple[np.ndarray, float]]:
    middle = points.mean(axis=0)
    axis = np.linalg.svd(points - middle, full_matrices=False)[2][0]
    along = (points - middle) @ axis
    thick = np.linalg.norm(points - middle - along[:, None] * axis, axis=1)
    # The shortest axis whose capsule, as thick as the thickest place, holds every point.
    most = float(thick.max())
    reach = np.sqrt(np.maximum(most**2 - thick**2, 0.0))
    low, high = float((along + reach).min()), float((along - reach).max())
    if low > high:
        low = high = (low + high) / 2
    count = 1 + int(np.ceil((high - low) / _APART))
    places = np.linspace(low, high, count) if count > 1 else np.array([(low + high) / 2])
    half = (high - low) / (count - 1) / 2 if count > 1 else 0.0
    if count == 1:
        most = float(np.linalg.norm(points - middle - places[0] * axis, axis=1).max())
    return [(middle + place * axis, float(np.hypot(most, half)) + radius) for place in places.tolist()]
