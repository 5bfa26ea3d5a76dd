"""The settings of `volition ros2`, `volition ros1` and of the nodes' parameters: checked when built, no ROS."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from volition.errors import ContractError

# Parameter -> topic. The cameras are the robot's own names; a policy gets those that it looks at.
TOPICS = {
    "camera.head": "/camera/front/image",
    "camera.left_wrist": "/camera/left/image",
    "camera.right_wrist": "/camera/right/image",
    "joint_states": "/joint_states",
    "odometry": "/odom",
    "surroundings": "/surroundings",
    "instruction": "/instruction",
    "joint_commands": "/joint_commands",
    "velocity": "/cmd_vel",
    "status": "/volition/status",
    "interventions": "/volition/interventions",
    "diagnostics": "/diagnostics",
}
CAMERA = "camera."


@dataclass(frozen=True, kw_only=True)
class Ros2Config:
    """Put a policy on a robot with ROS 2: topics in, joint commands out, through the loop and the shield.

    Example: volition ros2 --policy primitives --ros-args="-p camera.head:=/d435/color/image_raw"
    """

    policy: str = "primitives"
    """`primitives`, `rival`, a checkpoint's folder, or the address of a policy server as ws://127.0.0.1:8000."""
    managed: bool = False
    """Wait for a lifecycle manager to configure and activate the node, instead of doing it at once."""
    record: Path | None = None
    """Folder; every task is recorded into a folder of its own inside it."""
    careful: bool = False
    """Every limit of the shield, a slow start, pictures checked, a hanging loop stopped: for a robot that is real."""
    pixels: int = 128
    """Size of the pictures that a policy server is sent; other policies know theirs."""
    ros_args: str = ""
    """What ROS takes after --ros-args, in quotes: remappings, parameters, log levels."""

    def __post_init__(self) -> None:
        if not 8 <= self.pixels <= 4096:
            raise ContractError(f"Ros2Config.pixels is {self.pixels}; it must be 8 to 4096.")


@dataclass(frozen=True, kw_only=True)
class Ros1Config:
    """Drive a robot's base with ROS 1: /humanoid_commands, /camera/image_raw and /surroundings in, /cmd_vel and /vla_status out.

    Example: volition ros1 --policy primitives
    """

    policy: str = "primitives"
    """`primitives`, or the folder of a checkpoint whose actions are primitives."""
    record: Path | None = None
    """Folder; every task is recorded into a folder of its own inside it."""
    careful: bool = False
    """Every limit of the shield, a slow start, pictures checked, a hanging loop stopped: for a robot that is real."""
    task_limit_s: float = 120.0
    """How long a task may take, above 0 to 3600 s."""

    def __post_init__(self) -> None:
        if not 0 < self.task_limit_s <= 3600:
            raise ContractError(f"Ros1Config.task_limit_s is {self.task_limit_s}; it must be above 0 to 3600 s.")


@dataclass(frozen=True, kw_only=True)
class McapConfig:
    """Convert a ROS 2 recording (MCAP or SQLite) to a data set: an episode for each instruction in it.

    Example: volition data mcap recordings/monday data/monday --cameras head left_wrist
    """

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """The bag: a folder with its metadata.yaml, or a file that ends in .mcap."""
    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """New or empty folder for the data set."""
    cameras: tuple[str, ...] = ("head",)
    """Which of the robot's cameras are in it: head, left_wrist, right_wrist."""
    pixels: int = 128
    """Size of the pictures in the data set, 8 to 4096."""
    topics: tuple[str, ...] = ()
    """The bag's topics where they are others than ours, as odometry=/state/odom."""
    tolerance_s: float = 0.05
    """How far apart in time what belongs together may be, above 0 to 1 s."""

    def __post_init__(self) -> None:
        _check_recording("McapConfig", self.cameras, self.pixels, self.tolerance_s)


@dataclass(frozen=True, kw_only=True)
class ListenConfig:
    """Record a data set from ROS 2 topics while somebody drives the robot: an episode for each instruction.

    Example: volition data listen data/monday --cameras head --ros-args="-p instruction_topic:=/task"
    """

    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """New or empty folder for the data set."""
    cameras: tuple[str, ...] = ("head",)
    """Which of the robot's cameras to record: head, left_wrist, right_wrist."""
    pixels: int = 128
    """Size of the pictures in the data set, 8 to 4096."""
    compressed: bool = False
    """Listen to TOPIC/compressed."""
    tolerance_s: float = 0.05
    """How far apart in time what belongs together may be, above 0 to 1 s."""
    ros_args: str = ""
    """What ROS takes after --ros-args, in quotes."""

    def __post_init__(self) -> None:
        _check_recording("ListenConfig", self.cameras, self.pixels, self.tolerance_s)


def _check_recording(owner: str, cameras: tuple[str, ...], pixels: int, tolerance_s: float) -> None:
    known = [name.removeprefix(CAMERA) for name in TOPICS if name.startswith(CAMERA)]
    wrong = [name for name in cameras if name not in known]
    if wrong or not cameras or len(set(cameras)) != len(cameras):
        raise ContractError(f"{owner}.cameras is {', '.join(cameras) or 'empty'}; give some of {', '.join(known)}.")
    if not 8 <= pixels <= 4096:
        raise ContractError(f"{owner}.pixels is {pixels}; it must be 8 to 4096.")
    if not 0 < tolerance_s <= 1:
        raise ContractError(f"{owner}.tolerance_s is {tolerance_s}; it must be above 0 and at most 1 s.")


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """The node's parameters that are numbers, with their units in the name."""

    tolerance_s: float = 0.05  # pictures, and picture and joint states, belong together if they are nearer than this
    task_limit_s: float = 120.0
    start_wait_s: float = 10.0  # how long activation waits for the robot's state

    def __post_init__(self) -> None:
        for name, most in (("tolerance_s", 1.0), ("task_limit_s", 3600.0), ("start_wait_s", 60.0)):
            value = getattr(self, name)
            if not (math.isfinite(value) and 0 < value <= most):
                raise ContractError(f"The parameter {name} is {value}; it must be above 0 and at most {most:g} s.")
