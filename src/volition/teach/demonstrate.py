"""One demonstration: a scene, its expert, the one loop, and a frame for every time the expert is asked.

    Job -> Teacher.episode -> attempts, each in its own scene, until one succeeds -> EpisodeStage's folder

A frame is what a policy would have seen (with the scene's sensor noise) and what the expert says to that: its clean
action for the next tenth of a second, in both action spaces. What is carried out may stray from it (`noise.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from volition.body.proprioception import Proprioception
from volition.data.feature import ACTION, STATE, Feature, image_feature, vector_feature
from volition.data.stage import EpisodeStage
from volition.eval.episode import HOLD_S, Outcome, run_episode
from volition.eval.rollout import Rig
from volition.policy import Policy
from volition.robots.g1 import g1
from volition.sim.choices import layout
from volition.sim.errand import Errand, expert_for
from volition.sim.expert import Expert
from volition.sim.randomise import Draw
from volition.sim.scene import Scene
from volition.sim.stage import Stage
from volition.teach.correct import Corrector, Lead
from volition.teach.errors import TeachError
from volition.teach.labels import JointLabels
from volition.teach.noise import Stray, Wrong, wrong_motion
from volition.teach.notes import JOINT, Notes
from volition.teach.recipe import ATTEMPTS, Job, Made, Recipe
from volition.teach.truth import TruthLabels
from volition.teach.words import belongs, instruction_for
from volition.types import ActionChunk, ActionSpec, Observation, RobotSpec


def features_of(robot: RobotSpec, proprioception: Proprioception) -> tuple[Feature, ...]:
    """What a frame has."""
    return (
        *(image_feature(camera.name, camera.height, camera.width) for camera in robot.cameras),
        vector_feature(STATE, proprioception.names),
        vector_feature(ACTION, robot.action("ee").names),
        vector_feature(JOINT, robot.action("joint").names),
        *TruthLabels(robot).features,
    )


class Demonstrator:
    """A Policy: the expert, its hand guided a little wrong, and its answers written down."""

    def __init__(self, errand: Errand, notes: Notes, stray: Stray, wrong: Wrong | None) -> None:
        self._expert, self._stray, self._notes = expert_for(errand), stray, notes
        self._wrong, self._straying = wrong, None if wrong is None else Expert(errand.stage, wrong)

    @property
    def action_spec(self) -> ActionSpec:
        return self._expert.action_spec

    def reset(self, instruction: str) -> None:
        self._expert.reset(instruction)

    def infer(self, observation: Observation) -> ActionChunk:
        try:
            return self._demonstrate(observation)
        except Exception as error:
            self._notes.fault = error
            raise

    def _demonstrate(self, observation: Observation) -> ActionChunk:
        if self._straying is not None and self._wrong is not None:
            if observation.stamp < self._wrong.begin + self._wrong.seconds:
                return self._straying.infer(observation)
            self._straying = None
        chunk = self._expert.infer(observation)
        self._notes.write(observation, self._notes.senses.observe(observation), chunk.values[0])
        return replace(chunk, values=self._stray.off(chunk))


class Teacher:
    """What does not change from episode to episode; building it takes a second, so each worker builds one."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe, self.robot = recipe, g1(recipe.pixels)
        self.rig = Rig(self.robot)
        self.proprioception = Proprioception(self.robot)
        self.labels, self.truth = JointLabels(self.robot), TruthLabels(self.robot)
        self.features = features_of(self.robot, self.proprioception)
        self.policy = None if not recipe.policy else _learned(recipe.policy, self.robot)

    def episode(self, job: Job, folder: Path) -> Made:
        """Stage this episode into `folder`. Scenes of another split are passed over, and those in which the expert fails."""
        failed: list[str] = []
        for attempt in range(ATTEMPTS):
            scene = layout(job.skill, Draw(self.recipe.scene_seed(job, attempt), self.recipe.axes))
            if not belongs(scene, self.recipe.split):
                continue
            frames = EpisodeStage(folder, self.features, self.robot.policy_rate_hz)
            try:
                why, success, info = self._attempt(job, attempt, scene, frames)
            except BaseException:
                frames.discard()
                raise
            if not why:
                frames.finish(success=success, info={**info, "failed": failed})
                return Made(number=job.number, folder=str(folder), failed=tuple(failed))
            frames.discard()
            failed.append(why)
        raise TeachError(
            f"The expert of {job.skill} failed in all {len(failed)} scenes of episode {job.number} that this split has "
            f"({', '.join(sorted(set(failed))) or 'none'}); turn the noise or an axis down."
        )

    def _attempt(self, job: Job, attempt: int, scene: Scene, frames: EpisodeStage) -> _Attempt:
        recipe = self.recipe
        instruction = instruction_for(scene, recipe.stream(job, attempt, "words"), recipe.split)
        strays = np.random.default_rng(recipe.stream(job, attempt, "recoveries")).random() < recipe.recoveries
        stage = Stage(scene, self.robot, cameras=True)
        try:
            errand = Errand(stage, limit_s=recipe.seconds or None)
            notes = Notes(errand, self, frames)
            wrong = wrong_motion(recipe.stream(job, attempt, "wrong"), stage.time) if strays else None
            stray = Stray(recipe.noise, self.robot.action("ee"), recipe.stream(job, attempt, "noise"))
            teaching: Policy = Demonstrator(errand, notes, stray, wrong)
            if self.policy is not None:
                teaching = Corrector(
                    errand, self.policy, notes, Lead(recipe.expert, recipe.stream(job, attempt, "lead"))
                )
            outcome = run_episode(
                self.rig,
                errand,
                teaching,
                instruction,
                cameras=True,
                hold_s=0.0 if recipe.seconds else HOLD_S,
                on_tick=notes.confess,
            )
        finally:
            stage.close()
        if self.policy is not None:
            why = "" if len(frames) else "nothing to correct"
        else:
            began = bool(recipe.seconds) and outcome.why == "time" and len(frames) > 0
            why = "" if began else _why_not(outcome, 0.0 if wrong is None else wrong.seconds)
        return _Attempt(
            why,
            outcome.success,
            {
                "outcome": outcome.why,
                "skill": job.skill,
                "seed": scene.seed,
                "instruction": instruction,
                "split": recipe.split,
                "goals": [asdict(goal) for goal in scene.goals],
                "time_s": round(outcome.time_s, 3),
                "noise": recipe.noise,
                "strayed_s": 0.0 if wrong is None else round(wrong.seconds, 3),  # before the first frame
                "scene": scene.to_json(),
            },
        )


class _Attempt(NamedTuple):
    why: str  # it is not to be kept; empty if it is
    success: bool
    info: Mapping[str, Any]  # what is worth knowing of it


def _learned(folder: str, robot: RobotSpec) -> Policy:
    """Imported late: demonstrations need no torch."""
    from volition.model.checkpoint import load
    from volition.model.policy import LearnedPolicy
    from volition.model.steps.policy import Steps

    return Steps(LearnedPolicy(load(folder), robot))


def _why_not(outcome: Outcome, strayed_s: float) -> str:
    if not outcome.success:
        return outcome.why
    return "by accident" if outcome.time_s <= strayed_s else ""  # nothing would be recorded of how it was done
