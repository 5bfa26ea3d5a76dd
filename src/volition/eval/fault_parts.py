"""Parts of the loop that break on purpose for a while: robot, clock, policy, inference, body, a server in another process.

Each wraps a real one and is the real one outside its Window. Put together by `faults.py`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from volition.errors import PolicyError
from volition.eval.script import Script, ScriptPolicy
from volition.policy import Policy
from volition.robots.g1 import g1
from volition.robots.robot import Robot
from volition.runtime.body import Body
from volition.runtime.clock import Clock
from volition.runtime.inference import Answer, SimulatedInference
from volition.types import ActionChunk, ActionPoint, ActionSpec, Command, Observation, RobotSpec, RobotState

SPEC = g1(32)
Plan = tuple[list[float], list[float]]  # middle and swing of each number of the `joint` space


def swinging(plan: Plan) -> ScriptPolicy:
    """What the robot does as long as nothing breaks."""
    centre, swing = (np.array(part) for part in plan)
    return ScriptPolicy(SPEC, Script("joint", lambda t: centre + swing * np.sin(1.5 * t)))


@dataclass(frozen=True, kw_only=True)
class Window:
    """When the fault is there, in seconds of the simulation, whatever the loop's clock shows."""

    begin: float
    end: float

    def on(self, now: float) -> bool:
        return self.begin <= now < self.end


class FaultyClock:
    """The simulation's clock, `shift` seconds off from the window's beginning on."""

    def __init__(self, clock: Clock, window: Window, shift: float) -> None:
        self._clock, self._window, self._shift = clock, window, shift

    @property
    def shift(self) -> float:
        return self._shift if self._clock.now() >= self._window.begin else 0.0

    @property
    def true(self) -> float:
        return self._clock.now()

    def now(self) -> float:
        return self._clock.now() + self.shift

    def sleep_until(self, time: float, /) -> None:
        self._clock.sleep_until(time - self.shift)


class FaultyRobot:
    """Cameras that freeze, go black or drop frames; a sensor bus that falls silent. Keeps every command it got."""

    def __init__(self, robot: Robot, clock: FaultyClock, window: Window, fault: str, rng: np.random.Generator) -> None:
        self._robot, self._clock, self._window, self._fault, self._rng = robot, clock, window, fault, rng
        self._state: RobotState | None = None
        self._seen: dict[str, np.ndarray] = {}
        self.commands: list[Command] = []

    @property
    def spec(self) -> RobotSpec:
        return self._robot.spec

    def read(self) -> RobotState:
        silent = self._fault == "sensors silent" and self._window.on(self._clock.true)
        if self._state is None or not silent:
            state = self._robot.read()
            self._state = replace(state, stamp=state.stamp + self._clock.shift)
        return self._state

    def look(self) -> dict[str, np.ndarray]:
        on = self._window.on(self._clock.true)
        if on and self._fault == "camera black":
            return {name: np.zeros_like(image) for name, image in self._seen.items()}
        dropped = self._fault == "camera drops" and self._rng.random() < 0.2
        if not (on and (dropped or self._fault == "camera frozen")) or not self._seen:
            self._seen = self._robot.look()
        return self._seen

    def command(self, command: Command) -> None:
        self.commands.append(command)
        self._robot.command(command)


class FaultyPolicy:
    """Raises, or answers with numbers that are not finite, of a wrong shape or far out of bounds."""

    def __init__(self, policy: Policy, clock: FaultyClock, window: Window, fault: str) -> None:
        self._policy, self._clock, self._window, self._fault = policy, clock, window, fault

    @property
    def action_spec(self) -> ActionSpec:
        return self._policy.action_spec

    def reset(self, instruction: str) -> None:
        self._policy.reset(instruction)

    def infer(self, observation: Observation) -> ActionChunk:
        chunk = self._policy.infer(observation)
        if not self._window.on(self._clock.true):
            return chunk
        values = chunk.values.copy()
        if self._fault in ("policy raises", "policy dies"):
            raise PolicyError("The policy fails, as it was told to.")
        if self._fault == "policy not finite":
            values[len(values) // 2] = np.nan
        elif self._fault == "policy wrong shape":
            values = values[:, :-1]
        elif self._fault == "policy out of range":
            values = values * 40.0 + 7.0
        return replace(chunk, values=values)


class StallingInference(SimulatedInference):
    """Says nothing while the window is open, then what it would have said."""

    clock: FaultyClock
    window: Window

    def poll(self, now: float) -> Answer | None:
        return None if self.window.on(self.clock.true) else super().poll(now)


class FaultyBody:
    """Inverse kinematics that find nothing."""

    def __init__(self, body: Body, clock: FaultyClock, window: Window) -> None:
        self._body, self._clock, self._window = body, clock, window

    def reset(self, state: RobotState) -> None:
        self._body.reset(state)

    def resolve(self, point: ActionPoint, state: RobotState) -> Command:
        if self._window.on(self._clock.true):
            raise ArithmeticError("the solver found no solution")
        return self._body.resolve(point, state)


class Serving(Protocol):
    """A policy server in a process of its own, in front of which `policy` stands; made by a part above this one."""

    @property
    def policy(self) -> Policy: ...

    def answers(self) -> bool:
        """Whether it takes requests; does not wait."""
        ...

    def start(self) -> None:
        """On the same port as before; does not wait until it answers."""
        ...

    def kill(self) -> None: ...

    def close(self) -> None: ...


class PacedClock:
    """The simulation's clock, never faster than real time: for whatever waits in real time, as a network does.

    A machine that is too slow makes it late and it stays so: what was lost is not made up for in a hurry.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._zero = time.monotonic() - clock.now()  # real time at which the clock showed 0

    def now(self) -> float:
        return self._clock.now()

    def sleep_until(self, until: float, /) -> None:
        self._clock.sleep_until(until)
        early = self._zero + self._clock.now() - time.monotonic()
        if early > 0:
            time.sleep(early)
        else:
            self._zero -= early
