"""A node of the tests' own beside the one under test: it hears what the others say, tells them things, and waits.

Imported only where rclpy is; sets up this process for ROS 2 on this machine alone.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from typing import Any

from ros_tools import wait_for

from volition.ros.transport import prepare

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
# Tests beside each other do not hear each other. From 102 on, a domain's ports are those that Linux gives to anybody.
os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
prepare(os.environ)

import rclpy  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from geometry_msgs.msg import Twist  # noqa: E402
from lifecycle_msgs.msg import Transition  # noqa: E402
from lifecycle_msgs.srv import ChangeState, GetState  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from sensor_msgs.msg import Image, JointState  # noqa: E402
from std_msgs.msg import String  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

START = 180  # s: a busy machine takes its time to import
G1 = ("-m", "volition.ros.simulated", "--lockstep", "--width", "128", "--height", "128")
NODE = ("-m", "volition.cli", "ros2")


class Watcher:
    """A node of the test's own: what the others say, and a voice."""

    def __init__(self) -> None:
        rclpy.init()
        self.node = rclpy.create_node("watcher")
        self.heard: dict[str, Any] = {}
        self.counts = {"joint_commands": 0, "interventions": 0}
        self.fastest = 0.0
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        listen = self.node.create_subscription
        for topic, qos in (("/volition/status", latched), ("/simulated/truth", 1), ("/volition/interventions", 100)):
            listen(String, topic, lambda message, topic=topic: self._text(topic, message), qos)
        listen(JointState, "/joint_commands", self._command, 1)
        listen(Twist, "/cmd_vel", self._velocity, 1)
        listen(DiagnosticArray, "/diagnostics", lambda message: self.heard.update(diagnostics=message), 10)
        self.instruction = self.node.create_publisher(String, "/instruction", 1)
        self.picture = self.node.create_publisher(Image, "/camera/front/image", 1)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.thread = threading.Thread(target=self.executor.spin, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.executor.shutdown(timeout_sec=5.0)
        self.thread.join(5.0)
        self.node.destroy_node()
        rclpy.try_shutdown()

    def _text(self, topic: str, message: Any) -> None:
        self.heard[topic] = json.loads(message.data)

    def _command(self, message: Any) -> None:
        self.heard["command"] = message
        self.counts["joint_commands"] += 1

    def _velocity(self, message: Any) -> None:
        self.fastest = max(self.fastest, abs(message.linear.x))
        self.heard["velocity"] = message

    @property
    def status(self) -> dict[str, Any]:
        return self.heard.get("/volition/status", {})

    @property
    def truth(self) -> dict[str, Any]:
        return self.heard.get("/simulated/truth", {})

    def tell(self, words: str) -> None:
        wait_for(lambda: self.instruction.get_subscription_count() > 0, 20, "somebody who takes instructions")
        self.instruction.publish(String(data=words))

    def call(self, kind: Any, name: str, request: Any) -> Any:
        client = self.node.create_client(kind, name)
        assert client.wait_for_service(timeout_sec=30.0), name
        future = client.call_async(request)
        wait_for(future.done, 60, f"the answer of {name}")
        self.node.destroy_client(client)
        return future.result()

    def ask(self, name: str) -> Any:
        return self.call(Trigger, f"/volition/{name}", Trigger.Request())

    def change(self, transition: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        return self.call(ChangeState, "/volition/change_state", request).success

    def lifecycle(self) -> str:
        return self.call(GetState, "/volition/get_state", GetState.Request()).current_state.label

    def until(self, what: Callable[[], object], why: str, seconds: float = 60.0) -> None:
        try:
            wait_for(what, seconds, why)
        except AssertionError as error:
            raise AssertionError(f"{error}; status {self.status}, truth {self.truth}") from None
