"""Tells the ROS 2 node something and shows what comes of it: `python -m volition.ros.tell "wave"`.

words -> /instruction;  /volition/status -> one line for each change, until the task is over
"""

# pyright: reportMissingImports=false
# rclpy is only where ROS 2 is (docs/ros.md), which is not where the types are checked.

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from volition.errors import VolitionError
from volition.ros.config import TOPICS
from volition.ros.errors import RosError
from volition.ros.run2 import need_rclpy
from volition.ros.transport import prepare

FOUND_S = 10.0  # how long it looks for the node
OVER_S = 600.0


def tell(words: str) -> int:
    """0 if the task was done or ended because its words were empty, else 1."""
    need_rclpy()
    prepare(os.environ)
    import rclpy
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from std_msgs.msg import String

    rclpy.init()
    node = rclpy.create_node("volition_tell")
    heard: list[dict[str, Any]] = []
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    node.create_subscription(String, TOPICS["status"], lambda one: heard.append(json.loads(one.data)), latched)
    publisher = node.create_publisher(String, TOPICS["instruction"], 1)
    try:
        end = time.monotonic() + FOUND_S
        while not (heard and 0 < publisher.get_subscription_count() >= node.count_subscribers(TOPICS["instruction"])):
            if time.monotonic() > end:
                raise RosError("No Volition node answers here; start `volition ros2`.")
            rclpy.spin_once(node, timeout_sec=0.1)
        before, shown = heard[-1]["tasks"], ""
        publisher.publish(String(data=words))
        end = time.monotonic() + OVER_S
        while words.strip() and time.monotonic() < end:
            rclpy.spin_once(node, timeout_sec=0.1)
            now = heard[-1]
            if now["tasks"] <= before:
                continue
            line = f"{now['state']}: {now['ended']} {now['note']} [{now['shield']}] {now['problem']}".strip()
            if line != shown:
                print(line, flush=True)
            shown = line
            if now["ended"]:
                return int(now["ended"] != "done")
        return 0
    finally:
        node.destroy_node()
        rclpy.shutdown()


def main() -> int:
    if len(sys.argv) != 2:
        print('volition: say what in one argument: python -m volition.ros.tell "wave"', file=sys.stderr)
        return 2
    try:
        return tell(sys.argv[1])
    except VolitionError as error:
        print(f"volition: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
