"""How hard bodies press on each other, from the contacts of the last physics step."""

from __future__ import annotations

import mujoco
import numpy as np


class Contacts:
    """Holds the model and its state and nothing that holds it, so that a scene's memory is free the moment it is dropped."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData) -> None:
        self._model, self._data = model, data
        self._families: dict[str, np.ndarray] = {}  # as they are asked for

    def between(self, first: str, second: str) -> float:
        """The force between two bodies with everything that hangs on them, N; 0 when they are apart."""
        one, other = self._family(first), self._family(second)
        bodies, contact = self._model.geom_bodyid, self._data.contact
        force, total = np.empty(6), 0.0
        for number in range(self._data.ncon):
            pair = bodies[contact.geom[number]]
            if (one[pair[0]] and other[pair[1]]) or (one[pair[1]] and other[pair[0]]):
                mujoco.mj_contactForce(self._model, self._data, number, force)
                total += float(np.linalg.norm(force[:3]))
        return total

    def _family(self, name: str) -> np.ndarray:
        """Which bodies belong to a body: itself and all that hang on it."""
        if name not in self._families:
            mine = np.zeros(self._model.nbody, dtype=bool)
            mine[self._model.body(name).id] = True
            for body in range(self._model.nbody):
                mine[body] |= mine[self._model.body_parentid[body]]
            self._families[name] = mine
        return self._families[name]
