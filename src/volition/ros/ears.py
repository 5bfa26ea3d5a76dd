"""What the ROS 2 node hears, in a thread of its own: states, pictures, what is around, instructions, the emergency stop.

    JointState, Odometry -> States -> Aligner;  Image -> Aligner -> OnArrival;  MarkerArray -> Around
    String -> tell;  Trigger -> EStop

A node beside the lifecycle node, because that one's thread may be busy: with loading a policy, or with waiting for the
robot to come to rest. Meanwhile the robot's state must go on coming in, and the emergency stop must work.
"""

# pyright: reportMissingImports=false
# rclpy is only where ROS 2 is (docs/ros.md), which is not where the types are checked.

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from nav_msgs.msg import Odometry
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from visualization_msgs.msg import MarkerArray

from volition.ros.align import Aligner
from volition.ros.around import Around
from volition.ros.config import CAMERA
from volition.ros.errors import RosError
from volition.ros.images import compressed, fit, raw
from volition.ros.seen import Seen
from volition.ros.stamps import SimulatedTime, Stamps, seconds, stamped
from volition.ros.states import States
from volition.safety.estop import EStop
from volition.types import RobotSpec

PICTURES = QoSProfile(depth=2, reliability=ReliabilityPolicy.BEST_EFFORT)
TOLD = QoSProfile(depth=10)
KEPT = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)  # what was told before we came


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """Where what is heard goes."""

    spec: RobotSpec
    states: States
    aligner: Aligner
    around: Around
    clock: Stamps | SimulatedTime
    topics: dict[str, str]
    compressed: bool
    arrived: Callable[[], None]  # a picture has come
    tell: Callable[[str], None]  # an instruction has come; empty: stop what you do


class Ears(Node):
    """Lives as long as its lifecycle node; `listen` and `deafen` are called by that one."""

    def __init__(self, name: str, estop: EStop, halt: Callable[[], bool]) -> None:
        super().__init__("volition_ears")
        self._estop, self._halt_task = estop, halt
        self.seen: dict[str, Seen] = {}
        self.problem = ""  # with pictures
        self._subscribed: list[Any] = []
        for service, serve in (("estop", self._press), ("reset_estop", self._reset), ("halt", self._halt)):
            self.create_service(Trigger, f"{name}/{service}", serve)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self)
        self._thread = threading.Thread(target=self._spin, name="volition-ears", daemon=True)
        self._thread.start()

    def listen(self, hearing: Hearing) -> None:
        """Subscribe to everything."""
        self._hearing, topics = hearing, hearing.topics
        cameras = hearing.aligner.cameras
        self.seen = {name: Seen() for name in ("joint_states", "odometry", *cameras)}
        self.problem = ""
        subscribe = self.create_subscription
        self._subscribed = [
            subscribe(JointState, topics["joint_states"], self._on_joints, qos_profile_sensor_data),
            subscribe(Odometry, topics["odometry"], self._on_odometry, qos_profile_sensor_data),
            subscribe(String, topics["instruction"], lambda message: hearing.tell(message.data), QoSProfile(depth=1)),
        ]
        for camera in cameras:
            topic = topics[CAMERA + camera] + ("/compressed" if hearing.compressed else "")
            kind, read = (CompressedImage, compressed) if hearing.compressed else (Image, raw)
            self._subscribed.append(subscribe(kind, topic, partial(self._on_picture, camera, topic, read), PICTURES))
        markers, hear = topics["surroundings"], hearing.around.hear
        # Who keeps nothing matches only the first, and a warning about the second would be of no use.
        silent = SubscriptionEventCallbacks(use_default_callbacks=False)
        self._subscribed.append(subscribe(MarkerArray, markers, hear, TOLD))
        self._subscribed.append(subscribe(MarkerArray, markers, hear, KEPT, event_callbacks=silent))
        if isinstance(hearing.clock, SimulatedTime):
            self._subscribed.append(subscribe(Clock, "/clock", self._on_clock, qos_profile_sensor_data))
        self._executor.wake()

    def deafen(self) -> None:
        for one in self._subscribed:
            self.destroy_subscription(one)
        self._subscribed = []

    def close(self) -> None:
        """End the thread."""
        self.deafen()
        self._executor.shutdown(timeout_sec=2.0)
        self._thread.join(2.0)
        self.destroy_node()

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):  # rclpy was shut down first
            self._executor.spin()

    # ---- topics

    def _on_clock(self, message: Clock) -> None:
        clock = self._hearing.clock
        if isinstance(clock, SimulatedTime):
            clock.tick(seconds(message.clock))

    def _on_joints(self, message: JointState) -> None:
        hearing = self._hearing
        try:
            stamp = self._stamp(message)
        except RosError as error:
            self._complain(error)
            return
        self.seen["joint_states"].add(stamp)
        state = hearing.states.joints_message(stamp, message)
        if state is not None:
            hearing.aligner.add_state(state)
            if not hearing.aligner.cameras:
                self.problem = ""

    def _on_odometry(self, message: Odometry) -> None:
        try:
            stamp = self._stamp(message)
        except RosError as error:
            self._complain(error)
            return
        self.seen["odometry"].add(stamp)
        self._hearing.states.odometry_message(stamp, message)

    def _on_picture(self, camera: str, topic: str, read: Callable[[Any, str], Any], message: Any) -> None:
        hearing, spec = self._hearing, self._hearing.spec.camera(camera)
        try:
            stamp = self._stamp(message)
            if read is raw:  # a view costs nothing, so what is wrong with it is found at once
                pixels = raw(message, topic)
                hearing.aligner.add_image(camera, stamp, lambda: fit(pixels, spec))
            else:
                hearing.aligner.add_image(camera, stamp, lambda: fit(read(message, topic), spec))
            self.seen[camera].add(stamp)
            hearing.arrived()
            self.problem = ""
        except RosError as error:
            self._complain(error)

    def _complain(self, error: RosError) -> None:
        """Into the log once, into the status until something better comes."""
        if self.problem != str(error):
            self.get_logger().error(str(error))
        self.problem = str(error)

    def _stamp(self, message: Any) -> float:
        return stamped(self._hearing.clock, seconds(message.header.stamp), type(message).__name__)

    # ---- services

    def _press(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._estop.press("service estop")
        response.success, response.message = True, "pressed; it stays so until reset_estop is called"
        return response

    def _reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._estop.pressed
        response.message = "reset" if response.success else "was not pressed"
        self._estop.reset()
        return response

    def _halt(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._halt_task()
        response.message = "coming to rest" if response.success else "the node is not active"
        return response
