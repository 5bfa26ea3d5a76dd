"""The simulated G1: motors, onboard balance controller and sensors around a World; and the clock that moves both.

What is in here is what a real G1 does below our Command: its motors follow targets with the gains below, with the
pull of gravity on the arms fed forward, and its balance controller runs at 50 Hz whether or not commands arrive.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from volition.body.balance import BalanceController
from volition.body.self_model import SelfModel
from volition.body.walker import Walker
from volition.errors import ContractError
from volition.sim.render import Renderer
from volition.sim.world import World
from volition.transforms.rotation import rotate_inverse
from volition.types import Command, RobotSpec, RobotState

# Position gain and damping of the commanded joints (N m/rad, N m s/rad): stiff enough for millimetres at the hand.
_GAINS = {"shoulder": (80.0, 3.0), "elbow": (80.0, 3.0), "wrist": (40.0, 1.5), "hand": (2.0, 0.1)}
INTEGRAL = 3.0  # 1/s: how fast an arm's motors make up for a load that the self-model does not know of
MOST_INTEGRAL = 0.1  # rad of target, 8 N m at the elbow
STILL = 0.3  # rad/s: a joint moving faster than this does not integrate
WATCHDOG = 0.2  # s: without a command for this long the base stops


class SimRobot:
    """Implements Robot. `advance` is the passing of time; SimClock calls it."""

    def __init__(
        self, world: World, *, renderer: Renderer | None = None, after: Callable[[], None] | None = None
    ) -> None:
        """`after` is called after every tick of physics, for what changes in a scene beside its motion."""
        self._world, self._renderer, self._after = world, renderer, after
        self._spec = world.robot
        self.balance = BalanceController(self._spec)
        self.walker = Walker(self._spec)
        self.self_model = SelfModel(self._spec)
        self._index = self._spec.commanded_index
        self._arms = np.array([joint.group.endswith("_arm") for joint in self._spec.commanded])
        self._kp = np.empty(len(self._spec.joints))
        self._motors()
        self._substeps = round(1.0 / (self._spec.control_rate_hz * world.model.opt.timestep))
        self.reset()

    @property
    def spec(self) -> RobotSpec:
        return self._spec

    def reset(self) -> None:
        """Forget the last command: hold the posture the world is in."""
        self.balance.reset()
        self.walker.reset()
        self._targets = self._world.data.qpos[self._world.qpos].copy()
        self._base_velocity = np.zeros(3)
        self._commanded_at = self._world.time
        self._integral = np.zeros(len(self._index))

    def read(self) -> RobotState:
        world, data = self._world, self._world.data
        first, dof = world.base_qpos, world.base_dof
        quaternion = data.qpos[first + 3 : first + 7].copy()
        return RobotState(
            stamp=data.time,
            position=data.qpos[world.qpos],
            velocity=data.qvel[world.dof],
            effort=data.qfrc_actuator[world.dof],
            base_position=data.qpos[first : first + 3],
            base_quaternion=quaternion,
            base_velocity=rotate_inverse(quaternion, data.qvel[dof : dof + 3]),
            base_angular_velocity=data.qvel[dof + 3 : dof + 6],
        )

    def look(self) -> dict[str, np.ndarray]:
        if self._renderer is None:
            return {}
        return {camera.name: self._renderer.camera(camera.name) for camera in self._spec.cameras}

    def command(self, command: Command) -> None:
        finite = np.isfinite(command.position).all() and np.isfinite(command.base_velocity).all()
        if command.position.shape != self._index.shape or not finite:
            raise ContractError(
                "SimRobot.command got targets that are not finite or not 28; a shield must come before it."
            )
        self._targets[self._index] = command.position
        self._base_velocity = command.base_velocity
        self._commanded_at = self._world.time

    def advance(self, until: float) -> None:
        """Let time pass: one balance tick and its physics steps, again and again."""
        world, tick = self._world, self._substeps * self._world.model.opt.timestep
        while world.time < until - 0.5 * tick:
            state = self.read()
            self.self_model.update(state)
            late = world.time - self._commanded_at > WATCHDOG
            wanted = np.zeros(3) if late else self._base_velocity
            self._targets[self.balance.index] = self.balance.step(
                state, self.walker.step(wanted, state, self.balance.may_stand), self.self_model.shift
            )
            feed = self._targets.copy()
            feed[self._index] += self._load(state) + self.self_model.gravity / self._kp[self._index]
            world.data.ctrl[world.actuators] = feed
            world.step(self._substeps)
            if self._after is not None:
                self._after()

    def _load(self, state: RobotState) -> np.ndarray:
        """Integral action of the arms' joints, (C,); fingers have none, so that a grasp is not squeezed ever harder."""
        error = (self._targets - state.position)[self._index]
        slow = self._arms & (np.abs(state.velocity[self._index]) < STILL)
        step = INTEGRAL / self._spec.control_rate_hz
        self._integral = np.clip(self._integral + np.where(slow, step * error, 0.0), -MOST_INTEGRAL, MOST_INTEGRAL)
        return self._integral

    def _motors(self) -> None:
        """Position motors with each joint's gains; the torque is clipped to the joint's effort limit."""
        model = self._world.model
        for number, (joint, actuator) in enumerate(zip(self._spec.joints, self._world.actuators, strict=True)):
            if joint.group in self._spec.commanded_groups:
                part = "hand" if "_hand_" in joint.name else joint.name.split("_")[1]
                kp, kd = _GAINS[part]
            else:
                kp, kd = self.balance.gains[joint.name]
            self._kp[number] = kp
            model.actuator_gainprm[actuator, 0] = kp
            model.actuator_biasprm[actuator, 1:3] = (-kp, -kd)
            model.actuator_ctrllimited[actuator] = 0
            model.actuator_forcelimited[actuator] = 1
            model.actuator_forcerange[actuator] = (-joint.effort, joint.effort)


class SimClock:
    """A Clock whose waiting is physics: sleeping until t moves the robot's world to t."""

    def __init__(self, robot: SimRobot, world: World) -> None:
        self._robot, self._world = robot, world

    def now(self) -> float:
        return self._world.time

    def sleep_until(self, time: float) -> None:
        self._robot.advance(time)
