"""A policy that plays a function of time: what studies drive the robot with, through the same chunks as any policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from volition.types import ActionChunk, ActionSpec, Observation, RobotSpec


@dataclass(frozen=True)
class Script:
    """Values of one action space at a time since the start; `dt` is the step of the chunks made of it."""

    space: str
    values: Callable[[float], np.ndarray]
    dt: float = 0.1


class ScriptPolicy:
    """One second of the script a chunk."""

    def __init__(self, robot: RobotSpec, script: Script) -> None:
        self._spec, self._script = robot.action(script.space), script
        self._begin: float | None = None

    @property
    def action_spec(self) -> ActionSpec:
        return self._spec

    def reset(self, instruction: str) -> None:
        self._begin = None

    def infer(self, observation: Observation) -> ActionChunk:
        if self._begin is None:
            self._begin = observation.stamp
        since, dt = observation.stamp - self._begin, self._script.dt
        steps = round(1.0 / dt)
        values = np.array([self._script.values(since + (step + 1) * dt) for step in range(steps)])
        return ActionChunk(stamp=observation.stamp, values=values, dt=dt, spec=self._spec.name)
