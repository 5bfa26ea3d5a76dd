"""`volition data scenes`: scenes for the ten primitives, made, continued and refused as demonstrations are.

ScenesConfig -> SceneRecipe -> generate.make -> OUT
"""

from __future__ import annotations

from volition.body.proprioception import Proprioception
from volition.robots.g1 import g1
from volition.sim.choices import axes_of
from volition.teach.configs import ScenesConfig
from volition.teach.generate import make
from volition.teach.scene_recipe import SceneRecipe
from volition.teach.snapshots import features_of


def scenes(config: ScenesConfig) -> int:
    """Make what is missing of the data set; returns 0."""
    recipe = SceneRecipe(
        seed=config.seed, split=config.split, frames=config.frames, axes=axes_of(config.axes), pixels=config.pixels
    )
    robot = g1(recipe.pixels)
    return make(config, recipe, robot, features_of(robot, Proprioception(robot)), "primitive")
