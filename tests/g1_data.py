"""A small data set of the G1 as `volition data generate` records it, made up without a simulator: for the learning tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from volition.body.proprioception import Proprioception
from volition.data.feature import (
    ACTION,
    IMAGES,
    LOOK,
    STATE,
    TRUTH,
    TRUTH_CELLS,
    TRUTH_THINGS,
    image_feature,
    vector_feature,
)
from volition.data.writer import DatasetWriter
from volition.robots.g1 import g1
from volition.sim.choices import layout
from volition.sim.randomise import Draw
from volition.sim.scene import Scene
from volition.sim.sight import CELLS, ROLES
from volition.teach.truth import TruthLabels
from volition.transforms.rotation import from_rotvec, multiply, to_rotvec
from volition.types import Observation, RobotState

PIXELS, FPS = 32, 10
ROBOT = g1(PIXELS)
CAMERAS = tuple(camera.name for camera in ROBOT.cameras)
EE = ROBOT.action("ee")
SKILLS = ("press_button", "pick_and_place")


@lru_cache(maxsize=1)
def proprioception() -> Proprioception:
    return Proprioception(ROBOT)


@lru_cache(maxsize=8)
def scene(skill: str) -> Scene:
    return layout(skill, Draw(3))


def observation(episode: int, frame: int) -> Observation:
    """Joints near home, a base that leans a little, pictures that are smooth and differ in every frame and camera."""
    random = np.random.default_rng([episode, frame])
    low, high = (np.array([joint.position[end] for joint in ROBOT.joints]) for end in (0, 1))
    y, x = np.mgrid[0:PIXELS, 0:PIXELS]
    images = {}
    for place, camera in enumerate(CAMERAS):
        phase = 0.7 * frame + 2.1 * episode + place
        planes = [127 + 90 * np.sin(x / 9 + phase), 127 + 90 * np.cos(y / 7 - phase), np.full(x.shape, 60.0 * place)]
        images[camera] = np.stack(planes, axis=-1).astype(np.uint8)
    state = RobotState(
        stamp=frame / FPS,
        position=np.clip(ROBOT.home_position + random.normal(size=len(low)) * 0.1, low, high),
        velocity=np.zeros(len(low)),
        effort=np.zeros(len(low)),
        base_position=np.array([0.0, 0.0, 0.75 + 0.02 * random.normal()]),
        base_quaternion=from_rotvec(random.normal(size=3) * 0.05),
        base_velocity=random.normal(size=3) * 0.1,
        base_angular_velocity=random.normal(size=3) * 0.1,
    )
    return Observation(stamp=frame / FPS, state=state, images=images, instruction="")


def action_at(episode: int, frame: int) -> np.ndarray:
    """Both hands a little away from where they are; the base stands still but for its turning."""
    random = np.random.default_rng([episode, frame, 1])
    names, felt = proprioception().names, proprioception().vector(observation(episode, frame).state)
    action = np.zeros(len(EE.names))
    for side in ("left", "right"):
        at, of = EE.index(f"{side}.x"), names.index(f"{side}.x")
        action[at : at + 3] = felt[of : of + 3] + random.normal(size=3) * 0.02
        turned = multiply(from_rotvec(felt[of + 3 : of + 6]), from_rotvec(random.normal(size=3) * 0.1))
        action[at + 3 : at + 6] = to_rotvec(turned)
        action[at + 6] = random.uniform()
    action[-1] = random.normal() * 0.2
    return np.clip(action, EE.low, EE.high)


def truth_at(episode: int, frame: int, steps: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng([episode, frame, 2])
    names = TruthLabels(ROBOT).features[0].names or ()
    values = random.uniform(size=len(names))
    for place, name in enumerate(names):
        if name.endswith((".present", ".inside")) or name == "finished":
            values[place] = float(random.random() < 0.5)
    values[names.index("step")] = min(frame // 4, steps - 1)
    cells = random.integers(0, 1 << CELLS, len(ROLES) * len(CAMERAS) * CELLS)
    things = np.random.default_rng([episode, frame, 3]).uniform(size=len(TruthLabels(ROBOT).features[2].names or ()))
    return {TRUTH: values, TRUTH_CELLS: cells.astype(np.int32), TRUTH_THINGS: things}


def info_of(skill: str, of: Scene) -> dict[str, Any]:
    return {"skill": skill, "seed": of.seed, "goals": [asdict(goal) for goal in of.goals], "scene": of.to_json()}


def make(
    folder: Path,
    lengths: Sequence[int] = (9, 12, 7, 10),
    *,
    skills: Sequence[str] = SKILLS,
    truth: bool = True,
    cameras: Sequence[str] = CAMERAS,
    states: Sequence[str] | None = None,
    actions: Sequence[str] | None = None,
    scenes: bool = True,
    robot: str = ROBOT.name,
    fps: float = FPS,
    sizes: Sequence[int] | None = None,
    look: bool = False,
) -> Path:
    """Episode i is of skill i, in turn. `cameras`: which, and in which order they are stored, in these `sizes`; `look`:
    nothing is done in them."""
    pixels = dict(zip(cameras, sizes or [PIXELS] * len(cameras), strict=True))
    names = tuple(states) if states is not None else proprioception().names
    features = (
        *(image_feature(camera, side, side) for camera, side in pixels.items()),
        vector_feature(STATE, names),
        vector_feature(ACTION, actions if actions is not None else EE.names),
        *(TruthLabels(ROBOT).features if truth else ()),
    )
    with DatasetWriter.open(folder, features, fps, robot, action_spec="ee") as writer:
        for episode, length in enumerate(lengths):
            skill = skills[episode % len(skills)]
            of = scene(skill)
            for frame in range(length):
                seen = observation(episode, frame)
                values: dict[str, Any] = {
                    IMAGES + camera: np.resize(seen.images[camera], (side, side, 3)) for camera, side in pixels.items()
                }
                values[STATE] = proprioception().vector(seen.state)[: len(names)]
                values[ACTION] = action_at(episode, frame)
                writer.add_frame(values | (truth_at(episode, frame, len(of.goals)) if truth else {}), f"do {skill}")
            writer.end_episode(success=True, info=(info_of(skill, of) if scenes else {"skill": skill}) | {LOOK: look})
    return folder
