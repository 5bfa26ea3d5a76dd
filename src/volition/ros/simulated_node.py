"""The node of the simulated robot: what it measures on topics, and what it is told from them (`simulated.py` runs it)."""

# pyright: reportMissingImports=false
# rclpy is only where ROS 2 is (docs/ros.md), which is not where the types are checked.

from __future__ import annotations

import array
import io
import json
from typing import Any

import numpy as np
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image, JointState
from std_msgs.msg import String

from volition.ros.config import CAMERA, TOPICS
from volition.ros.errors import RosError
from volition.ros.puppet import Puppet
from volition.ros.simulated import TICK, TRUTH, SimulatedConfig
from volition.types import RobotState


class SimulatedNode(Node):
    """`tick` 50 times a second."""

    def __init__(self, puppet: Puppet, config: SimulatedConfig) -> None:
        super().__init__("simulated_g1")
        self._puppet, self._config = puppet, config
        self._names = list(puppet.spec.joint_names)
        self._states = self.create_publisher(JointState, TOPICS["joint_states"], qos_profile_sensor_data)
        self._odometry = self.create_publisher(Odometry, TOPICS["odometry"], qos_profile_sensor_data)
        self._truth = self.create_publisher(String, TRUTH, QoSProfile(depth=1))
        kind, ending = (CompressedImage, "/compressed") if config.compressed else (Image, "")
        self._pictures = {
            name: self.create_publisher(kind, TOPICS[CAMERA + name] + ending, qos_profile_sensor_data)
            for name in config.cameras
        }
        self.create_subscription(JointState, TOPICS["joint_commands"], self._on_joints, QoSProfile(depth=1))
        self.create_subscription(Twist, TOPICS["velocity"], self._on_velocity, QoSProfile(depth=1))
        self.create_subscription(String, TOPICS["status"], self._on_status, QoSProfile(depth=1))
        self.create_subscription(String, TOPICS["instruction"], self._on_instruction, QoSProfile(depth=1))
        self._task, self._told = 0, False
        self._ticks, self._next_picture = 0, 0.0
        self._state: RobotState | None = None
        self._own_clock = self.create_publisher(Clock, "/clock", qos_profile_sensor_data) if config.lockstep else None
        self._time, self._command_at = 1.0, -1.0  # s, of ROS; a clock that says 0 is taken for one that is not there

    @property
    def says(self) -> str:
        """What it is there for, in a sentence."""
        if not self._puppet.wish:
            return "It stands in an open place."
        return f"It stands at a scene of {self._config.skill}: {self._puppet.wish}"

    def tick(self) -> None:
        """Physics up to now, then what is measured; every tenth tick the truth."""
        if self._config.lockstep:
            self._time += TICK
            stamp = Time(seconds=self._time).to_msg()
        else:
            now = self.get_clock().now()
            self._time, stamp = now.nanoseconds * 1e-9, now.to_msg()
        state = self._state = self._puppet.advance(self._time)
        self._tell(state, stamp)
        if self._pictures and state.stamp >= self._next_picture - 1e-6:
            self._next_picture = max(self._next_picture + 1.0 / self._config.camera_hz, state.stamp)
            for name, publisher in self._pictures.items():
                publisher.publish(self._picture(name, stamp))
        if self._own_clock is not None:  # last, so that who wakes by it has the rest
            self._own_clock.publish(Clock(clock=stamp))
        if self._ticks % 10 == 0:
            self._truth.publish(String(data=json.dumps(self.truth())))
        self._ticks += 1

    @property
    def commanded(self) -> bool:
        """Somebody is commanding: a command came for one of the last ticks."""
        return self._time - self._command_at < 0.5

    @property
    def answered(self) -> bool:
        """The command for the last tick is there."""
        return self._command_at > self._time - 0.5 * TICK

    def truth(self) -> dict[str, Any]:
        """What a test asks."""
        puppet, state = self._puppet, self._state
        results = [] if puppet.errand is None else puppet.errand.results
        return {
            "position": [] if state is None else np.round(state.base_position, 4).tolist(),
            "quaternion": [] if state is None else np.round(state.base_quaternion, 5).tolist(),
            "fell": puppet.fell,
            "commands": puppet.commands,
            "slipped_s": round(puppet.slipped_s, 3),
            "verdicts": [{"success": one.verdict.success, "why": one.verdict.why} for one in results],
            "wish": puppet.wish,
        }

    def _tell(self, state: RobotState, stamp: Any) -> None:
        joints = JointState(
            name=self._names,
            position=state.position.tolist(),
            velocity=state.velocity.tolist(),
            effort=state.effort.tolist(),
        )
        joints.header.stamp = stamp
        self._states.publish(joints)
        odometry = Odometry(child_frame_id="pelvis")
        odometry.header.stamp, odometry.header.frame_id = stamp, "odom"
        at, turned = odometry.pose.pose.position, odometry.pose.pose.orientation
        at.x, at.y, at.z = state.base_position.tolist()
        turned.w, turned.x, turned.y, turned.z = state.base_quaternion.tolist()
        line, turn = odometry.twist.twist.linear, odometry.twist.twist.angular
        line.x, line.y, line.z = state.base_velocity.tolist()
        turn.x, turn.y, turn.z = state.base_angular_velocity.tolist()
        self._odometry.publish(odometry)

    def _picture(self, name: str, stamp: Any) -> Any:
        pixels = self._puppet.look(name)
        if self._config.compressed:
            from PIL import Image as Pillow

            packed = io.BytesIO()
            Pillow.fromarray(pixels).save(packed, "JPEG", quality=90)
            message: Any = CompressedImage(format="jpeg", data=array.array("B", packed.getvalue()))
        else:
            height, width, _ = pixels.shape
            message = Image(height=height, width=width, encoding="rgb8", step=3 * width)
            message.data = array.array("B", pixels.tobytes())  # an ndarray would be checked number by number
        message.header.stamp, message.header.frame_id = stamp, name
        return message

    def _on_instruction(self, message: String) -> None:
        """The referee begins with each task."""
        self._told = True
        self._puppet.watch()

    def _on_status(self, message: String) -> None:
        """Where the instruction came before this node was found, the referee begins when the task is seen to run."""
        told = json.loads(message.data)
        if told["state"] == "running" and told["tasks"] != self._task:
            self._task = told["tasks"]
            if not self._told:
                self._puppet.watch()
            self._told = False

    def _on_joints(self, message: JointState) -> None:
        self._command_at = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
        try:
            self._puppet.joints(message.name, message.position)
        except RosError as error:
            self.get_logger().error(str(error))

    def _on_velocity(self, message: Twist) -> None:
        self._puppet.walk(message.linear.x, message.linear.y, message.angular.z)
