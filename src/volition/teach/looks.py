"""`volition data looks`: pictures of tables and what stands on them, to learn what words mean there. Nobody does anything.

    LooksConfig -> LooksRecipe -> generate.make -> Looks.episode in each worker -> OUT

A demonstration takes seconds of physics and shows one scene. Here a scene costs some pictures: the robot stands before it
with its hands where a task may have them. Training asks each picture for any goal of the scene and learns where things
are (`truth.things`); the actions are to stay, and nothing is learned from them.
"""

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from volition.body.arms import SIDES, Arms
from volition.body.hands import Hand
from volition.body.proprioception import Proprioception
from volition.data.feature import ACTION, IMAGES, LOOK, STATE
from volition.data.stage import EpisodeStage
from volition.robots.g1 import g1
from volition.sim.choices import axes_of, layout, skills_of
from volition.sim.expert import up
from volition.sim.randomise import Axes, Draw
from volition.sim.roles import roles_of
from volition.sim.scene import Scene
from volition.sim.senses import Senses
from volition.sim.sight import Sight
from volition.sim.stage import READY, Stage
from volition.sim.tasks.pick_and_place import GRIP
from volition.sim.tasks.pick_and_place import THINGS as HOLDABLE
from volition.sim.tasks.wipe_surface import GRIP as HANDLE
from volition.sim.things import DRAWER_TRAVEL
from volition.teach.configs import LooksConfig
from volition.teach.errors import TeachError
from volition.teach.generate import make
from volition.teach.recipe import ATTEMPTS, EPISODES, Job, Made, Maker
from volition.teach.snapshots import features_of
from volition.teach.truth import TruthLabels
from volition.teach.words import belongs, instruction_for
from volition.transforms.rotation import from_rotvec, multiply
from volition.types import Observation, RobotSpec

APART = EPISODES // 2  # its scenes are not those of demonstrations of the same seed

NEARBY, TURNED = 0.03, 0.04  # m, rad: the robot stands off by, at most ...
STEPPED, ASKEW = (0.06, 0.16), 0.08  # m forward and left, rad: ... or has stepped aside by, in half of the pictures
WITHIN = 0.45  # m: things on a table that are farther aside than this are not seen from the middle
LEANING, WAIST = 0.02, 0.03  # rad
TURNS = np.array([0.06, 0.06, 0.12])  # rad, of a hand: standard deviations, as experts turn theirs
REACH = np.array([[0.10, -0.12, 0.08], [0.50, 0.36, 0.36]])  # m: where a left hand may be; a right one is mirrored
ABOUT = np.array([[-0.14, -0.09, 0.0], [0.03, 0.09, 0.16]])  # m: where a hand is that is near a thing, from its middle
READILY, NEAR = 0.3, 0.6  # shares of the hands that wait, and of the others that are near a thing
STEPS = 40  # control ticks on the way there from where the hand was before
OPENED = DRAWER_TRAVEL  # how far drawers may be open
OPEN, HELD = 0.3, 0.3  # shares of the drawers that are, and of the pictures in which a loose thing is in a hand
GRASPED = (0.45, 0.75)  # how closed a hand is that holds something


@dataclass(frozen=True, kw_only=True)
class LooksRecipe:
    """Implements Plan."""

    skills: tuple[str, ...]
    seed: int = 0
    frames: int = 4
    axes: Axes = dataclasses.field(default_factory=Axes)
    pixels: int = 128

    def __post_init__(self) -> None:
        goals = {name: layout(name, Draw(0)).goals[0] for name in self.skills}
        blind = [name for name, goal in goals.items() if not goal.thing]
        if blind:
            raise TeachError(f"There is nothing to look for in {', '.join(blind)}; name skills that are about things.")

    def job(self, number: int) -> Job:
        return Job(number=number, skill=self.skills[number % len(self.skills)], index=number // len(self.skills))

    def scene_seed(self, job: Job, attempt: int) -> int:
        return (self.seed * EPISODES + APART + job.index) * ATTEMPTS + attempt

    def stream(self, job: Job, attempt: int, use: str) -> tuple[int, ...]:
        return self.scene_seed(job, attempt), zlib.crc32(job.skill.encode()), zlib.crc32(use.encode())

    def maker(self) -> Maker:
        return Looks(self)

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "skills": list(self.skills), LOOK: True}


def looks(config: LooksConfig) -> int:
    """Make what is missing of the data set; returns 0."""
    recipe = LooksRecipe(
        skills=skills_of(config.skill, chains=True), seed=config.seed, frames=config.frames, axes=axes_of(config.axes), pixels=config.pixels
    )  # fmt: skip
    robot = g1(recipe.pixels)
    return make(config, recipe, robot, features_of(robot, Proprioception(robot), "ee"), "ee")


class Looks:
    """Implements Maker."""

    def __init__(self, recipe: LooksRecipe) -> None:
        self.recipe, self.robot = recipe, g1(recipe.pixels)
        self.proprioception, self.posing = Proprioception(self.robot), Posing(self.robot)
        self.truth, self.features = TruthLabels(self.robot), features_of(self.robot, self.proprioception, "ee")
        names = [name.replace(".grasp", ".closed") for name in self.robot.action("ee").names]
        felt = self.proprioception.names
        # To stay is to command the hands where they are, and no motion of the base.
        self._stay = np.array([felt.index(name) if not name.startswith("base.") else -1 for name in names])

    def episode(self, job: Job, folder: Path) -> Made:
        """Stage the pictures of the first scene that belongs to training into `folder`."""
        recipe = self.recipe
        for attempt in range(ATTEMPTS):
            scene = layout(job.skill, Draw(recipe.scene_seed(job, attempt), recipe.axes))
            if belongs(scene, "train"):
                break
        else:
            raise TeachError(f"None of {ATTEMPTS} scenes of episode {job.number} ({job.skill}) is of training.")
        instruction = instruction_for(scene, recipe.stream(job, attempt, "words"), "train")
        frames = EpisodeStage(folder, self.features, self.robot.policy_rate_hz)
        still = replace(scene, start=replace(scene.start, stood_s=0.0))  # nothing is to settle
        stage = Stage(still, self.robot, cameras=True)
        try:
            random = np.random.default_rng(recipe.stream(job, attempt, "hands"))
            senses, sight, roles = Senses(scene), Sight(stage), roles_of(scene, scene.goals[0])
            found = stage.world.data.qpos.copy()
            for number in range(recipe.frames):
                self.posing.pose(stage, random, number / self.robot.policy_rate_hz)
                self.posing.do(stage, found, random)
                state = stage.session.robot.read()
                true = Observation(
                    stamp=state.stamp, state=state, images=stage.session.robot.look(), instruction=instruction
                )
                seen = senses.observe(true)
                felt = self.proprioception.vector(seen.state)
                values: dict[str, Any] = {IMAGES + name: image for name, image in seen.images.items()}
                values[STATE], values[ACTION] = felt, np.where(self._stay < 0, 0.0, felt[self._stay])
                frames.add_frame(values | self.truth.label(stage, sight, *roles), instruction)
        except BaseException:
            frames.discard()
            raise
        finally:
            stage.close()
        info = {
            "skill": job.skill, "seed": scene.seed, "instruction": instruction, "split": "train", LOOK: True, "failed": [],
            "goals": [asdict(one) for one in scene.goals], "scene": scene.to_json(),
        }  # fmt: skip
        frames.finish(success=True, info=info)
        return Made(number=job.number, folder=str(folder), failed=())


class Posing:
    """Puts the robot before a table as a task may have it: near its place, hands anywhere above the table."""

    def __init__(self, robot: RobotSpec) -> None:
        self._robot, self._arms = robot, Arms(robot)
        self._hands = {side: Hand(robot, side) for side in SIDES}
        slots = {side: [joint.name for joint in robot.group(f"{side}_hand")] for side in SIDES}
        self._fingers = {side: [robot.joint_names.index(name) for name in slots[side]] for side in SIDES}
        arms = [joint.name for joint in robot.commanded if joint.group.endswith("_arm")]
        self._slots = [robot.joint_names.index(name) for name in arms]
        self._waist = [place for place, name in enumerate(robot.joint_names) if name.startswith("waist")]

    def pose(self, stage: Stage, random: np.random.Generator, stamp: float) -> None:
        """The next picture's: from where the hands were, some way to where they are to be."""
        world, start = stage.world, stage.scene.start
        data, first = world.data, world.base_qpos
        away, turned = (np.array(STEPPED), ASKEW) if random.random() < 0.5 else (NEARBY, TURNED)
        most = np.array(away) + np.array([0.0, _beyond(stage.scene)])
        place = np.array(start.position) + most * random.uniform(-1, 1, 2)
        before = data.qpos[first : first + 7].copy()
        data.qpos[first : first + 2] = place
        turn = start.heading + turned * random.uniform(-1, 1)
        lean = LEANING * random.uniform(-1, 1, 2)
        data.qpos[first + 3 : first + 7] = multiply(
            from_rotvec(np.array([0.0, 0.0, turn])), from_rotvec(np.array([*lean, 0.0]))
        )
        joints = data.qpos[world.qpos].copy()
        joints[self._waist] = WAIST * random.normal(size=len(self._waist))
        data.qpos[world.qpos] = joints
        data.qpos[first + 2] = before[2]
        world.settle()
        state = stage.session.robot.read()
        poses = {side: self._hand(stage, side, random) for side in SIDES}
        self._arms.reset(state)
        for _ in range(STEPS):
            joints[self._slots] = self._arms.step(poses, replace(state, position=joints))
        for side in SIDES:
            closed = random.uniform() if random.random() < 0.5 else 0.0
            joints[self._fingers[side]] = self._hands[side].targets(closed)
        data.qpos[world.qpos] = joints
        data.qvel[:] = 0.0
        data.time = stamp
        world.settle()

    def do(self, stage: Stage, found: np.ndarray, random: np.random.Generator) -> None:
        """What a task may have changed: drawers are open, a hand holds a thing. All else is as it was `found`."""
        world, data = stage.world, stage.world.data
        robot = [*range(world.base_qpos, world.base_qpos + 7), *world.qpos]
        posed = data.qpos[robot].copy()
        data.qpos[:] = found
        data.qpos[robot] = posed
        for thing in stage.scene.things:
            if thing.kind == "drawer" and random.random() < OPEN:
                data.joint(thing.name).qpos[0] = random.uniform(0, OPENED)
        loose = [thing for thing in stage.scene.things if thing.kind in (*HOLDABLE, "wiper")]
        if loose and random.random() < HELD:
            thing, side = loose[int(random.integers(len(loose)))], SIDES[int(random.integers(2))]
            hand, _ = stage.hand(side)
            high = HANDLE if thing.kind == "wiper" else thing.size[-1] - GRIP
            data.joint(thing.name).qpos[:3] = hand - up(high)
            joints = data.qpos[world.qpos].copy()
            joints[self._fingers[side]] = self._hands[side].targets(random.uniform(*GRASPED))
            data.qpos[world.qpos] = joints
        world.settle()

    @staticmethod
    def _hand(stage: Stage, side: str, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Where a hand is to be, in the pelvis frame."""
        turned = from_rotvec(TURNS * random.normal(size=3))
        if random.random() < READILY:
            return READY[side] + 0.03 * random.normal(size=3), turned
        mirror = np.array([1.0, 1.0 if side == "left" else -1.0, 1.0])
        low, high = REACH
        if stage.scene.things and random.random() < NEAR:
            thing = stage.scene.things[int(random.integers(len(stage.scene.things)))]
            place = stage.in_pelvis(stage.position(thing.name)) + random.uniform(*ABOUT)
            return mirror * np.clip(mirror * place, low, high), turned
        return mirror * random.uniform(low, high), turned


def _beyond(scene: Scene) -> float:
    """How far along a long table the robot stands to either side, to see what is there, m."""
    if scene.table is None or not scene.things:
        return 0.0
    return max(0.0, max(abs(thing.position[1] - scene.start.position[1]) for thing in scene.things) - WITHIN)
