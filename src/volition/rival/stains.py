"""What is believed to be left of each stain: the tiles that a wiper has not been led over."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from volition.sim.scene import Thing
from volition.sim.things import tiles


class BelievedStains:
    def __init__(self, things: Iterable[Thing]) -> None:
        patches = [thing for thing in things if thing.kind == "patch"]
        self._tiles = {patch.name: np.array(patch.position[:2]) + tiles(patch)[0] for patch in patches}
        self._foot = {patch.name: patch.position[2] for patch in patches}
        self._left = {name: np.ones(len(spots), dtype=bool) for name, spots in self._tiles.items()}

    def left(self, patch: str) -> np.ndarray:
        """The middles of the tiles that are still there, (N, 2)."""
        return self._tiles[patch][self._left[patch]]

    def wiped(self, patch: str) -> float:
        """The share that is gone, 0 to 1."""
        return 1.0 - float(np.mean(self._left[patch]))

    def wipe(self, wiper: np.ndarray, thing: Thing) -> None:
        """The wiper is here; narrower than it is, so that what is nearly wiped is wiped again."""
        width, depth = thing.size
        for name, spots in self._tiles.items():
            if wiper[2] < self._foot[name] + 0.012:
                away = np.abs(spots - wiper[:2])
                self._left[name] &= ~((away[:, 0] < 0.42 * depth) & (away[:, 1] < 0.42 * width))
