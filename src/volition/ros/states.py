"""The robot's state from its topics: joints by name, from one JointState publisher or several, and odometry of the base.

JointState, Odometry -> States -> RobotState (stamped with the oldest of what is in it)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from volition.types import RobotSpec, RobotState


class States:
    """Fed by one thread. `problem` says what is missing for a state, and is empty when there is one."""

    def __init__(self, robot: RobotSpec, *, odometry_age_s: float = 0.2) -> None:
        self.robot, self._age = robot, odometry_age_s
        count = len(robot.joints)
        self._slots = {name: number for number, name in enumerate(robot.joint_names)}
        self._known: dict[tuple[str, ...], tuple[np.ndarray, np.ndarray]] = {}
        self._values = np.zeros((3, count))  # position, velocity, effort
        self._stamps = np.full(count, -np.inf)
        self._base: tuple[float, np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None = None
        self.problem = "no joint states have come"

    def odometry(
        self,
        stamp: float,
        position: Sequence[float],
        xyzw: Sequence[float],
        linear: Sequence[float],
        angular: Sequence[float],
    ) -> None:
        """The pelvis in the world; velocities in the pelvis frame, as nav_msgs/Odometry has them."""
        x, y, z, w = xyzw
        quaternion = np.array([w, x, y, z], dtype=np.float64)
        length = float(np.linalg.norm(quaternion))
        if not np.isfinite(length) or length < 0.5:  # some drivers send zeros until they know
            quaternion = np.full(4, np.nan)
        else:
            quaternion /= length
        self._base = (stamp, np.array(position), quaternion, np.array(linear), np.array(angular))

    def odometry_message(self, stamp: float, message: Any) -> None:
        """A nav_msgs/Odometry, of ROS 1, ROS 2 or a bag."""
        at, turned = message.pose.pose.position, message.pose.pose.orientation
        line, turn = message.twist.twist.linear, message.twist.twist.angular
        self.odometry(
            stamp,
            (at.x, at.y, at.z),
            (turned.x, turned.y, turned.z, turned.w),
            (line.x, line.y, line.z),
            (turn.x, turn.y, turn.z),
        )

    def joints_message(self, stamp: float, message: Any) -> RobotState | None:
        """A sensor_msgs/JointState."""
        return self.joints(stamp, message.name, message.position, message.velocity, message.effort)

    def joints(
        self,
        stamp: float,
        names: Sequence[str],
        position: Sequence[float],
        velocity: Sequence[float],
        effort: Sequence[float],
    ) -> RobotState | None:
        """The state with these joints in it, None while something is missing. Names that are not the robot's are left
        out; velocity and effort may be empty, as ROS allows, and then read as 0."""
        key = tuple(names)
        if key not in self._known:
            there = [number for number, name in enumerate(key) if name in self._slots]
            self._known[key] = (
                np.array(there, dtype=np.intp),
                np.array([self._slots[key[one]] for one in there], np.intp),
            )
        there, slots = self._known[key]
        for row, values in enumerate((position, velocity, effort)):
            array = np.asarray(values, dtype=np.float64)
            if row == 0 and len(array) != len(key):
                self.problem = f"a joint state has {len(key)} names and {len(array)} positions"
                return None
            self._values[row, slots] = array[there] if len(array) == len(key) else 0.0
        self._stamps[slots] = stamp
        return self._state()

    def _state(self) -> RobotState | None:
        missing = np.flatnonzero(np.isinf(self._stamps))
        if len(missing):
            names = [self.robot.joint_names[one] for one in missing[:3]]
            self.problem = (
                f"{len(missing)} of {len(self._stamps)} joints are in no joint state, such as {', '.join(names)}"
            )
            return None
        oldest = float(self._stamps.min())
        if self._base is None:
            self.problem = "no odometry has come"
            return None
        stamp, where, quaternion, linear, angular = self._base
        if oldest - stamp > self._age:
            self.problem = f"the last odometry is {oldest - stamp:.2f} s older than the joint states"
            return None
        self.problem = ""
        return RobotState(
            stamp=oldest,
            position=self._values[0],
            velocity=self._values[1],
            effort=self._values[2],
            base_position=where,
            base_quaternion=quaternion,
            base_velocity=linear,
            base_angular_velocity=angular,
        )
