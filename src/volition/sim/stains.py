"""What is left of each stain: a tile is gone once a wiper's foam has passed over it, flat and pressed on the table.

It is a part of the world's state like a drawer's opening: the Stage brings it up to date with every tick of physics,
referees and experts read it here, and cameras see the tiles vanish.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import mujoco
import numpy as np

from volition.sim.scene import Scene
from volition.sim.things import tiles
from volition.transforms.rotation import tilt, yaw

PRESSED = 0.2  # N: what counts as touching the table; a wiper that stands by itself does
FLAT = 0.12  # rad: leaning more than this, the foam touches with an edge only


class Stains:
    def __init__(
        self, scene: Scene, model: mujoco.MjModel, data: mujoco.MjData, touches: Callable[[str, str], float]
    ) -> None:
        """`touches`: the force between two bodies, N."""
        self._model, self._data, self._touches = model, data, touches
        self._wipers = [thing for thing in scene.things if thing.kind == "wiper"]
        self._patches = [thing for thing in scene.things if thing.kind == "patch"]
        self._tiles = {patch.name: self._in_world(patch.name, tiles(patch)[0]) for patch in self._patches}
        self._left = {name: np.ones(len(spots), dtype=bool) for name, spots in self._tiles.items()}

    @property
    def any(self) -> bool:
        return bool(self._patches)

    def left(self, patch: str) -> np.ndarray:
        """The middles of the tiles that are still there, (N, 2) in the world."""
        return self._tiles[patch][self._left[patch]]

    def wiped(self, patch: str) -> float:
        """The share that is gone, 0 to 1."""
        return 1.0 - float(np.mean(self._left[patch]))

    def update(self) -> None:
        """Take away what wipers are on now."""
        for wiper in self._wipers:
            body = self._data.body(wiper.name)
            heading, (width, depth) = float(yaw(body.xquat)), wiper.size
            along = np.array([math.cos(heading), math.sin(heading)])
            across = np.array([-along[1], along[0]])
            under = {}
            for name, left in self._left.items():
                away = self._tiles[name] - body.xpos[:2]
                on = left & (np.abs(away @ along) < depth / 2) & (np.abs(away @ across) < width / 2)
                if on.any():
                    under[name] = on
            if under and tilt(body.xquat) < FLAT and self._touches(wiper.name, "table") > PRESSED:
                for name, on in under.items():
                    self._left[name] &= ~on
                    self._model.geom_rgba[self._model.body(name).geomadr[0] + np.flatnonzero(on), 3] = 0.0

    def _in_world(self, name: str, spots: np.ndarray) -> np.ndarray:
        body = self._data.body(name)
        heading = float(yaw(body.xquat))
        turned = np.array([[math.cos(heading), -math.sin(heading)], [math.sin(heading), math.cos(heading)]])
        return body.xpos[:2] + spots @ turned.T
