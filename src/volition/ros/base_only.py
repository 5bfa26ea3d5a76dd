"""A robot of which nothing is known but that it takes velocities: the old interface of ROS 1 textbooks, as a Robot.

    Loop -> Command -> BaseOnly.command -> the last safe velocity -> /cmd_vel

It measures nothing, so `read` gives the home posture, standing where it began, stamped now. What needs to see or move
joints cannot be run on it: `walking` and `only_base` refuse that before anything moves.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from volition.errors import ContractError, InstructionError
from volition.policy import Policy
from volition.robots.primitives import PRIMITIVE_ACTION, primitive
from volition.ros.align import Aligner
from volition.runtime.clock import Clock
from volition.types import ActionChunk, ActionSpec, BaseLimits, Command, Observation, RobotSpec, RobotState

LIMITS = BaseLimits(
    velocity=(0.5, 0.5, 0.5),
    acceleration=(1.5, 1.5, 3.0),
    source="the interface of the ROS 1 node: 0.5 m/s and 0.5 rad/s",
)


def walking(spec: RobotSpec) -> RobotSpec:
    """The robot within the speeds of this interface."""
    return replace(spec, base=LIMITS)


class BaseOnly:
    """`velocity` is what the shield let through last, (forward m/s, left m/s, turn rad/s)."""

    def __init__(self, spec: RobotSpec, clock: Clock, aligner: Aligner) -> None:
        self._spec, self._clock, self._aligner = spec, clock, aligner
        self._home = spec.home_position
        self.velocity = np.zeros(3)
        self.commanded_at = clock.now()

    @property
    def spec(self) -> RobotSpec:
        return self._spec

    def read(self) -> RobotState:
        still = np.zeros_like(self._home)
        state = RobotState(
            stamp=self._clock.now(),
            position=self._home,
            velocity=still,
            effort=still,
            base_position=np.array([0.0, 0.0, 0.79]),
            base_quaternion=np.array([1.0, 0.0, 0.0, 0.0]),
            base_velocity=np.zeros(3),
            base_angular_velocity=np.zeros(3),
        )
        self._aligner.add_state(state)
        return state

    def look(self) -> dict[str, np.ndarray]:
        return {}

    def command(self, command: Command) -> None:
        self.velocity, self.commanded_at = command.base_velocity, self._clock.now()


def only_base(policy: Policy) -> Policy:
    """The policy, if it speaks in primitives; what moves arms is refused when it is asked for."""
    if policy.action_spec.name != PRIMITIVE_ACTION.name:
        raise ContractError(
            f"This policy's actions are {policy.action_spec.name!r}; over /cmd_vel only "
            f"{PRIMITIVE_ACTION.name!r} can be done, such as --policy primitives."
        )
    return _OnlyBase(policy)


class _OnlyBase:
    """Refuses an instruction that would be understood as a gesture, if the policy can tell what it understood."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    @property
    def action_spec(self) -> ActionSpec:
        return self._policy.action_spec

    def reset(self, instruction: str) -> None:
        self._policy.reset(instruction)
        plan = getattr(self._policy, "plan", None)
        names = [] if plan is None else [step.primitive for step in plan.steps]
        arms = [name for name in names if primitive(name).gesture not in ("keep", "rest")]
        if arms:
            raise InstructionError(
                f"“{instruction}” asks for {', '.join(arms)}; over /cmd_vel the robot only walks and turns."
            )

    def infer(self, observation: Observation) -> ActionChunk:
        return self._policy.infer(observation)
