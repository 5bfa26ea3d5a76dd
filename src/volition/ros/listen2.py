"""`volition data listen`: records a data set from ROS 2 topics, live, until Ctrl-C.

topics --Ears--> States, pictures; commands, velocities -> Take -> DatasetWriter
"""

# pyright: reportMissingImports=false
# rclpy is only where ROS 2 is (docs/ros.md), which is not where the types are checked.

from __future__ import annotations

import os
import shlex
import signal
import threading
import time
from functools import partial
from typing import Any

from rich.console import Console

from volition.ros.config import CAMERA, TOPICS, ListenConfig
from volition.ros.images import compressed, fit, raw
from volition.ros.keep import Keeper
from volition.ros.run2 import need_rclpy
from volition.ros.stamps import seconds
from volition.ros.states import States
from volition.ros.transport import prepare

PATIENCE = 10.0  # s after which it says again what it does not hear


def listen(config: ListenConfig) -> int:
    """Until Ctrl-C or SIGTERM; 0 if there is an episode then, else 1."""
    need_rclpy()
    prepare(os.environ)
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.signals import SignalHandlerOptions

    from volition.robots.g1 import g1

    spec = g1(config.pixels)
    keeper = Keeper(config.out, spec, config.cameras, config.tolerance_s)
    extra = shlex.split(config.ros_args)
    rclpy.init(args=["--ros-args", *extra] if extra else None, signal_handler_options=SignalHandlerOptions.NO)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    node = rclpy.create_node("volition_recorder")
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    told, silent, since = 0, keeper.take.silent, time.monotonic()
    try:
        _subscribe(node, keeper, States(spec), config)
        print(
            "Listening; an instruction begins an episode, the next or an empty one ends it. Ctrl-C ends all.",
            flush=True,
        )
        while not stopped.is_set():
            executor.spin_once(timeout_sec=0.2)
            if silent and (keeper.take.silent != silent or time.monotonic() - since > PATIENCE):
                silent, since = keeper.take.silent, time.monotonic()
                print(
                    f"Not heard yet: {', '.join(silent)}." if silent else "All is heard that frames need.", flush=True
                )
            for line in keeper.lines[told:]:
                Console().print(line, highlight=False)
            told = len(keeper.lines)
    finally:
        executor.shutdown(timeout_sec=1.0)
        node.destroy_node()
        rclpy.try_shutdown()
        keeper.close()
    for line in keeper.lines[told:]:
        Console().print(line, highlight=False)
    print(f"{keeper.episodes} episodes, {keeper.frames} frames, are in {config.out}.", flush=True)
    return 0 if keeper.episodes else 1


def _subscribe(node: Any, keeper: Keeper, states: States, config: ListenConfig) -> None:
    from geometry_msgs.msg import Twist
    from nav_msgs.msg import Odometry
    from rclpy.qos import QoSProfile, qos_profile_sensor_data
    from sensor_msgs.msg import CompressedImage, Image, JointState
    from std_msgs.msg import String

    take, clock = keeper.take, node.get_clock()
    topic = {}
    for name, default in TOPICS.items():
        parameter = f"{name}.topic" if name.startswith(CAMERA) else f"{name}_topic"
        topic[name] = node.declare_parameter(parameter, default).value

    def joints(message: Any) -> None:
        state = states.joints_message(seconds(message.header.stamp), message)
        if state is not None:
            take.state(state)

    def picture(camera: str, path: str, message: Any) -> None:
        read, spec = compressed if config.compressed else raw, states.robot.camera(camera)
        take.picture(camera, seconds(message.header.stamp), lambda: fit(read(message, path), spec))

    def now() -> float:
        return clock.now().nanoseconds * 1e-9

    def velocity(message: Any) -> None:
        take.velocity(now(), message.linear.x, message.linear.y, message.angular.z)

    def command(message: Any) -> None:
        take.command(seconds(message.header.stamp), list(message.name), list(message.position))

    make = node.create_subscription
    make(JointState, topic["joint_states"], joints, qos_profile_sensor_data)
    make(
        Odometry,
        topic["odometry"],
        lambda one: states.odometry_message(seconds(one.header.stamp), one),
        qos_profile_sensor_data,
    )
    make(JointState, topic["joint_commands"], command, QoSProfile(depth=10))
    make(Twist, topic["velocity"], velocity, QoSProfile(depth=10))
    make(String, topic["instruction"], lambda message: take.instruction(now(), message.data), QoSProfile(depth=10))
    for camera in config.cameras:
        path = topic[CAMERA + camera] + ("/compressed" if config.compressed else "")
        kind = CompressedImage if config.compressed else Image
        make(kind, path, partial(picture, camera, path), qos_profile_sensor_data)
