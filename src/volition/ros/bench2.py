"""How long a picture takes to become a command, and whether any is lost: `python -m volition.ros.bench2`.

    camera process (640x480 rgb8 at 30 Hz, joint states and odometry at 50 Hz) -> VolitionNode with the default policy

A picture's time is from its header stamp, taken before it is published, until the first command that rests on it has been
published. The policy decides ten times a second, so every third picture is looked at; all 30 must arrive.
"""

# pyright: reportMissingImports=false
# rclpy is only where ROS 2 is (docs/ros.md), which is not where the types are checked.

from __future__ import annotations

import array
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace

import numpy as np
import tyro

from volition.errors import VolitionError
from volition.robots.g1 import g1
from volition.ros.config import CAMERA, TOPICS
from volition.ros.errors import RosError
from volition.ros.policies import Chosen, choose
from volition.ros.run2 import need_rclpy
from volition.ros.transport import prepare
from volition.runtime.report import Tick

HEIGHT, WIDTH, PICTURES_HZ = 480, 640, 30.0
TASK = "walk forward twenty metres"


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """Measure the ROS 2 node with a camera of 640x480 at 30 Hz.

    Example: python -m volition.ros.bench2 --seconds 30
    """

    seconds: float = 20.0
    """How long to measure."""
    camera: bool = False
    """Be the camera: what the other process runs."""


def camera(seconds: float) -> None:
    """Publish at fixed times, late or not, and say at the end how many pictures went out."""
    import rclpy
    from nav_msgs.msg import Odometry
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import Image, JointState

    rclpy.init()
    node = rclpy.create_node("bench_camera")
    pictures = node.create_publisher(Image, TOPICS[CAMERA + "head"], qos_profile_sensor_data)
    states = node.create_publisher(JointState, TOPICS["joint_states"], qos_profile_sensor_data)
    odometry = node.create_publisher(Odometry, TOPICS["odometry"], qos_profile_sensor_data)
    spec = g1()
    joints = JointState(name=list(spec.joint_names), position=spec.home_position.tolist())
    where = Odometry()
    where.pose.pose.position.z, where.pose.pose.orientation.w = 0.79, 1.0
    random = np.random.default_rng(0)
    made = [random.integers(0, 256, HEIGHT * WIDTH * 3, dtype=np.uint8).tobytes() for _ in range(4)]
    message = Image(height=HEIGHT, width=WIDTH, encoding="rgb8", step=3 * WIDTH)
    begin, sent, told = time.monotonic(), 0, 0
    while (now := time.monotonic() - begin) < seconds:
        if now >= told / 50.0:
            joints.header.stamp = where.header.stamp = node.get_clock().now().to_msg()
            odometry.publish(where)
            states.publish(joints)
            told += 1
        if now >= sent / PICTURES_HZ:
            data = array.array("B", made[sent % 4])
            message.header.stamp = node.get_clock().now().to_msg()
            message.data = data
            pictures.publish(message)
            sent += 1
        time.sleep(max(0.0, min(told / 50.0, sent / PICTURES_HZ) - (time.monotonic() - begin)))
    print(sent)
    rclpy.shutdown()


def measure(seconds: float) -> int:
    """Print what came of it; 1 if a picture was lost or the 99th percentile is above 40 ms."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor

    from volition.ros.node2 import VolitionNode

    latencies: list[float] = []
    last = [0.0]

    def on_tick(tick: Tick) -> None:
        stamp = tick.safe.chunk_stamp
        if stamp is not None and stamp > last[0]:
            last[0] = stamp
            latencies.append(node.loop_clock.now() - stamp)

    def looking(name: str) -> Chosen:
        return replace(choose(name), cameras=("head",))  # it is given the pictures, though it looks at none

    rclpy.init()
    node = VolitionNode(choose_policy=looking, on_tick=on_tick)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    node.trigger_configure()
    words = [sys.executable, "-m", "volition.ros.bench2", "--camera", "--seconds", str(seconds + 5.0)]
    other = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    end = time.monotonic() + 120.0
    while not node.ready:
        if time.monotonic() > end:
            raise RosError("The camera process sends nothing.")
        time.sleep(0.02)
    node.trigger_activate()
    node.tell(TASK)
    spent, begin = time.process_time(), time.monotonic()
    while time.monotonic() < begin + seconds:
        executor.spin_once(timeout_sec=0.1)
    share = (time.process_time() - spent) / (time.monotonic() - begin)
    seen, report = node.seen["head"], node.report
    node.trigger_shutdown()
    sent = int(other.communicate(timeout=60)[0])
    node.destroy_node()
    rclpy.shutdown()
    if not latencies:
        raise RosError(f"No command rested on a picture; the node says {report}.")
    p50, p99 = 1000 * np.percentile(latencies, [50, 99])
    load = os.getloadavg()[0]
    print(f"pictures: {sent} sent, {seen.count} seen in {seconds:g} s, {seen.missing} missing")
    print(f"picture to command: median {p50:.1f} ms, 99th percentile {p99:.1f} ms, {len(latencies)} decisions")
    print(f"control: {report.ticks} ticks, {report.late} late, longest gap {1000 * report.worst_gap_s:.0f} ms")
    print(f"processor: {100 * share:.0f} % of one core for the node; load average of the machine {load:.1f}")
    return int(seen.missing > 0 or p99 > 40.0)


def main() -> int:
    config = tyro.cli(BenchConfig, prog="python -m volition.ros.bench2")
    try:
        need_rclpy()
        prepare(os.environ)
        if config.camera:
            camera(config.seconds)
            return 0
        return measure(config.seconds)
    except VolitionError as error:
        print(f"volition: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
