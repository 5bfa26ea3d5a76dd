"""A learned policy tried in closed loop: scenes of a skill, words for them, the one loop, and what the referee says.

    Checkpoint, skill, seed -> Scene -> LearnedPolicy behind the scene's senses -> run_episode -> Outcome

The policy sees what sensors give it (`sim/senses.py`), with the scene's latency, behind the shield, on its own legs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np
import torch

from volition.data.store import Dataset
from volition.eval.episode import Outcome, run_episode
from volition.eval.manner import Manner
from volition.eval.measures import Measures
from volition.eval.rollout import Rig
from volition.eval.sighted import Sighted
from volition.eval.suites import seeds
from volition.export.folder import Folder
from volition.export.policy import ExportedPolicy
from volition.model.checkpoint import Checkpoint
from volition.model.policy import LearnedPolicy
from volition.model.steps.policy import Steps
from volition.model.uncertainty import Doubts
from volition.policy import Policy
from volition.rival.policy import RivalPolicy
from volition.robots.g1 import g1
from volition.runtime.report import Tick
from volition.sim.choices import layout, skills_of
from volition.sim.errand import Errand
from volition.sim.language.say import say
from volition.sim.randomise import Draw
from volition.sim.scene import Goal, Scene
from volition.sim.senses import Senses
from volition.sim.stage import Stage
from volition.train.batch_config import column_of
from volition.train.shown import Examples, task_of
from volition.types import ActionChunk, ActionSpec, Observation


class Sensing:
    """A policy that sees as the scene's sensors do. `took`: wall time of each of its decisions, s."""

    def __init__(self, policy: Policy, scene: Scene) -> None:
        self._policy, self._senses = policy, Senses(scene)
        self.took: list[float] = []

    @property
    def action_spec(self) -> ActionSpec:
        return self._policy.action_spec

    def reset(self, instruction: str) -> None:
        self._policy.reset(instruction)

    def infer(self, observation: Observation) -> ActionChunk:
        sensed = self._senses.observe(observation)
        begin = time.perf_counter()
        chunk = self._policy.infer(sensed)
        self.took.append(time.perf_counter() - begin)
        return chunk


@dataclass(frozen=True, kw_only=True)
class Trial:
    skill: str
    seed: int
    instruction: str
    outcome: Outcome


@dataclass(frozen=True, kw_only=True)
class Run:
    """How one instruction was carried out in one scene."""

    outcome: Outcome
    measures: dict[str, float]
    other: bool = False  # another goal, which nobody asked for, was reached
    inference_s: float | None = None  # the policy's median wall time on this machine; the scene's latency is simulated


class Onlooker(Protocol):
    """Sees a run from outside, in pictures of the size `view` (height, width)."""

    view: tuple[int, int]

    def tick(self, stage: Stage, now: Tick) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Rate:
    """Successes of all trials; each skill's too."""

    trials: tuple[Trial, ...]

    @property
    def rate(self) -> float:
        return float(np.mean([trial.outcome.success for trial in self.trials]))

    @property
    def by_skill(self) -> dict[str, float]:
        names = dict.fromkeys(trial.skill for trial in self.trials)
        return {
            name: float(np.mean([one.outcome.success for one in self.trials if one.skill == name])) for name in names
        }


class Tester:
    """Builds what trials share once: the policy, the body and the shield."""

    def __init__(
        self,
        checkpoint: Checkpoint | Folder | None,
        *,
        device: str | torch.device = "cpu",
        shown: Dataset | None = None,
        doubts: Doubts | None = None,
        truth: bool = False,
    ) -> None:
        """`checkpoint` None: the rival; a Folder: an exported policy, which runs on the CPU. `shown`: demonstrations to
        show, for policies that take them; those of a trial are of its task. `doubts`: a checkpoint says how unsure it is.
        `truth`: it is told where things are (`sighted.py`)."""
        self._examples = None
        if checkpoint is None:
            self.robot = g1()
            self._tried: Policy = RivalPolicy(self.robot)
        elif isinstance(checkpoint, Folder):
            self.robot = g1(checkpoint.manifest.picture[0])
            self._tried = ExportedPolicy(checkpoint, self.robot, threads=torch.get_num_threads())
        else:
            self.robot = g1(checkpoint.design.shapes.picture[0])
            if truth:
                self.policy = Sighted(checkpoint, self.robot)
            else:
                self.policy = LearnedPolicy(checkpoint, self.robot, device=device, doubts=doubts)
            self._tried, self.model = self.policy, checkpoint.model
            self._examples = None if shown is None else _examples(checkpoint, shown)
        self._rig = Rig(self.robot)

    def trial(self, skill: str, seed: int, *, split: str = "train") -> Trial:
        """The scene and its words are decided by the seed alone."""
        scene = layout(skill, Draw(seed))
        instruction = say(scene, scene.goals, np.random.default_rng([seed, 1]), split).text
        return Trial(skill=skill, seed=seed, instruction=instruction, outcome=self.run(scene, instruction).outcome)

    def run(
        self,
        scene: Scene,
        instruction: str,
        *,
        other: Goal | None = None,
        limit_s: float | None = None,
        onlooker: Onlooker | None = None,
        manner: Manner | None = None,
        around: Callable[[Policy], Policy] | None = None,
    ) -> Run:
        """`other`: a goal that is watched too, though the words do not ask for it. `limit_s`: of every goal, in place of
        its skill's own. `onlooker`: changes nothing. `around`: put around the policy as the loop sees it."""
        if self._examples is not None:
            task = task_of({"goals": [asdict(goal) for goal in scene.goals]})
            self.policy.show(self._examples.shown(task, np.random.default_rng([scene.seed, 2])))
        stage = Stage(scene, self.robot, cameras=True, view=None if onlooker is None else onlooker.view)
        try:
            errand, measures = Errand(stage, limit_s=limit_s), Measures(stage, self.robot)
            if isinstance(self._tried, Sighted):
                self._tried.look(stage, scene.goals[0])
            beside = Errand(stage, (other,), limit_s=limit_s) if other is not None else None

            def tick(now: Tick) -> None:
                measures.tick(now)
                if beside is not None:
                    beside.watch(now.state)
                if onlooker is not None:
                    onlooker.tick(stage, now)

            sensing = Sensing(Steps(self._tried), scene)
            asked: Policy = sensing if around is None else around(sensing)
            outcome = run_episode(self._rig, errand, asked, instruction, cameras=True, on_tick=tick, manner=manner)
            return Run(
                outcome=outcome,
                measures=measures.result(),
                other=beside is not None and beside.succeeded,
                inference_s=float(np.median(sensing.took)) if sensing.took else None,
            )
        finally:
            stage.close()


def _examples(checkpoint: Checkpoint, dataset: Dataset) -> Examples:
    shapes, codec = checkpoint.design.shapes, checkpoint.codec
    column = column_of(dataset, codec.spec.name)
    return Examples(dataset, codec, column, shapes.cameras[0], episodes=max(shapes.shown, 1), frames=shapes.key_frames)


def success_rate(
    checkpoint: Checkpoint,
    skills: str | Sequence[str],
    episodes: int,
    *,
    seed: int,
    device: str | torch.device = "cpu",
) -> Rate:
    """So many trials of each skill, one after the other in this process."""
    names = skills_of(skills) if isinstance(skills, str) else tuple(skills)
    tester = Tester(checkpoint, device=device)
    return Rate(
        trials=tuple(tester.trial(name, one) for name in names for one in seeds(name, episodes, "train", first=seed))
    )
