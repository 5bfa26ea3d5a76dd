"""The ground the robot stands on, seen from above. CollisionModel (legs as measured) -> Feet.support -> Survey"""

# MuJoCo ships no type stubs: strict checking would report every use of it.
# pyright: basic, reportAttributeAccessIssue=false
from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from volition.errors import ContractError
from volition.safety.carried import Carried, Part
from volition.safety.collision import CollisionModel
from volition.types import RobotSpec

_ACROSS = np.array([1.0, -1.0])
_POINT = 1e-6  # m: nearer than this two places of the soles make no line


@dataclass(kw_only=True)
class Support:
    """Lines that bound both feet seen from above; among them all edges of their hull. Level, about the pelvis."""

    tilt: float  # rad, of the pelvis
    level: np.ndarray  # (2, 3): of the turn from the pelvis frame to the world's, what is seen from above
    normals: np.ndarray  # (E, 2)
    edges: np.ndarray  # (E, 1)

    def room(self, places: np.ndarray) -> float:
        """The least distance of places (P, 3), pelvis frame, from the edge, m; negative outside."""
        return float((self.edges - self.normals @ (self.level @ places.T)).min())


class Feet:
    """The soles' lowest collision geoms."""

    def __init__(self, robot: RobotSpec, collision: CollisionModel) -> None:
        model = collision.compiled[0]
        legs = {int(model.jnt_bodyid[model.joint(joint.name).id]) for joint in robot.group("legs")}
        ends = [body for body in legs if not any(model.body_parentid[other] == body for other in legs)]
        geoms = [geom for geom in range(model.ngeom) if model.geom_bodyid[geom] in ends]
        if len(geoms) < 3:
            raise ContractError(f"{robot.name}'s model has no feet that a centre of mass could be kept over.")
        bodies, offsets = model.geom_bodyid[geoms].tolist(), model.geom_pos[geoms].copy()
        self._soles = Carried(
            collision, [Part(column=at, body=bodies[at], offset=offsets[at]) for at in range(len(geoms))]
        )
        ends, starts = np.nonzero(~np.eye(len(geoms), dtype=bool))
        each = np.eye(len(geoms))
        self._ways = each[:, ends] - each[:, starts]  # (F, E): from each point to each other one

    def support(self, turn: np.ndarray) -> Support:
        """At the legs' posture placed last, of a pelvis turned by `turn` (3, 3)."""
        self._soles.note(0)
        level = turn[:2]
        flat = level @ self._soles.places(1)[0]  # (2, F)
        ways = flat @ self._ways  # (2, E)
        length = np.hypot(ways[0], ways[1])
        if length.min() <= _POINT:
            ways, length = ways[:, length > _POINT], length[length > _POINT]
        ways /= length
        normals = ways[::-1].T * _ACROSS
        tilt = math.acos(max(-1.0, min(1.0, float(turn[2, 2]))))
        return Support(tilt=tilt, level=level, normals=normals, edges=(normals @ flat).max(axis=1, keepdims=True))
