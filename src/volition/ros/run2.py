"""`volition ros2`: starts the node, brings it to active, and lets it come to rest before it ends.

Ros2Config -> VolitionNode (configure, activate) -> spin -> Ctrl-C or SIGTERM -> deactivate, shut down
"""

# pyright: reportMissingImports=false
# rclpy is only where ROS 2 is (docs/ros.md), which is not where the types are checked.

from __future__ import annotations

import importlib.util
import os
import shlex
import signal
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from volition.ros.config import Ros2Config
from volition.ros.errors import RosError
from volition.ros.policies import choose
from volition.ros.transport import prepare

if TYPE_CHECKING:
    from volition.ros.node2 import VolitionNode


def need_rclpy() -> None:
    """Raise with what to do where ROS 2 is not installed."""
    if importlib.util.find_spec("rclpy") is None:
        raise RosError(
            "rclpy is not installed here; run `make setup-ros2` and use .venv-ros2/bin/volition (docs/ros.md)."
        )


def ros2(config: Ros2Config) -> int:
    """Until it is told to stop; 0 then, 1 if the control loop failed."""
    if importlib.util.find_spec("rclpy") is None:
        raise RosError(
            "rclpy is not installed here; run `make setup-ros2` and use .venv-ros2/bin/volition (docs/ros.md)."
        )
    prepare(os.environ)
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.signals import SignalHandlerOptions

    from volition.ros.node2 import VolitionNode

    extra = shlex.split(config.ros_args)
    # rclpy's own handler would end all publishing at once, with the robot in motion.
    rclpy.init(args=["--ros-args", *extra] if extra else None, signal_handler_options=SignalHandlerOptions.NO)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    chosen = partial(choose, pixels=config.pixels)
    node = VolitionNode(choose_policy=chosen, policy=config.policy, record=config.record, careful=config.careful)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        if not config.managed:
            _begin(node, stopped)
        while not stopped.is_set():
            executor.spin_once(timeout_sec=0.2)
        return 1 if node.report.state == "fault" else 0
    finally:
        node.trigger_shutdown()
        executor.shutdown(timeout_sec=1.0)
        node.destroy_node()
        rclpy.try_shutdown()


def _begin(node: VolitionNode, stopped: threading.Event) -> None:
    """Configure, wait for the robot, activate; a refusal ends the command, as nobody is there to try again."""
    from rclpy.lifecycle import TransitionCallbackReturn

    if node.trigger_configure() != TransitionCallbackReturn.SUCCESS:
        raise RosError(f"The node cannot be configured. {node.refusal}")
    node.get_logger().info("configured; waiting for the robot's state")
    end = time.monotonic() + node.numbers.start_wait_s
    while not node.ready and time.monotonic() < end:
        if stopped.wait(0.05):
            return
    if node.trigger_activate() != TransitionCallbackReturn.SUCCESS:
        raise RosError(f"The node cannot be activated. {node.refusal}")
    node.get_logger().info("active; it stands by and takes instructions")
