"""A robot and a policy of a few lines, for tests and first steps: no physics, no model, every failure on request."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from volition.errors import ContractError, PolicyError
from volition.transforms import rotation
from volition.types import ActionChunk, ActionSpec, Command, Observation, RobotSpec, RobotState

Array = np.ndarray


class _Time(Protocol):
    """The half of a Clock that a robot reads (the whole is in runtime, which imports robots)."""

    def now(self) -> float: ...


class FakeRobot:
    """An ideal integrator: commanded joints reach their targets at once (or with a first-order lag), the base moves
    exactly at its velocity, the other joints stay at home. `commands` keeps all it was sent."""

    def __init__(self, spec: RobotSpec, clock: _Time, *, lag_s: float = 0.0) -> None:
        self._spec, self._clock, self._lag = spec, clock, lag_s
        self._position = spec.home_position.copy()
        self._velocity = np.zeros_like(self._position)
        self._base = np.zeros(3)  # x, y, heading
        self._base_velocity = np.zeros(3)
        self._target = self._position.copy()
        self._time = clock.now()
        self.commands: list[Command] = []

    @property
    def spec(self) -> RobotSpec:
        return self._spec

    def read(self) -> RobotState:
        self._advance()
        x, y, heading = self._base
        forward, left, turn = self._base_velocity
        return RobotState(
            stamp=self._time,
            position=self._position,
            velocity=self._velocity,
            effort=np.zeros_like(self._position),
            base_position=np.array([x, y, 0.79]),
            base_quaternion=rotation.from_rotvec(np.array([0.0, 0.0, heading])),
            base_velocity=np.array([forward, left, 0.0]),
            base_angular_velocity=np.array([0.0, 0.0, turn]),
        )

    def look(self) -> dict[str, Array]:
        """Stripes that differ by camera and move with the base."""
        images = {}
        for number, camera in enumerate(self._spec.cameras):
            row, column = np.mgrid[: camera.height, : camera.width]
            shift = int(100 * self._base[0])
            image = np.stack([row + shift, column, np.full_like(row, 60 * number)], axis=-1) % 256
            images[camera.name] = image.astype(np.uint8)
        return images

    def command(self, command: Command) -> None:
        wanted = len(self._spec.commanded)
        if command.position.shape != (wanted,) or not np.isfinite(command.position).all():
            raise ContractError(f"FakeRobot.command needs {wanted} finite positions, got {command.position}.")
        self._advance()
        self.commands.append(command)
        self._target[self._spec.commanded_index] = command.position
        self._base_velocity = command.base_velocity.copy()
        if self._lag == 0:
            self._position[:] = self._target

    def _advance(self) -> None:
        now = self._clock.now()
        passed, self._time = now - self._time, now
        if passed <= 0:
            return
        reached = 1.0 - math.exp(-passed / self._lag) if self._lag > 0 else 1.0
        before = self._position.copy()
        self._position += reached * (self._target - self._position)
        self._velocity = (self._position - before) / passed
        forward, left, turn = self._base_velocity
        middle = self._base[2] + 0.5 * passed * turn
        self._base += passed * np.array(
            [
                forward * math.cos(middle) - left * math.sin(middle),
                forward * math.sin(middle) + left * math.cos(middle),
                turn,
            ]
        )


class FakePolicy:
    """Scripted chunks: `script` is one (K, A) block for every observation, or a function of it.

    `faults` maps the number of an inference (0 is the first) to what goes wrong there: "raise", "nan", "hang" (until
    `release`, at most a minute) or the statuses "done" and "failed". `delay_s` is real time, by `sleep`.
    """

    def __init__(
        self,
        spec: ActionSpec,
        script: Array | Callable[[Observation], Array],
        *,
        dt: float = 0.1,
        delay_s: float = 0.0,
        faults: Mapping[int, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._spec, self._script, self._dt = spec, script, dt
        self._delay, self._faults, self._sleep = delay_s, dict(faults or {}), sleep
        unknown = set(self._faults.values()) - {"raise", "nan", "hang", "done", "failed"}
        if unknown:
            raise ContractError(
                f"FakePolicy.faults has {', '.join(sorted(unknown))}; it knows raise, nan, hang, done, failed."
            )
        self._released = threading.Event()
        self.instructions: list[str] = []
        self.seen: list[Observation] = []

    @property
    def action_spec(self) -> ActionSpec:
        return self._spec

    def reset(self, instruction: str) -> None:
        self.instructions.append(instruction)

    def release(self) -> None:
        """Let a hanging inference go on."""
        self._released.set()

    def infer(self, observation: Observation) -> ActionChunk:
        fault = self._faults.get(len(self.seen))
        self.seen.append(observation)
        if self._delay:
            self._sleep(self._delay)
        if fault == "hang":
            self._released.wait(60.0)
        if fault == "raise":
            raise PolicyError(f"FakePolicy fails at inference {len(self.seen) - 1}, as it was told to.")
        values = np.array(self._script(observation) if callable(self._script) else self._script, dtype=np.float64)
        if fault == "nan":
            values[len(values) // 2, 0] = np.nan
        return ActionChunk(
            stamp=observation.stamp,
            values=values,
            dt=self._dt,
            spec=self._spec.name,
            status=fault if fault in ("done", "failed") else "running",
            note=f"chunk {len(self.seen) - 1}",
        )
