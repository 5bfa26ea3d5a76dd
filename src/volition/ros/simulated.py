"""The simulated G1 behind ROS 2 topics, in a process of its own: `python -m volition.ros.simulated`.

    JointState, Twist -> Puppet (physics, balance, sensors) -> JointState and Odometry at 50 Hz, Image at --camera-hz

It stands for a robot with its drivers: the topics are those that `volition ros2` reads and writes. On /simulated/truth it
tells what only a simulator knows, for tests: where the robot is, whether it fell, and the referee's verdict.
"""

# pyright: reportMissingImports=false
# rclpy is only where ROS 2 is (docs/ros.md), which is not where the types are checked.

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import tyro

from volition.errors import ContractError, VolitionError
from volition.ros.config import CAMERA, TOPICS
from volition.ros.transport import prepare

if TYPE_CHECKING:
    from volition.ros.simulated_node import SimulatedNode

TRUTH = "/simulated/truth"
TICK = 0.02  # s
PATIENCE = 1.0  # s: as long as a tick waits for its command


@dataclass(frozen=True, kw_only=True)
class SimulatedConfig:
    """Run the simulated G1 as a robot behind ROS 2 topics, in real time, until Ctrl-C.

    Example: python -m volition.ros.simulated --skill press_button --seed 3
    """

    skill: str = ""
    """A skill's scene and referee, such as press_button; without it an open place."""
    seed: int = 0
    """Which scene, or which robot: 0 is the nominal one."""
    cameras: tuple[str, ...] = ("head",)
    """Which cameras send pictures: head, left_wrist, right_wrist."""
    width: int = 320
    """Width of the pictures."""
    height: int = 240
    """Height of the pictures."""
    camera_hz: float = 10.0
    """Pictures a second of each camera."""
    compressed: bool = False
    """Send JPEG on TOPIC/compressed instead."""
    lockstep: bool = False
    """Keep a time of its own on /clock, for nodes with use_sim_time: a tick waits for its command, up to 1 s."""

    def __post_init__(self) -> None:
        known = [name.removeprefix(CAMERA) for name in TOPICS if name.startswith(CAMERA)]
        wrong = [name for name in self.cameras if name not in known]
        if wrong:
            raise ContractError(f"There is no camera {wrong[0]!r}; there are {', '.join(known)}.")
        if not 0.1 <= self.camera_hz <= 50:
            raise ContractError(f"SimulatedConfig.camera_hz is {self.camera_hz}; it must be 0.1 to 50.")


def run(config: SimulatedConfig) -> int:
    """Until Ctrl-C, SIGTERM or the time is up."""
    prepare(os.environ)
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.signals import SignalHandlerOptions

    from volition.robots.g1 import g1
    from volition.ros.puppet import Puppet, sized
    from volition.ros.simulated_node import SimulatedNode

    spec = sized(g1(), config.width, config.height)
    puppet = Puppet(spec, skill=config.skill, seed=config.seed, cameras=bool(config.cameras))
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    node = SimulatedNode(puppet, config)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    print(f"The simulated G1 is up. {node.says}", flush=True)
    try:
        live(node, executor.spin_once, stopped, lockstep=config.lockstep)
    finally:
        print(json.dumps(node.truth()), flush=True)
        executor.shutdown(timeout_sec=1.0)
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


def live(node: SimulatedNode, spin: Callable[..., None], stopped: threading.Event, *, lockstep: bool) -> None:
    """A tick every 20 ms of real time; in lockstep as soon as the command of the tick before is there."""
    due = time.monotonic()
    while not stopped.is_set():
        node.tick()
        due = max(due + TICK, time.monotonic() - TICK)
        waits = time.monotonic() + PATIENCE
        for _ in range(4):  # however late it is: what was told is heard
            spin(timeout_sec=0.0)
        while not stopped.is_set():
            left = (waits if lockstep and node.commanded else due) - time.monotonic()
            if left <= 0 or (lockstep and node.answered):
                break
            spin(timeout_sec=left)


def main() -> int:
    try:
        return run(tyro.cli(SimulatedConfig, prog="python -m volition.ros.simulated"))
    except VolitionError as error:
        print(f"volition: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
