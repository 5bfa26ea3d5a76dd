"""The robot's state as a vector of named numbers, both ways: a client makes it, a server makes a RobotState of it again.

    RobotState -> Numbers(names).vector -> (S,) --wire--> measured -> RobotState

Names: every joint (its angle, rad), `base.forward`, `base.left` (m/s), `base.turn` (rad/s), `base.roll`, `base.pitch` (rad),
`base.height` (m); a client can also give the rest of what data sets call `observation.state`: where the hands are.
"""

from __future__ import annotations

import numpy as np

from volition.body.proprioception import Proprioception, roll_and_pitch
from volition.errors import ContractError
from volition.serve.schema import STATE, Vector
from volition.transforms.rotation import from_rotvec, multiply
from volition.types import RobotSpec, RobotState

BASE = {
    "base.forward": "m/s",
    "base.left": "m/s",
    "base.turn": "rad/s",
    "base.roll": "rad",
    "base.pitch": "rad",
    "base.height": "m",
}


def state_vector(robot: RobotSpec) -> Vector:
    """What a server of ours asks for: what every robot measures, without kinematics of its own."""
    names = (*robot.joint_names, *BASE)
    return Vector(key=STATE, names=names, units=("rad",) * len(robot.joints) + tuple(BASE.values()))


def measured(robot: RobotSpec, values: np.ndarray, stamp: float) -> RobotState:
    """`values` as `state_vector` names them. What is not among them (place, heading, joint velocities) is 0."""
    joints = len(robot.joints)
    forward, left, turn, roll, pitch, height = values[joints:]
    still = np.zeros(joints)
    return RobotState(
        stamp=stamp,
        position=values[:joints],
        velocity=still,
        effort=still,
        base_position=np.array([0.0, 0.0, height]),
        base_quaternion=multiply(from_rotvec(np.array([0.0, pitch, 0.0])), from_rotvec(np.array([roll, 0.0, 0.0]))),
        base_velocity=np.array([forward, left, 0.0]),
        base_angular_velocity=np.array([0.0, 0.0, turn]),
    )


class Numbers:
    """Those of a robot that a schema asks for, in its order."""

    def __init__(self, robot: RobotSpec, names: tuple[str, ...]) -> None:
        here = (*robot.joint_names, *BASE)
        self._hands = None if set(names) <= set(here) else Proprioception(robot)
        known = here if self._hands is None else (*here, *self._hands.names)
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ContractError(
                f"The server asks for {', '.join(unknown[:5])}, which {robot.name} does not measure; "
                f"it can give its joints by name, {', '.join(BASE)}, left.x and so on (docs/servers.md lists them)."
            )
        self._index = np.array([known.index(name) for name in names])

    def vector(self, state: RobotState) -> np.ndarray:
        roll, pitch = roll_and_pitch(state.base_quaternion)
        forward, left, _ = state.base_velocity
        base = np.array([forward, left, state.base_angular_velocity[2], roll, pitch, state.base_position[2]])
        hands = () if self._hands is None else self._hands.vector(state)
        return np.concatenate([state.position, base, hands])[self._index]
