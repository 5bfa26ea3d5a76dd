"""One skill as a Gymnasium environment: a step is one policy tick of the one loop, with body, shield and latency in it.

    action --held--> ActionChunk -> Handed -> Loop (guard, executor, body, shield, physics) -> Observation

The loop is the very same that runs policies in evaluation and on robots; this class only hands it chunks, lets a
tenth of a second pass, and asks the errand how it goes.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import gymnasium
import numpy as np

from volition.envs.actions import action_box, held
from volition.envs.handed import Handed
from volition.envs.instruction import Instruction
from volition.envs.observations import Eyes
from volition.errors import ContractError
from volition.eval.rollout import Rig
from volition.robots.g1 import g1
from volition.runtime.report import Tick
from volition.safety.guard import Guard
from volition.sim.errand import Errand, expert_for
from volition.sim.expert import Expert
from volition.sim.language.say import say
from volition.sim.language.words import check_split
from volition.sim.randomise import Axes, Draw
from volition.sim.scene import Scene, scene_from_json
from volition.sim.senses import Senses
from volition.sim.session import VIEW
from volition.sim.skills import SKILLS
from volition.sim.stage import Stage
from volition.teach.labels import JointLabels
from volition.types import ActionChunk, Observation

OPTIONS = ("scene", "scene_seed", "axes", "instruction")
MOST_STEPS = 50  # of a chunk


class SkillEnv(gymnasium.Env[dict[str, Any], np.ndarray]):
    """`action_space`: "ee" or "joint". `horizon`: how many steps an action has; 1 is a plain action (A,), more are a
    policy's whole chunk (horizon, A), of which the next one replaces what is left. `axes`: strengths of the
    randomisation by name, 1 where none is given. `split`: "train", or "phrasings" for sentences that training does
    not have. `view`: height and width of the rendered picture."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 -- Gymnasium's own attribute

    def __init__(
        self,
        skill: str,
        *,
        cameras: bool = True,
        pixels: int = 128,
        action_space: str = "ee",
        horizon: int = 1,
        axes: Mapping[str, float] | Axes | None = None,
        split: str = "train",
        render_mode: str | None = None,
        view: tuple[int, int] = (360, 480),
    ) -> None:
        if skill not in SKILLS:
            raise ContractError(f"There is no skill {skill!r}; there are {', '.join(SKILLS)}.")
        if action_space not in ("ee", "joint"):
            raise ContractError(f"SkillEnv.action_space is {action_space!r}; it must be 'ee' or 'joint'.")
        if not isinstance(horizon, int) or not 1 <= horizon <= MOST_STEPS:
            raise ContractError(f"SkillEnv.horizon is {horizon!r}; it must be 1 to {MOST_STEPS} steps.")
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ContractError(f"SkillEnv.render_mode is {render_mode!r}; it must be 'rgb_array' or None.")
        self.robot = g1(pixels)
        self.spec_of_actions = self.robot.action(action_space)
        self.render_mode = render_mode
        self.action_space = self._box = action_box(self.spec_of_actions, horizon)
        self.eyes = Eyes(self.robot, cameras=cameras)
        self.observation_space = self.eyes.space
        self._skill, self._cameras, self._horizon, self._view = SKILLS[skill], cameras, horizon, view
        check_split(split)
        self._axes, self._split = as_axes(axes), split
        self._dt = 1.0 / self.robot.policy_rate_hz
        self._rig: Rig | None = None  # what takes long to build: not before it is needed
        self._stage: Stage | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """A new scene, drawn with a seed from this environment's own generator. `options`: "scene" (a Scene or its
        JSON) or "scene_seed" instead of the drawn ones, other "axes", another "instruction"."""
        super().reset(seed=seed)
        options = options or {}
        unknown = set(options) - set(OPTIONS)
        if unknown:
            raise ContractError(f"reset got options {', '.join(sorted(unknown))}; it takes {', '.join(OPTIONS)}.")
        scene = self._scene(int(self.np_random.integers(2**31)), options)
        self._instruction = Instruction().check(options.get("instruction") or self._say(scene))
        self.close()
        self._rig = self._rig or Rig(self.robot)
        view = self._view if self.render_mode else None
        self._stage = stage = Stage(scene, self.robot, cameras=self._cameras, view=view, shadows=True)
        self._errand, self._senses, self._began = Errand(stage), Senses(scene), stage.time
        self._why = ""  # how the episode ended, once it has
        self._expert: Expert | None = None
        self._label: np.ndarray | None = None  # the expert's action for the last observation, once asked for
        # The loop takes an action up at the earliest in the tick after the one that its observation is of.
        self._latency = max(scene.physics.latency_s, 1.0 / self.robot.control_rate_hz)
        self._handed, self._guard = Handed(self._latency), self._rig.guard()
        self._loop = self._rig.loop(
            stage.session,
            self._handed,
            self.spec_of_actions,
            guard=self._guard,
            on_tick=self._watch,
            cameras=self._cameras,
        )
        self._limit = sum(SKILLS[goal.skill].limit_s for goal in self._errand.goals)
        self._loop.start(self._instruction, limit_s=2 * self._limit + 10.0)  # the errand ends before
        self._advance()
        return self.eyes.see(self.observation), self._info()

    def step(self, action: np.ndarray) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        if self._stage is None or self._why:
            raise gymnasium.error.ResetNeeded("The episode is over, or none has begun; call reset.")
        self._handed.answer(self._chunk(np.asarray(action, dtype=np.float64)))
        self._advance()
        truncated = self._why == "time"
        terminated = bool(self._why) and not truncated
        return self.eyes.see(self.observation), float(self.succeeded), terminated, truncated, self._info()

    def render(self) -> np.ndarray | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The robot and its table from the side, for people."""
        if self._stage is None or self.render_mode is None:
            return None
        renderer = self._stage.session.renderer
        assert renderer is not None, "a stage with a view has a renderer"
        x, y = self._stage.session.robot.read().base_position[:2]
        return renderer.view(VIEW, look_at=np.array([x + 0.15, y, 0.85]), distance=2.0, azimuth=55.0, elevation=-25.0)

    def close(self) -> None:
        if self._stage is not None:
            self._stage.close()
            self._stage = None

    @property
    def stage(self) -> Stage:
        """The truth about the scene, for those who may know it."""
        if self._stage is None:
            raise gymnasium.error.ResetNeeded("There is no scene yet; call reset.")
        return self._stage

    @property
    def observation(self) -> Observation:
        """The last observation as this project's policies take it, with the scene's sensor noise."""
        return self._senses.observe(self._seen)

    @property
    def guard(self) -> Guard:
        """The shield of this episode, with all it did."""
        return self._guard

    @property
    def succeeded(self) -> bool:
        return self._errand.succeeded and self._why not in ("fell", "stopped")

    def expert_action(self) -> np.ndarray:
        """What the skill's teacher would do now, whoever has acted so far: the label of this observation. It knows the
        truth, and never sees `observation`."""
        if self._stage is None:
            raise gymnasium.error.ResetNeeded("There is no scene yet; call reset.")
        if self._label is None:
            self._expert = self._expert or expert_for(self._errand)
            values = self._expert.infer(self._seen).values[: self._horizon]
            values = np.concatenate([values, np.repeat(values[-1:], self._horizon - len(values), axis=0)])
            if self.spec_of_actions.name == "joint":
                values = np.stack([self._joint_labels.label(self._seen.state, action) for action in values])
            values = values.reshape(self._box.shape).astype(np.float32)
            self._label = np.clip(values, self._box.low, self._box.high)
        return self._label.copy()

    def expert(self) -> Callable[[Any], np.ndarray]:
        """The teacher as a policy of this environment: observation -> action. It looks at the truth instead."""
        return lambda observation: self.expert_action()

    @functools.cached_property
    def _joint_labels(self) -> JointLabels:
        return JointLabels(self.robot)

    def _scene(self, drawn: int, options: Mapping[str, Any]) -> Scene:
        scene = options.get("scene")
        if isinstance(scene, Scene):
            return scene
        if scene is not None:
            return scene_from_json(scene)
        axes = as_axes(options["axes"]) if options.get("axes") is not None else self._axes
        seed = options.get("scene_seed")
        return self._skill.layout(Draw(drawn if seed is None else int(seed), axes))

    def _say(self, scene: Scene) -> str:
        """The same words for the same scene."""
        return say(scene, scene.goals, np.random.default_rng([scene.seed, zlib.crc32(b"words")]), self._split).text

    def _chunk(self, action: np.ndarray) -> ActionChunk:
        if action.shape != self._box.shape:
            raise ContractError(f"The action has shape {action.shape}; it must be {self._box.shape}.")
        spec, stamp = self.spec_of_actions, self._seen.stamp
        if self._horizon == 1:
            return held(action, spec, stamp=stamp, dt=self._dt, latency_s=self._latency)
        return ActionChunk(stamp=stamp, values=action, dt=self._dt, spec=spec.name)

    def _advance(self) -> None:
        """Let the loop run to its next look at the robot."""
        self._label = None
        while self._handed.observation is None:
            if not self._loop.step():  # somebody pressed the emergency stop
                robot = self.stage.session.robot
                state = robot.read()
                seen = Observation(stamp=state.stamp, state=state, images=robot.look(), instruction=self._instruction)
                self._handed.submit(seen)
        self._seen = self._handed.observation  # the truth: experts read it

    def _watch(self, tick: Tick) -> None:
        """Every control tick, as the referee of any other run does."""
        if self._why:
            return
        self._errand.watch(tick.state)
        if self._errand.over:
            self._why = self._errand.results[-1].verdict.why
        if self._guard.faults() and self._why != "fell":
            self._why = "stopped"

    def _info(self) -> dict[str, Any]:
        errand = self._errand
        goal = errand.goals[min(len(errand.results), len(errand.goals) - 1)]
        return {
            "success": self.succeeded,
            "why": self._why,
            "goal": asdict(goal),
            "goals": len(errand.goals),
            "done": errand.done,
            "time": self._seen.stamp - self._began,
            "scene_seed": self.stage.scene.seed,
            "interventions": self._guard.counts(),
        }


def as_axes(axes: Mapping[str, float] | Axes | None) -> Axes:
    if isinstance(axes, Axes):
        return axes
    try:
        return Axes(**(axes or {}))
    except TypeError as error:
        known = ", ".join(Axes.__dataclass_fields__)
        raise ContractError(f"The axes are {axes!r}; give strengths by name: {known}.") from error
