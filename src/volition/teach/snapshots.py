"""One scene for the primitives as an episode: a few pictures of it, each with its own instruction and its right answer.

    Job -> Snapshots.episode -> a scene of the split -> for each frame a stance, an instruction, its primitive -> EpisodeStage

Nothing is simulated: the robot is put where a policy may find itself, standing or moving, arms down or up, whatever the
instruction, so that neither gives the answer away. What it sees passes the scene's sensor noise, as everywhere.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import numpy as np

from volition.body.gestures import Gestures
from volition.body.proprioception import Proprioception
from volition.data.feature import ACTION, IMAGES, STATE, Feature, image_feature, vector_feature
from volition.data.stage import EpisodeStage
from volition.robots.g1 import g1
from volition.robots.primitives import NAMES, PRIMITIVES, Gesture
from volition.sim.encounters import encounter, split_of, unseen, zones
from volition.sim.language.asks import ask
from volition.sim.randomise import Draw
from volition.sim.scene import Scene
from volition.sim.senses import Senses
from volition.sim.sight import Sight
from volition.sim.stage import Stage
from volition.teach.errors import TeachError
from volition.teach.recipe import Job, Made
from volition.teach.scene_recipe import ATTEMPTS, SKILL, SPLITS, SceneRecipe
from volition.teach.truth import TruthLabels
from volition.transforms.rotation import from_rotvec, multiply, rotate, yaw
from volition.types import Observation, RobotSpec

NEARBY, TURNED = 0.03, 0.04  # m, rad: as far as the robot stands off from frame to frame, at most
LEANING = 0.02  # rad
OFF = 0.02  # rad, every joint
RESTING, STANDING = 0.5, 0.5  # shares of the frames with both arms down, and with the base at rest
GESTURE_S = 2.5  # s: another gesture has gone on for up to so long


def features_of(robot: RobotSpec, proprioception: Proprioception, action: str = "primitive") -> tuple[Feature, ...]:
    """What a frame has; `action` is the space of its actions."""
    return (
        *(image_feature(camera.name, camera.height, camera.width) for camera in robot.cameras),
        vector_feature(STATE, proprioception.names),
        vector_feature(ACTION, robot.action(action).names),
        *TruthLabels(robot).features,
    )


class Snapshots:
    """Implements Maker: what does not change from episode to episode."""

    def __init__(self, recipe: SceneRecipe) -> None:
        self.recipe, self.robot = recipe, g1(recipe.pixels)
        self.proprioception = Proprioception(self.robot)
        self.truth, self.features = TruthLabels(self.robot), features_of(self.robot, self.proprioception)

    def episode(self, job: Job, folder: Path) -> Made:
        """Stage this episode into `folder`: of the first scene that belongs to the split."""
        recipe, (place, words) = self.recipe, SPLITS[self.recipe.split]
        for attempt in range(ATTEMPTS):
            scene = encounter(Draw(recipe.scene_seed(job, attempt), recipe.axes))
            if split_of(scene) == place:
                break
        else:
            raise TeachError(
                f"None of {ATTEMPTS} scenes of episode {job.number} is of the split {place}; turn the axes "
                "distractors and layout nearer to 1."
            )
        frames = EpisodeStage(folder, self.features, self.robot.policy_rate_hz)
        try:
            asked = self._frames(scene, words, recipe.stream(job, attempt, "frames"), frames)
        except BaseException:
            frames.discard()
            raise
        # Not named "scene" and "goals": training would take the words of those for other ways to say the same.
        info = {
            "skill": SKILL,
            "seed": scene.seed,
            "split": recipe.split,
            "encounter": scene.to_json(),
            "asked": asked,
            "failed": [],
        }
        frames.finish(success=True, info=info)
        return Made(number=job.number, folder=str(folder), failed=())

    def _frames(self, scene: Scene, words: str, seed: tuple[int, ...], frames: EpisodeStage) -> list[dict[str, Any]]:
        """What was asked at each frame, and in which zone each thing was then: what else could have been asked."""
        about = None if split_of(scene) == "train" else unseen(scene, split_of(scene))
        saying, standing = (np.random.default_rng([*seed, use]) for use in (0, 1))
        senses, asked = Senses(scene), []
        stage = Stage(scene, self.robot, cameras=True)
        sight = Sight(stage)
        try:
            for number in range(self.recipe.frames):
                stance(stage, standing, number / self.robot.policy_rate_hz)
                robot = stage.session.robot
                state = robot.read()
                where = zones(scene, state.base_position, float(yaw(state.base_quaternion)))
                said = ask(scene, where, saying, words, about=about)
                true = Observation(stamp=state.stamp, state=state, images=robot.look(), instruction=said.text)
                seen = senses.observe(true)
                values: dict[str, Any] = {IMAGES + name: image for name, image in seen.images.items()}
                values[STATE] = self.proprioception.vector(seen.state)
                values[ACTION] = np.array([float(NAMES.index(said.primitive))])
                values |= self.truth.label(stage, sight, said.thing)
                frames.add_frame(values, said.text)
                asked.append({**asdict(said), "zones": where})
        finally:
            stage.close()
        return asked


def stance(stage: Stage, random: np.random.Generator, stamp: float) -> None:
    """Put the robot near where the scene starts it, as it may be in the middle of any of the primitives."""
    world, data, start = stage.world, stage.world.data, stage.scene.start
    robot, strength = stage.spec, stage.scene.start.joint_noise / 0.02  # of the axis `start`
    position = np.array(start.position) + NEARBY * strength * random.uniform(-1, 1, 2)
    world.reset((float(position[0]), float(position[1])), start.heading + TURNED * strength * random.uniform(-1, 1))
    joints = robot.home_position.copy()
    joints[robot.commanded_index] = _gesture(robot, random)
    low, high = np.array([joint.position for joint in robot.joints]).T
    joints += OFF * strength * random.uniform(-1, 1, len(joints))
    data.qpos[world.qpos] = np.clip(joints, low, high)
    first, dof = world.base_qpos, world.base_dof
    lean = from_rotvec(np.array([*(LEANING * strength * random.uniform(-1, 1, 2)), 0.0]))
    data.qpos[first + 3 : first + 7] = multiply(data.qpos[first + 3 : first + 7], lean)
    velocity = np.zeros(3)
    if random.random() > STANDING:
        velocity = random.uniform(0, 1) * np.array(PRIMITIVES[int(random.integers(len(PRIMITIVES)))].base_velocity)
    velocity = velocity + 0.02 * strength * random.normal(size=3)
    data.qvel[:] = 0.0
    data.qvel[dof : dof + 3] = rotate(data.qpos[first + 3 : first + 7], np.array([velocity[0], velocity[1], 0.0]))
    data.qvel[dof + 5] = velocity[2]
    data.time = stamp
    world.settle()


def _gesture(robot: RobotSpec, random: np.random.Generator) -> np.ndarray:
    """Targets of all commanded joints at some moment of some gesture."""
    gestures, last = Gestures(robot), Gestures(robot).step("rest")
    if random.random() < RESTING:
        return last
    gesture: Gesture = get_args(Gesture)[int(random.integers(len(get_args(Gesture))))]
    for _ in range(round(random.uniform(0, GESTURE_S) * robot.control_rate_hz)):
        last = gestures.step(gesture)
    return last
