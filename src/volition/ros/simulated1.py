"""The simulated G1 behind ROS 1 topics, in a process of its own: `python -m volition.ros.simulated1`.

/cmd_vel -> Puppet (physics, balance) -> /camera/image_raw at --camera-hz, /odom at 50 Hz, /simulated/truth
"""

# pyright: reportMissingImports=false
# rospy is only where ROS 1 is (docs/ros.md), which is not where the types are checked.

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

import rospy
import tyro
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from sensor_msgs.msg import Image
from std_msgs.msg import String

from volition.errors import ContractError, VolitionError
from volition.robots.g1 import g1
from volition.ros.puppet import Puppet, sized


@dataclass(frozen=True, kw_only=True)
class Simulated1Config:
    """Run the simulated G1 as a robot behind ROS 1 topics, in real time, until Ctrl-C.

    Example: python -m volition.ros.simulated1
    """

    seed: int = 0
    """Which robot: 0 is the nominal one."""
    camera_hz: float = 10.0
    """Pictures a second, 640x480; 0 for none."""

    def __post_init__(self) -> None:
        if not 0 <= self.camera_hz <= 50:
            raise ContractError(f"Simulated1Config.camera_hz is {self.camera_hz}; it must be 0 to 50.")


class SimulatedRobot:
    """`tick` 50 times a second."""

    def __init__(self, puppet: Puppet, camera_hz: float) -> None:
        self._puppet, self._period = puppet, 1.0 / camera_hz if camera_hz else float("inf")
        self._lock = threading.Lock()  # rospy calls back in threads of its own
        self._odometry = rospy.Publisher("/odom", Odometry, queue_size=1)
        self._pictures = rospy.Publisher("/camera/image_raw", Image, queue_size=1)
        self._truth = rospy.Publisher("/simulated/truth", String, queue_size=1)
        self._ticks, self._next = 0, 0.0 if camera_hz else float("inf")
        rospy.Subscriber("/cmd_vel", Twist, self._on_velocity, queue_size=1, tcp_nodelay=True)

    def tick(self) -> None:
        """Physics up to now, then what is measured; every tenth tick the truth."""
        with self._lock:
            now = rospy.Time.now()
            state = self._puppet.advance(now.to_sec())
        message = Odometry(child_frame_id="pelvis")
        message.header.stamp, message.header.frame_id = now, "odom"
        at, turned = message.pose.pose.position, message.pose.pose.orientation
        at.x, at.y, at.z = state.base_position.tolist()
        turned.w, turned.x, turned.y, turned.z = state.base_quaternion.tolist()
        self._odometry.publish(message)
        if state.stamp >= self._next:
            self._next = state.stamp + self._period
            self._pictures.publish(self._picture(now))
        if self._ticks % 10 == 0:
            told = {"position": state.base_position.tolist(), "fell": self._puppet.fell}
            self._truth.publish(String(data=json.dumps(told)))
        self._ticks += 1

    def _picture(self, now: Any) -> Any:
        pixels = self._puppet.look("head")
        height, width, _ = pixels.shape
        message = Image(height=height, width=width, encoding="rgb8", step=3 * width, data=pixels.tobytes())
        message.header.stamp, message.header.frame_id = now, "head"
        return message

    def _on_velocity(self, message: Any) -> None:
        with self._lock:
            self._puppet.walk(message.linear.x, message.linear.y, message.angular.z)


def run(config: Simulated1Config) -> int:
    """Until Ctrl-C or SIGTERM."""
    puppet = Puppet(sized(g1(), 640, 480), seed=config.seed, cameras=config.camera_hz > 0)
    rospy.init_node("simulated_g1", disable_signals=True)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    robot = SimulatedRobot(puppet, config.camera_hz)
    print("The simulated G1 is up.", flush=True)
    due = time.monotonic()
    while not stopped.wait(max(0.0, due - time.monotonic())) and not rospy.is_shutdown():
        robot.tick()
        due = max(due + 0.02, time.monotonic() - 0.02)
    rospy.signal_shutdown("stopped")
    return 0


def main() -> int:
    try:
        return run(tyro.cli(Simulated1Config, prog="python -m volition.ros.simulated1"))
    except VolitionError as error:
        print(f"volition: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
