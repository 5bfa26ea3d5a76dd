"""One episode of a data set: the expert acts, or a policy does and the expert says at every frame what it would do.

    Job -> Demonstrator.episode -> attempts, each from its own seed, until one succeeds -> EpisodeStage's folder

A frame is what a policy would have seen and the expert's clean action for it. Corrections (DAgger, Ross et al. 2011)
are kept however they end: their frames are of where a policy goes wrong.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from volition.benchmarks.metaworld.errors import MetaWorldError
from volition.benchmarks.metaworld.expert import Expert, Stray, StrayConfig
from volition.benchmarks.metaworld.learned import Learned
from volition.benchmarks.metaworld.recipe import ATTEMPTS, Recipe
from volition.benchmarks.metaworld.robot import HAND, STATE, sawyer
from volition.benchmarks.metaworld.truth import truth_feature, truth_of
from volition.benchmarks.metaworld.words import words_of
from volition.benchmarks.metaworld.world import KNOWN, World
from volition.data.feature import ACTION, IMAGES, TRUTH, Feature, image_feature, vector_feature
from volition.data.feature import STATE as COLUMN
from volition.data.stage import EpisodeStage
from volition.teach.recipe import Job, Made

LONGEST = 300  # steps: an expert that is not done by then has failed
LEAD = 40  # steps for which one of expert and policy leads before it is drawn again
CORRECTED = 250  # steps of a correction at most: what comes later is mostly standing still
CALM = 10  # attempts after which an episode's noise is left out


def features_of(recipe: Recipe) -> tuple[Feature, ...]:
    return (
        *(image_feature(camera, recipe.pixels, recipe.pixels) for camera in recipe.cameras),
        vector_feature(COLUMN, STATE),
        vector_feature(ACTION, HAND.names),
        truth_feature(recipe.cameras),
    )


class Demonstrator:
    """Keeps the world of the task it was asked for last."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe, self._features = recipe, features_of(recipe)
        self._robot = sawyer(recipe.cameras, recipe.pixels)
        self._policy = Learned.load(Path(recipe.policy), self._robot, recipe.execute) if recipe.policy else None
        self._world: World | None = None

    def episode(self, job: Job, folder: Path) -> Made:
        failed: list[str] = []
        for attempt in range(ATTEMPTS):
            frames = EpisodeStage(folder, self._features, self._robot.policy_rate_hz)
            try:
                success, info = self._attempt(job, attempt, frames, noisy=self._noisy(job) and attempt < CALM)
            except BaseException:
                frames.discard()
                raise
            if success or self._policy is not None:
                frames.finish(success=success, info={**info, "failed": failed})
                return Made(number=job.number, folder=str(folder), failed=tuple(failed))
            frames.discard()
            failed.append("time")
        raise MetaWorldError(
            f"The expert of {job.skill} failed {ATTEMPTS} times at episode {job.number}; use less noise."
        )

    def _noisy(self, job: Job) -> bool:
        share = self._recipe.noisy if self._policy is None else 0.0
        return bool(self._recipe.random(job, 0, "noisy").random() < share)

    def _attempt(self, job: Job, attempt: int, frames: EpisodeStage, *, noisy: bool) -> tuple[bool, dict[str, Any]]:
        recipe, world, ways = self._recipe, self._world_of(job.skill), words_of(job.skill).train
        expert, seed = Expert(job.skill), recipe.scene_seed(job, attempt)
        spread = StrayConfig(spread=recipe.spread if noisy else 0.0)
        stray = Stray(spread, recipe.random(job, attempt, "stray"))
        lead = recipe.random(job, attempt, "lead")
        world.reset(seed)
        told, leads, left = ways[0], True, LONGEST if self._policy is None else CORRECTED
        if self._policy is not None:
            told = ways[int(recipe.random(job, attempt, "words").integers(len(ways)))]
            self._policy.reset(told)
        done = False
        while left > 0:
            label, seen = expert.action(world.raw), world.look()
            frames.add_frame(self._frame(world, seen, label, finished=done), ways[0])
            if self._policy is None:
                action = label + stray.next()
            else:
                leads = bool(lead.random() < recipe.expert) if world.steps % LEAD == 0 else leads
                chosen = self._policy.action(world, seen, told)
                action = label if leads else chosen
            world.step(action)
            left -= 1
            if world.success and not done:
                done, left = True, min(left, recipe.hold)
        info = {"skill": job.skill, "seed": seed, "ways": list(ways), "noisy": noisy, "labels": world.steps}
        return done, info

    def _frame(self, world: World, seen: dict[str, np.ndarray], label: np.ndarray, *, finished: bool) -> dict[str, Any]:
        pictures = {IMAGES + camera: picture for camera, picture in seen.items()}
        truth = truth_of(world, self._recipe.cameras, finished=finished)
        return {**pictures, COLUMN: world.raw[:KNOWN], ACTION: label, TRUTH: truth}

    def _world_of(self, task: str) -> World:
        if self._world is None or self._world.task != task:
            if self._world is not None:
                self._world.close()
            self._world = World(task, cameras=self._recipe.cameras, pixels=self._recipe.pixels)
        return self._world
