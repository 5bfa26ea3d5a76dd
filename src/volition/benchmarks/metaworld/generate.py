"""`volition bench metaworld generate`: demonstrations, or corrections of a policy, as a data set of ours.

GenerateConfig -> Recipe -> teach.generate.make (workers, resumed where it ended) -> OUT, with the robot's description
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from volition.benchmarks.metaworld.configs import GenerateConfig
from volition.benchmarks.metaworld.demonstrate import features_of
from volition.benchmarks.metaworld.errors import MetaWorldError
from volition.benchmarks.metaworld.recipe import Recipe
from volition.benchmarks.metaworld.robot import HAND, sawyer
from volition.benchmarks.metaworld.tasks import tasks_of
from volition.benchmarks.metaworld.world import suite
from volition.data.atomic import write_json
from volition.model.checkpoint import load
from volition.robots.description import describe
from volition.teach import configs
from volition.teach.generate import make
from volition.train.taught import DESCRIPTION


def generate(config: GenerateConfig) -> int:
    """Make what is missing of the data set; returns 0."""
    suite("env_dict")  # says what is missing, before any worker starts
    recipe = recipe_of(config)
    robot = sawyer(recipe.cameras, recipe.pixels)
    path = config.out / DESCRIPTION
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, describe(robot))
    episodes = config.demonstrations * len(recipe.tasks)
    settings = configs.GenerateConfig(episodes=episodes, workers=config.workers, out=config.out, seed=config.seed)
    return make(settings, recipe, robot, features_of(recipe), HAND.name)


def recipe_of(config: GenerateConfig) -> Recipe:
    """Of corrections, what the policy looks at."""
    recipe = Recipe(
        tasks=tasks_of(config.tasks),
        seed=config.seed,
        cameras=config.cameras,
        pixels=config.pixels,
        noisy=config.noisy,
        spread=config.spread,
        hold=config.hold,
        execute=config.execute,
    )
    if config.policy is None:
        return recipe
    shapes = load(config.policy).design.shapes
    given = {"cameras": shapes.cameras, "pixels": shapes.picture[0]}
    asked = {"cameras": config.cameras, "pixels": config.pixels}
    for name, value in given.items():
        if value != asked[name]:
            raise MetaWorldError(
                f"{config.policy} was taught with the {name} {value}; give --{name} so, not {asked[name]}."
            )
    values = {name: getattr(recipe, name) for name in ("tasks", "seed", "cameras", "pixels", "hold", "execute")}
    return Recipe(
        **values,
        noisy=0.0,
        policy=str(config.policy.resolve()),
        weights=_hash(config.policy / "model.safetensors"),
        expert=config.expert,
    )


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
