"""`volition ros1`: starts the ROS 1 node and lets it come to rest before it ends.

Ros1Config -> HumanoidNode -> until Ctrl-C or SIGTERM -> rest, shut down
"""

# pyright: reportMissingImports=false
# rospy is only where ROS 1 is (docs/ros.md), which is not where the types are checked.

from __future__ import annotations

import importlib.util
import signal
import threading

from volition.ros.config import Ros1Config
from volition.ros.errors import RosError
from volition.ros.policies import choose


def ros1(config: Ros1Config) -> int:
    """Until it is told to stop; 0 then, 1 if the control loop failed."""
    if importlib.util.find_spec("rospy") is None:
        raise RosError(
            "rospy is not installed here; docs/ros.md says how to get ROS 1 and an environment that sees it."
        )
    import rosgraph
    import rospy

    from volition.ros.node1 import HumanoidNode

    chosen = choose(config.policy)
    if not rosgraph.is_master_online():
        raise RosError(
            f"There is no ROS master at {rosgraph.get_master_uri()}; start `roscore`, or set ROS_MASTER_URI."
        )
    stopped = threading.Event()
    # rospy's own handlers would end all publishing at once, with the robot in motion.
    rospy.init_node("volition", disable_signals=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    node = HumanoidNode(chosen, config)
    node.start()
    rospy.loginfo("it stands by and takes commands")
    while not stopped.wait(0.2) and not rospy.is_shutdown() and not node.failed:
        pass
    node.stop()
    failed = node.failed
    rospy.signal_shutdown("stopped")
    return 1 if failed else 0
