"""What a demonstration may be of and how it is asked for: the one place where teaching meets the language of the suite.

Scene -> is it of this split? -> say(goals) -> the instruction of its frames
"""

from __future__ import annotations

import numpy as np

from volition.sim.language.held_out import split_of
from volition.sim.language.say import say
from volition.sim.scene import Scene


def belongs(scene: Scene, split: str) -> bool:
    """Whether a data set of this split may hold the scene: training never sees held-out pairs and layouts."""
    return split_of(scene) == split


def instruction_for(scene: Scene, seed: tuple[int, ...], split: str) -> str:
    """What a person might say to have the scene's goals done."""
    return say(scene, scene.goals, np.random.default_rng(seed), split).text
