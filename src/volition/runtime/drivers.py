"""Who may drive when a person takes over: walking by hand, or any policy. Oversight.take_over(driver) -> Commands."""

from __future__ import annotations

import threading

import numpy as np

from volition.robots.robot import Robot
from volition.runtime.body import Body
from volition.runtime.executor import Executor
from volition.runtime.inference import Inference
from volition.runtime.rest import Rest
from volition.types import Command, Observation, RobotSpec, RobotState

DEAD_MAN = 0.5  # s: a velocity that is not renewed for this long is zero again


class Walk:
    """Walking by hand, arms and hands held still. `set` from any thread, again and again while it is meant."""

    def __init__(self, robot: RobotSpec) -> None:
        self._robot = robot
        self._lock = threading.Lock()
        self._velocity = np.zeros(3)
        self._fresh = False
        self._since = 0.0
        self._rest: Rest | None = None

    def set(self, forward: float, left: float, turn: float) -> None:
        """m/s, m/s, rad/s"""
        with self._lock:
            self._velocity = np.array([forward, left, turn], dtype=float)
            self._fresh = True

    def begin(self, state: RobotState, sent: Command) -> None:
        with self._lock:
            self._velocity, self._fresh = np.zeros(3), False
        still = np.zeros_like(sent.position)
        self._rest = Rest(self._robot, sent.position, still, np.zeros(3), state.stamp)

    def command(self, state: RobotState, now: float) -> Command | None:
        if self._rest is None:
            return None
        with self._lock:
            if self._fresh:
                self._since, self._fresh = now, False
            velocity = self._velocity if now - self._since <= DEAD_MAN else np.zeros(3)
        held = self._rest.command(now)
        return Command(stamp=now, position=held.position, base_velocity=velocity)


class Follow:
    """Another policy (a person's remote control, a script) with its own inference, executor and body."""

    def __init__(self, robot: Robot, inference: Inference, executor: Executor, body: Body, instruction: str) -> None:
        self._robot, self._inference, self._executor, self._body = robot, inference, executor, body
        self._instruction = instruction
        self._period = 1.0 / robot.spec.policy_rate_hz
        self._at = 0.0
        self._rest: Rest | None = None

    def begin(self, state: RobotState, sent: Command) -> None:
        self._inference.start(self._instruction)
        self._executor.reset()
        self._body.reset(state)
        self._at = state.stamp
        self._rest = Rest(self._robot.spec, sent.position, np.zeros_like(sent.position), np.zeros(3), state.stamp)

    def command(self, state: RobotState, now: float) -> Command | None:
        if now >= self._at - 1e-6:
            self._at = max(self._at + self._period, now)
            images = self._robot.look()
            self._inference.submit(
                Observation(stamp=state.stamp, state=state, images=images, instruction=self._instruction)
            )
        while (answer := self._inference.poll(now)) is not None:
            if answer.chunk is not None:
                self._executor.accept(answer.chunk, now)
        point = self._executor.sample(now)
        if point is not None:
            return self._body.resolve(point, state)
        return None if self._rest is None else self._rest.command(now)
