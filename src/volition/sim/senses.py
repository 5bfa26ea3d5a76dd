"""How well the robot measures: a scene's sensor noise on what a policy sees. Demonstrations and evaluation share it.

    Observation (true) -> Senses(scene).observe -> Observation (as measured) -> a learned policy, or the data set

The noise depends on the scene's seed and the stamp alone, so that the same moment looks the same however often, and
in whatever order, it is looked at. Experts read the truth: theirs is to know, not to see.
"""

from __future__ import annotations

import dataclasses
import zlib

import numpy as np

from volition.sim.scene import Scene
from volition.types import Observation


class Senses:
    def __init__(self, scene: Scene) -> None:
        self._seed = (scene.seed, zlib.crc32(b"senses"))
        self._joint, self._pixel = scene.physics.joint_noise, scene.physics.pixel_noise

    def observe(self, observation: Observation) -> Observation:
        """The same observation as sensors would give it; the given one is left as it is."""
        random = np.random.default_rng([*self._seed, round(observation.stamp * 1e6)])
        state, images = observation.state, observation.images
        if self._joint:
            off = random.normal(0.0, self._joint, len(state.position))
            state = dataclasses.replace(state, position=state.position + off)
        if self._pixel:
            images = {name: _grainy(images[name], self._pixel, random) for name in sorted(images)}
        return dataclasses.replace(observation, state=state, images=images)


def _grainy(image: np.ndarray, deviation: float, random: np.random.Generator) -> np.ndarray:
    """Normal noise of `deviation` levels on every channel of every pixel."""
    grainy = random.standard_normal(image.shape, dtype=np.float32)
    grainy *= np.float32(deviation)
    grainy += image
    np.rint(grainy, out=grainy)
    np.clip(grainy, 0, 255, out=grainy)
    return grainy.astype(np.uint8)
