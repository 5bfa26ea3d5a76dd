"""Points that bodies carry: where they are at several postures, in one product, and how far joints take them.

CollisionModel (bodies placed, posture by posture) -> Carried.note -> Carried.places -> Survey

A column is one such point, or a weighted mean of several, such as a centre of mass. All are linear in the places and
turns of the bodies, so all columns of all postures are one product of two matrices.
"""

# MuJoCo ships no type stubs: strict checking would report every use of it.
# pyright: basic, reportAttributeAccessIssue=false
from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from volition.safety.collision import CollisionModel
from volition.types import RobotSpec


@dataclass(frozen=True, kw_only=True)
class Part:
    """A point fixed to a body, and its share of a column."""

    column: int
    body: int
    offset: np.ndarray  # (3,) m, in the body's frame
    share: float = 1.0  # at least 0


class Carried:
    """`note` reads the collision model's bodies as they are placed; `places` is of what was noted."""

    def __init__(self, collision: CollisionModel, parts: list[Part]) -> None:
        model, data = collision.compiled
        self._parts = parts
        self.count = 1 + max(part.column for part in parts)
        first, last = min(part.body for part in parts), max(part.body for part in parts) + 1
        table, shares = np.zeros((last - first, 4, self.count)), np.zeros(self.count)
        for part in parts:
            table[part.body - first, 0, part.column] += part.share
            table[part.body - first, 1:, part.column] += part.share * part.offset
            shares[part.column] += part.share
        self._table = table.reshape(-1, self.count)  # (4 n, N)
        self._pelvis = np.outer(model.body_pos[1], shares)  # (3, N): the pelvis is fixed in the model
        self._model, self._data = model, data
        self._at = data.xpos[first:last].T  # (3, n), a view of what MuJoCo writes
        self._turn = data.xmat[first:last].reshape(-1, 3, 3).swapaxes(0, 1)  # (3, n, 3), a view too
        self._rows = np.empty((8, 3, last - first, 4))  # grows when more postures are noted

    def note(self, number: int) -> None:
        """Remember the bodies, as they are placed now, as the posture of this number."""
        if number >= len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        row = self._rows[number]
        row[..., 0] = self._at
        row[..., 1:] = self._turn

    def places(self, postures: int) -> np.ndarray:
        """(postures, 3, N) m in the pelvis frame, of the first so many that were noted."""
        rows = self._rows[:postures].reshape(3 * postures, -1)
        return (rows @ self._table).reshape(postures, 3, -1) - self._pelvis

    def levers(self, robot: RobotSpec) -> np.ndarray:
        """How far a column can move for each radian of each commanded joint, in any posture, m, (C, N).

        From a joint to a point it carries it is never farther than along the joints between them, and the distance
        from each of these to the next is the same in all postures.
        """
        model, data = self._model, self._data
        mujoco.mj_kinematics(model, data)
        found = np.zeros((model.njnt, self.count))
        for part in self._parts:
            body, reach = part.body, 0.0
            here = data.xpos[body] + data.xmat[body].reshape(3, 3) @ part.offset
            while body:
                first = int(model.body_jntadr[body])
                for joint in reversed(range(first, first + int(model.body_jntnum[body]))):
                    reach += float(np.linalg.norm(here - data.xanchor[joint]))
                    here = data.xanchor[joint].copy()
                    found[joint, part.column] += part.share * reach
                body = int(model.body_parentid[body])
        return found[[model.joint(joint.name).id for joint in robot.commanded]]
