"""The nouns of the whole project, and nothing else: every package speaks in these.

    Observation -> Policy -> ActionChunk -> Executor -> Body -> Command -> Shield -> Robot -> RobotState

Legend of shapes: `B` batch, `T` observation steps, `V` cameras, `H W C` image, `N` tokens, `D` width,
`K` action steps, `A` action dimensions, `J` joints of the robot, `C` commanded joints.
Units are SI and radians; quaternions are wxyz; images are uint8 HWC; joints are matched by name.
The descriptions of a robot (RobotSpec, ActionSpec, CameraSpec) are in `specs.py` and re-exported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from volition.errors import ContractError
from volition.specs import (
    ActionDimension,
    ActionSpec,
    BaseLimits,
    CameraSpec,
    JointSpec,
    RobotSpec,
    SafeAction,
)

__all__ = [
    "ActionChunk",
    "ActionDimension",
    "ActionPoint",
    "ActionSpec",
    "Ahead",
    "BaseLimits",
    "CameraSpec",
    "Command",
    "Intervention",
    "JointSpec",
    "Observation",
    "RobotSpec",
    "RobotState",
    "SafeAction",
]

Array = np.ndarray


def _vector(owner: str, name: str, value: object, size: int | None = None) -> Array:
    """A read-only float64 vector, or a ContractError that names the field."""
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ContractError(f"{owner}.{name} is {value!r}; it must be a vector of numbers.") from error
    if array.ndim != 1 or (size is not None and array.shape[0] != size):
        wanted = "any length" if size is None else f"length {size}"
        raise ContractError(f"{owner}.{name} has shape {array.shape}; it must be a vector of {wanted}.")
    array.setflags(write=False)
    return array


def _stamp(owner: str, value: float) -> float:
    if not np.isfinite(value) or value < 0:
        raise ContractError(f"{owner}.stamp is {value}; it must be finite seconds of the robot's clock, at least 0.")
    return float(value)


@dataclass(frozen=True, kw_only=True)
class RobotState:
    """What the robot measures at one instant. Joints follow `RobotSpec.joint_names`; the base is the pelvis.

    The base pose is odometry in a fixed world frame; velocities of the base are in the pelvis frame.
    """

    stamp: float
    position: Array  # (J,) rad
    velocity: Array  # (J,) rad/s
    effort: Array  # (J,) N m
    base_position: Array  # (3,) m, world
    base_quaternion: Array  # (4,) wxyz, world
    base_velocity: Array  # (3,) m/s, pelvis frame
    base_angular_velocity: Array  # (3,) rad/s, pelvis frame

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "stamp", _stamp("RobotState", self.stamp))
        put(self, "position", _vector("RobotState", "position", self.position))
        joints = self.position.shape[0]
        for name, size in (
            ("velocity", joints),
            ("effort", joints),
            ("base_position", 3),
            ("base_quaternion", 4),
            ("base_velocity", 3),
            ("base_angular_velocity", 3),
        ):
            put(self, name, _vector("RobotState", name, getattr(self, name), size))

    def is_finite(self) -> bool:
        vectors = (self.position, self.velocity, self.base_position, self.base_quaternion)
        return all(bool(np.isfinite(vector).all()) for vector in vectors)


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """What the robot will do anyway while a policy thinks: the rest of the chunk that runs, from the executor.

    Step k is meant for `stamp + (k + 1) * dt`, with the stamp of the observation it comes with. The first `fixed` steps
    will be past or under way when the answer can be there; the others are what a new chunk would replace.
    """

    values: Array  # (N, A)
    dt: float
    spec: str  # name of the ActionSpec
    fixed: int  # at most N

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float64)
        if values.ndim != 2 or 0 in values.shape or not np.isfinite(values).all():
            raise ContractError(
                f"Ahead.values has shape {values.shape}; it must be (N, A), at least 1 x 1, and finite."
            )
        values.setflags(write=False)
        object.__setattr__(self, "values", values)
        if not 0 <= self.fixed <= len(values):
            raise ContractError(f"Ahead.fixed is {self.fixed}; it must be 0 to {len(values)}, the steps there are.")


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What a policy is given: pictures, the robot's state and the instruction, stamped by the robot's clock.

    `ahead` is for policies that can go on from what is under way; others need not look at it.
    """

    stamp: float
    state: RobotState
    images: Mapping[str, Array]  # camera name -> (H, W, 3) uint8
    instruction: str
    ahead: Ahead | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "stamp", _stamp("Observation", self.stamp))
        if not isinstance(self.instruction, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ContractError(f"Observation.instruction is {self.instruction!r}; it must be text.")
        for name, image in self.images.items():
            array = isinstance(image, np.ndarray)  # pyright: ignore[reportUnnecessaryIsInstance]
            if not array or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
                given = f"{getattr(image, 'dtype', type(image).__name__)} {getattr(image, 'shape', '')}".strip()
                raise ContractError(
                    f"Observation.images[{name!r}] is {given}; it must be uint8 of shape (H, W, 3), RGB."
                )

    def check(self, robot: RobotSpec) -> None:
        """Raise unless the state and pictures are those the robot's spec promises."""
        if self.state.position.shape[0] != len(robot.joints):
            raise ContractError(
                f"Observation.state has {self.state.position.shape[0]} joints; {robot.name} has {len(robot.joints)}."
            )
        for name, image in self.images.items():
            camera = robot.camera(name)
            if image.shape[:2] != (camera.height, camera.width):
                raise ContractError(
                    f"Observation.images[{name!r}] is {image.shape[0]}x{image.shape[1]}; "
                    f"{robot.name} declares {camera.height}x{camera.width}."
                )


@dataclass(frozen=True, kw_only=True)
class ActionChunk:
    """K future actions in physical units, made from the observation whose stamp it echoes.

    Step k is meant for `stamp + (k + 1) * dt`. `status` tells whether the policy believes its task is
    running, done or failed; `note` is for people (what it understood, which step it is on). `doubt` is how unsure
    the policy was, by what it was measured; larger is more doubtful, and only a calibration gives it a meaning.
    """

    stamp: float
    values: Array  # (K, A)
    dt: float
    spec: str  # name of the ActionSpec
    status: Literal["running", "done", "failed"] = "running"
    note: str = ""
    doubt: Mapping[str, float] = field(default_factory=dict[str, float])

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "stamp", _stamp("ActionChunk", self.stamp))
        values = np.array(self.values, dtype=np.float64)
        if values.ndim != 2 or 0 in values.shape:
            raise ContractError(f"ActionChunk.values has shape {values.shape}; it must be (K, A), at least 1 x 1.")
        values.setflags(write=False)
        put(self, "values", values)
        if not np.isfinite(self.dt) or not 0.001 <= self.dt <= 10:
            raise ContractError(f"ActionChunk.dt is {self.dt}; it must be seconds a step, 0.001 to 10.")
        if self.status not in ("running", "done", "failed"):
            raise ContractError(f"ActionChunk.status is {self.status!r}; it must be running, done or failed.")

    @property
    def end(self) -> float:
        """The time of the last step."""
        return self.stamp + self.values.shape[0] * self.dt


@dataclass(frozen=True, kw_only=True)
class ActionPoint:
    """One instant of an ActionChunk, at 50 Hz: what the executor samples and the body turns into a Command.

    `chunk_stamp` is the stamp of the chunk behind it; `exhausted` is how long ago that chunk ended (s, 0 while
    it runs): then absolute and discrete values are held and velocities have been let down to zero.
    """

    stamp: float
    values: Array  # (A,)
    spec: str  # name of the ActionSpec
    chunk_stamp: float
    exhausted: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "stamp", _stamp("ActionPoint", self.stamp))
        object.__setattr__(self, "values", _vector("ActionPoint", "values", self.values))


@dataclass(frozen=True, kw_only=True)
class Command:
    """What one control tick asks of the robot: targets for the commanded joints and a velocity for the base.

    The joints that balance (legs and waist of the G1) are not in it: the robot's balance controller moves
    them so that the base follows `base_velocity`. Values may be wrong in any way; the shield makes them safe.
    """

    stamp: float  # when it is to act
    position: Array  # (C,) rad, order of RobotSpec.commanded
    base_velocity: Array  # (3,) forward m/s, left m/s, turn rad/s, in the pelvis' heading frame
    chunk_stamp: float | None = None  # stamp of the observation behind it; None: no policy is behind it

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "position", _vector("Command", "position", self.position))
        put(self, "base_velocity", _vector("Command", "base_velocity", self.base_velocity, 3))


@dataclass(frozen=True, kw_only=True)
class Intervention:
    """One change the shield made, or one chunk it refused: why, where, and the value before and after."""

    stamp: float
    reason: str  # one of volition.safety.reasons
    where: str = ""  # a joint, "base.forward", a pair of bodies, a dimension of the chunk
    before: float | None = None
    after: float | None = None
    detail: str = ""
