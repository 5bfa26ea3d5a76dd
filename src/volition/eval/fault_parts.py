"""Parts of the loop that break on purpose for a while: robot, clock, policy, inference, body, a policy in a child process.

Each wraps a real one and is the real one outside its Window. Put together by `faults.py`.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from dataclasses import dataclass, replace

import numpy as np

from volition.errors import PolicyError
from volition.policy import Policy
from volition.robots.robot import Robot
from volition.runtime.body import Body
from volition.runtime.clock import Clock
from volition.runtime.inference import Answer, SimulatedInference
from volition.types import ActionChunk, ActionPoint, ActionSpec, Command, Observation, RobotSpec, RobotState

ANSWER = 5.0  # s of real time that the child process has for an answer: it shares busy cores


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


class ChildPolicy:
    """A policy in a process of its own, which can be killed and started again: one line of JSON each way, no pickle."""

    def __init__(self, spec: ActionSpec, centre: list[float], swing: list[float]) -> None:
        self._spec, self._setup = spec, {"centre": centre, "swing": swing}
        self.start()

    @property
    def action_spec(self) -> ActionSpec:
        return self._spec

    def start(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-c", _SERVER, json.dumps(self._setup)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._ask(0.0)  # it is there

    def kill(self) -> None:
        self._child.kill()
        self._child.wait()
        for pipe in (self._child.stdin, self._child.stdout):
            if pipe is not None:
                pipe.close()

    @property
    def alive(self) -> bool:
        return self._child.poll() is None

    def reset(self, instruction: str) -> None:
        pass

    def infer(self, observation: Observation) -> ActionChunk:
        values = self._ask(observation.stamp)
        return ActionChunk(stamp=observation.stamp, values=values, dt=0.1, spec=self._spec.name)

    def _ask(self, stamp: float) -> np.ndarray:
        source, sink = self._child.stdout, self._child.stdin
        if source is None or sink is None or not self.alive:
            raise PolicyError("The policy's process is gone.")
        try:
            os.write(sink.fileno(), f"{stamp}\n".encode())
            if not select.select([source], [], [], ANSWER)[0]:
                raise PolicyError("The policy's process does not answer.")
            return np.array(json.loads(source.readline()))
        except (OSError, ValueError) as error:
            raise PolicyError(f"The policy's process failed: {error}.") from error


# Standard library only, so that it is there at once.
_SERVER = """
import json, math, sys
setup = json.loads(sys.argv[1])
for line in sys.stdin:
    begin = float(line)
    times = [begin + 0.1 * (step + 1) for step in range(10)]
    rows = [[c + s * math.sin(1.5 * t) for c, s in zip(setup["centre"], setup["swing"])] for t in times]
    print(json.dumps(rows), flush=True)
"""
