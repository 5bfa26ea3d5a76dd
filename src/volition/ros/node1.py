"""The ROS 1 node: pictures and commands in, a velocity and a status out, ten times a second. The loop and shield are inside.

    /humanoid_commands (String), /camera/image_raw (Image), /surroundings (MarkerArray)
        -> Pilot (Loop at 50 Hz, Guard) -> /cmd_vel (Twist), /vla_status

Runs where Debian's rospy is: Python 3.11, numpy 1.24. ROS 1 and ROS 2 never share a process.
"""

# pyright: reportMissingImports=false
# rospy is only where ROS 1 is (docs/ros.md), which is not where the types are checked.

from __future__ import annotations

from typing import Any

import rospy
from geometry_msgs.msg import Twist
from sensor_msgs.msg import Image
from std_msgs.msg import String
from std_srvs.srv import Trigger, TriggerResponse
from visualization_msgs.msg import MarkerArray

from volition.body.whole_body import WholeBody
from volition.ros.align import Aligner
from volition.ros.around import Around
from volition.ros.base_only import BaseOnly, only_base, walking
from volition.ros.config import TOPICS, Ros1Config
from volition.ros.errors import RosError
from volition.ros.images import fit, raw
from volition.ros.pilot import Parts, Pilot
from volition.ros.policies import Chosen
from volition.ros.protect import protect
from volition.ros.stamps import Stamps, stamped
from volition.ros.words import status_text
from volition.safety.estop import EStop

CAMERA = "head"  # the picture is this camera's
RATE_HZ = 10.0
SILENT = 0.3  # s: a control loop that has not commanded for so long is dead, and the base is told to stand


class HumanoidNode:
    """Made after `rospy.init_node`; `start`, then `stop` before the end."""

    def __init__(self, chosen: Chosen, config: Ros1Config) -> None:
        if set(chosen.cameras) - {CAMERA}:
            raise RosError(
                f"This policy looks at {', '.join(chosen.cameras)}; the ROS 1 node has one picture, {CAMERA}."
            )
        spec, policy = walking(chosen.spec), only_base(chosen.policy)
        self._clock = Stamps(rospy.Time.now().to_sec())
        self._camera = spec.camera(CAMERA)
        self._aligner = Aligner(chosen.cameras)
        self._robot = BaseOnly(spec, self._clock, self._aligner)
        self._problem = ""
        self.estop = EStop()
        protected = self._protected = protect(
            policy, spec, self._aligner, self.estop, careful=config.careful, on_silence=self._silence
        )
        self.guard = protected.guard
        self._around = Around(self.guard.surroundings, self._clock, complain=rospy.logerr)
        self._pilot = Pilot(
            Parts(
                robot=self._robot,
                inference=protected.inference,
                action_spec=policy.action_spec,
                body=WholeBody(spec),
                guard=self.guard,
                clock=self._clock,
                doubt=chosen.doubt,
                sight=protected.sight,
                watchdog=protected.watchdog,
                task_limit_s=config.task_limit_s,
                record=config.record,
            )
        )
        self._velocity = rospy.Publisher("/cmd_vel", Twist, queue_size=1)
        self._status = rospy.Publisher("/vla_status", String, queue_size=1, latch=True)
        self._topic = rospy.resolve_name("/camera/image_raw")
        hear = rospy.Subscriber
        self._heard = [
            hear("/humanoid_commands", String, self._on_command, queue_size=1),
            hear(TOPICS["surroundings"], MarkerArray, self._around.hear, queue_size=10, tcp_nodelay=True),
        ]
        if chosen.cameras:
            picture = self._on_picture
            self._heard.append(hear(self._topic, Image, picture, queue_size=1, buff_size=2**24, tcp_nodelay=True))
        self._services = [
            rospy.Service("~estop", Trigger, self._press),
            rospy.Service("~reset_estop", Trigger, self._reset),
        ]

    def start(self) -> None:
        self._pilot.start()
        self._timer = rospy.Timer(rospy.Duration.from_sec(1.0 / RATE_HZ), lambda event: self._tell())

    def stop(self) -> None:
        """Come to rest, say so, end."""
        self._pilot.stop()
        self._timer.shutdown()
        self._tell()
        self._protected.inference.close()
        for heard in self._heard:
            heard.unregister()
        for service in self._services:
            service.shutdown()

    @property
    def failed(self) -> bool:
        return self._pilot.report.state == "fault"

    def _tell(self) -> None:
        """The velocity that the shield let through last; none if the loop is dead."""
        twist = Twist()
        if self._clock.now() - self._robot.commanded_at < SILENT:
            twist.linear.x, twist.linear.y, twist.angular.z = self._robot.velocity.tolist()
        self._velocity.publish(twist)
        seeing = self._aligner.problem() if self._aligner.cameras else ""
        problem = self._problem or self._around.problem or seeing
        self._status.publish(String(data=status_text(self._pilot.report, problem)))

    def _silence(self) -> None:
        """The control thread hangs. Called by the watchdog's thread."""
        self._velocity.publish(Twist())
        rospy.logerr(f"The control loop hangs. {self.estop.why}")

    def _on_command(self, message: Any) -> None:
        if message.data.strip():
            self._pilot.tell(message.data.strip())
        else:
            self._pilot.halt()

    def _on_picture(self, message: Any) -> None:
        try:
            stamp = stamped(self._clock, message.header.stamp.to_sec(), "picture")
            pixels = raw(message, self._topic)
            self._aligner.add_image(CAMERA, stamp, lambda: fit(pixels, self._camera))
            self._protected.arrived()
            self._problem = ""
        except RosError as error:
            if self._problem != str(error):
                rospy.logerr(str(error))
            self._problem = str(error)

    def _press(self, request: Any) -> TriggerResponse:
        self.estop.press("service estop")
        return TriggerResponse(success=True, message="pressed; it stays so until reset_estop is called")

    def _reset(self, request: Any) -> TriggerResponse:
        pressed = self.estop.pressed
        self.estop.reset()
        return TriggerResponse(success=pressed, message="reset" if pressed else "was not pressed")
