"""The descriptions that a robot, its cameras and its action spaces are checked against; part of the nouns in `types.py`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from volition.errors import ContractError

GROUPS = ("left_arm", "right_arm", "left_hand", "right_hand", "waist", "legs", "head", "base")
Meaning = Literal["absolute", "delta", "velocity", "discrete"]


def _positive(owner: str, name: str, value: float) -> None:
    if not math.isfinite(value) or value <= 0:
        raise ContractError(f"{owner}.{name} is {value}; it must be a finite number above 0.")


def _unique(owner: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ContractError(f"{owner} names {', '.join(twice)} more than once; every name must be its own.")


@dataclass(frozen=True, kw_only=True)
class JointSpec:
    """One joint with the limits that the shield enforces; `source` says where the numbers come from."""

    name: str
    group: str
    position: tuple[float, float]  # rad
    velocity: float  # rad/s
    acceleration: float  # rad/s^2
    jerk: float  # rad/s^3
    effort: float  # N m
    source: str

    def __post_init__(self) -> None:
        if self.group not in GROUPS:
            raise ContractError(
                f"JointSpec {self.name}: group is {self.group!r}; it must be one of {', '.join(GROUPS)}."
            )
        low, high = self.position
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ContractError(
                f"JointSpec {self.name}: position is {self.position}; it must be (low, high), low < high."
            )
        for name in ("velocity", "acceleration", "jerk", "effort"):
            _positive(f"JointSpec {self.name}", name, getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class CameraSpec:
    """One camera: where it sits on which body (x forward, y left, z up), its picture and its rate."""

    name: str
    body: str
    position: tuple[float, float, float]  # m, in the body's frame
    pitch: float  # rad, downwards positive
    yaw: float  # rad, leftwards positive
    field_of_view: float  # rad, vertical
    height: int
    width: int
    rate_hz: float
    source: str

    def __post_init__(self) -> None:
        if not 0.1 < self.field_of_view < 3.0:
            raise ContractError(
                f"CameraSpec {self.name}: field_of_view is {self.field_of_view}; it must be 0.1 to 3 rad."
            )
        for name in ("height", "width"):
            value = getattr(self, name)
            if not isinstance(value, int) or not 8 <= value <= 4096:
                raise ContractError(f"CameraSpec {self.name}: {name} is {value!r}; it must be 8 to 4096 pixels.")
        _positive(f"CameraSpec {self.name}", "rate_hz", self.rate_hz)


@dataclass(frozen=True, kw_only=True)
class ActionDimension:
    """One number of an action: its name, unit, meaning and bounds (for `discrete`: the ids low..high)."""

    name: str
    unit: str
    meaning: Meaning
    low: float
    high: float

    def __post_init__(self) -> None:
        if self.meaning not in ("absolute", "delta", "velocity", "discrete"):
            raise ContractError(
                f"ActionDimension {self.name}: meaning is {self.meaning!r}; "
                "it must be absolute, delta, velocity or discrete."
            )
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ContractError(
                f"ActionDimension {self.name}: bounds are ({self.low}, {self.high}); low must be below high, both finite."
            )


@dataclass(frozen=True, kw_only=True)
class ActionSpec:
    """What the numbers of an action mean. `rotations` are the first indices of rotation vectors (3 dimensions each)."""

    name: str
    dimensions: tuple[ActionDimension, ...]
    rotations: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.dimensions:
            raise ContractError(f"ActionSpec {self.name} has no dimensions; it needs at least one.")
        _unique(f"ActionSpec {self.name}", list(self.names))
        for first in self.rotations:
            if not 0 <= first <= len(self.dimensions) - 3:
                raise ContractError(
                    f"ActionSpec {self.name}: rotation at {first} is outside its {len(self.dimensions)} dimensions."
                )

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(dimension.name for dimension in self.dimensions)

    @cached_property
    def low(self) -> np.ndarray:
        return np.array([dimension.low for dimension in self.dimensions])

    @cached_property
    def high(self) -> np.ndarray:
        return np.array([dimension.high for dimension in self.dimensions])

    @cached_property
    def discrete(self) -> np.ndarray:
        return np.array([dimension.meaning == "discrete" for dimension in self.dimensions])

    def index(self, name: str) -> int:
        if name not in self.names:
            raise ContractError(f"ActionSpec {self.name} has no dimension {name!r}; it has {', '.join(self.names)}.")
        return self.names.index(name)

    def problems(self, values: np.ndarray) -> list[str]:
        """Everything wrong with a (K, A) block of actions, each naming step, dimension, value and what is allowed."""
        if values.ndim != 2 or values.shape[1] != len(self.dimensions):
            return [f"shape is {values.shape}; {self.name} has (K, {len(self.dimensions)})"]
        found: list[str] = []
        whole = values == np.round(values)
        for step, column in np.argwhere(~np.isfinite(values) | (self.discrete & ~whole)).tolist():
            value, dimension = values[step, column], self.dimensions[column]
            wanted = "a whole number" if np.isfinite(value) else "finite"
            found.append(f"step {step}, {dimension.name} is {value}; it must be {wanted}")
        outside = np.isfinite(values) & ((values < self.low - 1e-9) | (values > self.high + 1e-9))
        for step, column in np.argwhere(outside).tolist():
            dimension = self.dimensions[column]
            found.append(
                f"step {step}, {dimension.name} is {values[step, column]:.4g} {dimension.unit}; "
                f"allowed is {dimension.low:.4g} to {dimension.high:.4g}"
            )
        return found

    def check(self, values: np.ndarray) -> None:
        found = self.problems(np.asarray(values, dtype=np.float64))
        if found:
            more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            raise ContractError(f"ActionChunk for {self.name!r}: {found[0]}{more}.")


@dataclass(frozen=True, kw_only=True)
class BaseLimits:
    """Limits of the walking command: forward, left, turn (m/s, m/s, rad/s) and how fast it may change."""

    velocity: tuple[float, float, float]
    acceleration: tuple[float, float, float]
    source: str

    def __post_init__(self) -> None:
        for name in ("velocity", "acceleration"):
            for value in getattr(self, name):
                _positive("BaseLimits", name, value)


@dataclass(frozen=True, kw_only=True)
class SafeAction:
    """What the robot does on any fault: the balance controller stays on, the base stops, these groups hold still."""

    hold: tuple[str, ...]
    balance: bool = True


@dataclass(frozen=True, kw_only=True)
class RobotSpec:
    """One robot: joints in named groups, limits, cameras, rates, safe action and the action spaces it takes."""

    name: str
    joints: tuple[JointSpec, ...]
    commanded_groups: tuple[str, ...]  # what a Command sets; the rest is moved by the robot's balance controller
    home: Mapping[str, float]  # rad by joint name: where the robot stands at ease
    base: BaseLimits
    cameras: tuple[CameraSpec, ...]
    actions: tuple[ActionSpec, ...]
    safe_action: SafeAction
    control_rate_hz: float = 50.0
    policy_rate_hz: float = 10.0

    def __post_init__(self) -> None:
        owner = f"RobotSpec {self.name}"
        _unique(f"{owner} joints", list(self.joint_names))
        _unique(f"{owner} cameras", [camera.name for camera in self.cameras])
        _unique(f"{owner} actions", [action.name for action in self.actions])
        for group in (*self.commanded_groups, *self.safe_action.hold):
            if group not in GROUPS:
                raise ContractError(f"{owner}: group {group!r} is unknown; groups are {', '.join(GROUPS)}.")
        missing = sorted(set(self.joint_names) ^ set(self.home))
        if missing:
            raise ContractError(f"{owner}.home and its joints differ in {', '.join(missing)}; each joint needs a home.")
        for joint in self.joints:
            angle, (low, high) = self.home[joint.name], joint.position
            if not low <= angle <= high:
                raise ContractError(f"{owner}.home[{joint.name}] is {angle}; allowed is {low} to {high} rad.")
        _positive(owner, "control_rate_hz", self.control_rate_hz)
        _positive(owner, "policy_rate_hz", self.policy_rate_hz)

    @cached_property
    def joint_names(self) -> tuple[str, ...]:
        return tuple(joint.name for joint in self.joints)

    @cached_property
    def commanded(self) -> tuple[JointSpec, ...]:
        """The joints a Command sets, in its order."""
        return tuple(joint for joint in self.joints if joint.group in self.commanded_groups)

    @cached_property
    def commanded_index(self) -> np.ndarray:
        """Where the commanded joints stand among all joints, (C,)."""
        return np.array([self.joint_names.index(joint.name) for joint in self.commanded], dtype=np.intp)

    @cached_property
    def home_position(self) -> np.ndarray:
        """The home posture of all joints, (J,)."""
        return np.array([self.home[name] for name in self.joint_names])

    def group(self, name: str) -> tuple[JointSpec, ...]:
        if name not in GROUPS:
            raise ContractError(f"RobotSpec {self.name}: group {name!r} is unknown; groups are {', '.join(GROUPS)}.")
        return tuple(joint for joint in self.joints if joint.group == name)

    def camera(self, name: str) -> CameraSpec:
        for camera in self.cameras:
            if camera.name == name:
                return camera
        names = ", ".join(camera.name for camera in self.cameras) or "none"
        raise ContractError(f"RobotSpec {self.name} has no camera {name!r}; it has {names}.")

    def action(self, name: str) -> ActionSpec:
        for action in self.actions:
            if action.name == name:
                return action
        names = ", ".join(action.name for action in self.actions)
        raise ContractError(f"RobotSpec {self.name} has no action space {name!r}; it has {names}.")
