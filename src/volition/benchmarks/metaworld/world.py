"""One task of the suite: reset by a seed, stepped by actions, looked at; what only the simulator knows stands apart.

seed --World.reset--> raw (39,) --observe--> Observation (its first four numbers and pictures) -> Policy -> World.step

A policy gets `observe` alone. `raw` is for the scripted expert and the referee; `truth` for losses and reports.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from volition.benchmarks.metaworld.camera import Eyes, forward
from volition.benchmarks.metaworld.errors import MetaWorldError
from volition.benchmarks.metaworld.robot import RATE, STATE
from volition.types import Observation, RobotState

HORIZON = 500  # steps, as published; some report 400
FIRST = 1000  # seeds of evaluations begin here, those of training far above
KNOWN = len(STATE)  # numbers of the raw observation that a policy may know


@dataclass(frozen=True)
class Placed:
    """Where the thing and its goal are, m, in the world."""

    thing: np.ndarray
    place: np.ndarray


class World:
    """`cameras` empty: nothing is drawn. One at a time draws fast; `close` it before the next."""

    def __init__(self, task: str, *, cameras: Sequence[str] = (), pixels: int = 128) -> None:
        self.task = task
        self._env = _made(task)
        self._eyes = Eyes(self._env.model, self._env.data, cameras, pixels) if cameras else None
        self.raw = np.zeros(39)
        self.steps, self.success = 0, False

    def reset(self, seed: int) -> None:
        """Object and goal are drawn anew; the same seed gives the same ones."""
        self._env.seed(seed)
        raw, _ = self._env.reset()
        forward(self._env.model, self._env.data)
        self.raw, self.steps, self.success = np.asarray(raw, dtype=np.float64), 0, False

    def step(self, action: np.ndarray) -> None:
        """One eightieth of a second; `success` is of this moment."""
        raw, _, _, _, info = self._env.step(np.clip(action, -1.0, 1.0).astype(np.float32))
        self.raw, self.success = np.asarray(raw, dtype=np.float64), bool(info["success"])
        self.steps += 1

    def look(self) -> dict[str, np.ndarray]:
        return {} if self._eyes is None else self._eyes.look()

    def observe(self, instruction: str) -> Observation:
        """All that a policy is given."""
        return observed(self.raw, self.look(), instruction, self.steps / RATE)

    def project(self, camera: str, point: np.ndarray) -> tuple[np.ndarray, bool]:
        if self._eyes is None:
            raise MetaWorldError(f"The world of {self.task} was made without cameras; name some.")
        return self._eyes.project(camera, point)

    @property
    def truth(self) -> Placed:
        return Placed(self.raw[KNOWN : KNOWN + 3].copy(), np.asarray(self._env._target_pos, dtype=np.float64).copy())

    @property
    def model(self) -> Any:
        return self._env.model

    @property
    def data(self) -> Any:
        return self._env.data

    def close(self) -> None:
        if self._eyes is not None:
            self._eyes.close()
            self._eyes = None
        self._env.close()


def observed(raw: np.ndarray, images: dict[str, np.ndarray], instruction: str, stamp: float) -> Observation:
    """Of the raw observation only the hand's place and the gripper's opening: the rest is where object and goal are."""
    position, still = raw[:KNOWN], np.zeros(KNOWN)
    state = RobotState(
        stamp=stamp,
        position=position,
        velocity=still,
        effort=still,
        base_position=np.zeros(3),
        base_quaternion=np.array([1.0, 0.0, 0.0, 0.0]),
        base_velocity=np.zeros(3),
        base_angular_velocity=np.zeros(3),
    )
    return Observation(stamp=stamp, state=state, images=images, instruction=instruction)


def suite(module: str) -> Any:
    """A module of the suite, or a sentence on where it can be had."""
    try:
        return importlib.import_module(f"metaworld.{module}")
    except ModuleNotFoundError as error:
        if error.name != "metaworld":
            raise
        raise MetaWorldError(
            "Meta-World is not installed in this environment; run `make setup-metaworld` and use .venv-metaworld/bin/volition."
        ) from None


def _made(task: str) -> Any:
    """As the suite's own MT50 makes it, but that object and goal are drawn at every reset, by the seed."""
    known = suite("env_dict").ALL_V3_ENVIRONMENTS
    if f"{task}-v3" not in known:
        raise MetaWorldError(f"Meta-World has no task {task!r}.")
    warnings.filterwarnings("ignore", message="Constant", module="metaworld")  # of experts that ask for more than 1
    env = known[f"{task}-v3"]()
    # The expert needs the goal. The space that raw observations are clipped to is cached before this can be said.
    env._partially_observable = False
    env.__dict__.pop("sawyer_observation_space", None)
    env._freeze_rand_vec, env.seeded_rand_vec, env._set_task_called = False, True, True
    return env
