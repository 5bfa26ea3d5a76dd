"""The ROS 2 node: a lifecycle node whose topics are the robot. Inside are the one loop and the shield.

    Ears (topics in) -> Aligner -> TopicRobot, OnArrival -> Pilot (Loop, Guard) -> JointState, Twist
    Pilot -> status, interventions, diagnostics

configure makes the policy and the topics, activate begins to command, deactivate comes to rest and ends commanding.
A fault of the control thread deactivates the node. The emergency stop is latched in every state of it.
"""

# pyright: reportMissingImports=false
# rclpy is only where ROS 2 is (docs/ros.md), which is not where the types are checked.

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Twist
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from volition.body.whole_body import WholeBody
from volition.errors import VolitionError
from volition.ros.align import Aligner
from volition.ros.around import Around
from volition.ros.config import CAMERA, TOPICS, Numbers
from volition.ros.diagnostics2 import diagnostics
from volition.ros.ears import Ears, Hearing
from volition.ros.errors import RosError
from volition.ros.pilot import Parts, Pilot, Report
from volition.ros.policies import Chosen, choose
from volition.ros.protect import Protected, protect
from volition.ros.seen import Seen
from volition.ros.stamps import SimulatedTime, Stamps
from volition.ros.states import States
from volition.ros.topic_robot import TopicRobot
from volition.ros.words import intervention_text, status_text
from volition.runtime.report import Tick
from volition.safety.estop import EStop
from volition.types import Command

LATEST = QoSProfile(depth=1)  # reliable; of commands only the latest is worth anything
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)  # who comes later gets the last one
MOST_EVENTS = 20  # interventions that are told of one tick: a wild policy may have dozens
_DONE, _NOT = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class VolitionNode(LifecycleNode):
    """`choose_policy` makes the policy when the node is configured. `careful`: every limit of the shield is on, pictures
    are looked at before they are believed, a control loop that hangs is stopped. `on_tick` sees every control tick."""

    def __init__(
        self,
        *,
        choose_policy: Callable[[str], Chosen] = choose,
        policy: str = "primitives",
        record: Path | None = None,
        careful: bool = False,
        on_tick: Callable[[Tick], None] = lambda tick: None,
    ) -> None:
        super().__init__("volition")
        self._choose, self._on_tick = choose_policy, on_tick
        self.declare_parameter("policy", policy)
        self.declare_parameter("record", "" if record is None else str(record))
        self.declare_parameter("compressed", False)
        self.declare_parameter("careful", careful)
        for name, topic in TOPICS.items():
            self.declare_parameter(_parameter(name), topic)
        for name, value in vars(Numbers()).items():
            self.declare_parameter(name, value)
        self.numbers = Numbers()
        self.estop = EStop()
        self._pilot: Pilot | None = None
        self._protected: Protected | None = None
        self.refusal = ""  # why the last transition was refused
        self._made: list[tuple[Callable[[Any], Any], Any]] = []
        self._ears = Ears(self.get_fully_qualified_name(), self.estop, self._halt)

    @property
    def report(self) -> Report:
        return Report() if self._pilot is None else self._pilot.report

    @property
    def ready(self) -> bool:
        """Whether the robot's state is known, so that the node can be activated."""
        return self._aligner.state is not None

    @property
    def seen(self) -> dict[str, Seen]:
        """What has come on each topic."""
        return self._ears.seen

    def problem(self) -> str:
        """What keeps the node from doing its work, in words."""
        if self._protected is None:
            return ""
        seeing = self._aligner.problem() if self.chosen.cameras else ""
        return self._states.problem or self._ears.problem or self._around.problem or seeing

    def destroy_node(self) -> None:
        self._ears.close()
        super().destroy_node()
        # It holds the lifecycle's services, which rclpy leaves: clients would find them, and nobody would answer.
        self._state_machine.destroy_when_not_in_use()

    # ---- the lifecycle

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._attempt(self._configure, "configure")

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        super().on_activate(state)
        return self._attempt(self._activate, "activate")

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._rest()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._forget()
        return _DONE

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._rest()
        self._forget()
        return _DONE

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self.on_shutdown(state)

    def _attempt(self, what: Callable[[], None], name: str) -> TransitionCallbackReturn:
        """A refusal leaves the node in the state it was in, with a sentence in the log."""
        self.refusal = ""
        try:
            what()
        except VolitionError as error:
            self.get_logger().error(f"Cannot {name}: {error}")
            self.refusal = str(error)
            return _NOT
        except Exception:  # rclpy would swallow it
            self.get_logger().error(f"Cannot {name}: {traceback.format_exc()}")
            raise
        return _DONE

    def _configure(self) -> None:
        self.numbers = Numbers(**{name: self._value(name) for name in vars(Numbers())})
        chosen = self.chosen = self._choose(self._value("policy"))
        spec = chosen.spec
        self.loop_clock = SimulatedTime() if self._value("use_sim_time") else Stamps(self._system_time())
        self._aligner, self._states = Aligner(chosen.cameras, tolerance_s=self.numbers.tolerance_s), States(spec)
        self._body = WholeBody(spec)
        self._names = [joint.name for joint in spec.commanded]
        protected = self._protected = protect(
            chosen.policy,
            spec,
            self._aligner,
            self.estop,
            careful=self._value("careful"),
            on_silence=self._silence,
            simulated=isinstance(self.loop_clock, SimulatedTime),
        )
        self.guard = protected.guard
        self._around = Around(
            self.guard.surroundings, self.loop_clock, place=self._aligner.at, complain=self.get_logger().error
        )
        self._publish()
        self._ears.listen(
            Hearing(
                spec=spec,
                states=self._states,
                aligner=self._aligner,
                around=self._around,
                clock=self.loop_clock,
                topics={name: self._value(_parameter(name)) for name in TOPICS},
                compressed=self._value("compressed"),
                arrived=protected.arrived,
                tell=self.tell,
            )
        )

    def _activate(self) -> None:
        assert self._protected is not None
        if not self.ready:
            raise RosError(f"The robot's state is not known: {self._states.problem}. Activate again when it is there.")
        record = self._value("record")
        self._pilot = Pilot(
            Parts(
                robot=TopicRobot(self.chosen.spec, self._aligner, self._send),
                inference=self._protected.inference,
                action_spec=self.chosen.policy.action_spec,
                body=self._body,
                guard=self.guard,
                clock=self.loop_clock,
                doubt=self.chosen.doubt,
                sight=self._protected.sight,
                watchdog=self._protected.watchdog,
                task_limit_s=self.numbers.task_limit_s,
                record=Path(record) if record else None,
                on_tick=self._tick,
            )
        )
        self._pilot.start()

    def _rest(self) -> None:
        if self._pilot is not None:
            if not self._pilot.stop():
                self.get_logger().error("The control thread did not end within 3 s.")
            self._tell_status()

    def _forget(self) -> None:
        self._ears.deafen()
        for destroy, one in self._made:
            destroy(one)
        self._made = []
        if self._protected is not None:
            self._protected.inference.close()
        self._protected = self._pilot = None

    # ---- in

    def tell(self, instruction: str) -> None:
        if self._pilot is None or not self._pilot.active:
            self.get_logger().warning("An instruction came while the node is not active; it is left out.")
        elif instruction.strip():
            self._pilot.tell(instruction.strip())
        else:
            self._pilot.halt()

    def _halt(self) -> bool:
        if self._pilot is None or not self._pilot.active:
            return False
        self._pilot.halt()
        return True

    # ---- out

    def _publish(self) -> None:
        topic = {name: self._value(_parameter(name)) for name in TOPICS}
        self._commands = self.create_lifecycle_publisher(JointState, topic["joint_commands"], LATEST)
        self._velocity = self.create_lifecycle_publisher(Twist, topic["velocity"], LATEST)
        self._status = self.create_publisher(String, topic["status"], LATCHED)
        self._interventions = self.create_publisher(String, topic["interventions"], QoSProfile(depth=100))
        self._diagnostics = self.create_publisher(DiagnosticArray, topic["diagnostics"], QoSProfile(depth=10))
        self._made += [(self.destroy_lifecycle_publisher, one) for one in (self._commands, self._velocity)]
        self._made += [(self.destroy_publisher, one) for one in (self._status, self._interventions, self._diagnostics)]
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # what is told must go on when a simulator's time stands still
        for period, what in ((0.1, self._look_after), (1.0, self._diagnose)):
            self._made.append((self.destroy_timer, self.create_timer(period, what, clock=steady)))

    def _send(self, command: Command) -> None:
        """Called by the control thread, 50 times a second."""
        velocity = Twist()
        velocity.linear.x, velocity.linear.y, velocity.angular.z = command.base_velocity.tolist()
        self._velocity.publish(velocity)
        joints = JointState(name=self._names, position=command.position.tolist())
        joints.header.stamp = self._stamp()
        self._commands.publish(joints)

    def _silence(self) -> None:
        """The control thread hangs: nobody else will stop the base. Called by the watchdog's thread."""
        self._velocity.publish(Twist())
        self.get_logger().error(f"The control loop hangs. {self.estop.why}")

    def _tick(self, tick: Tick) -> None:
        for event in tick.interventions[:MOST_EVENTS]:
            self._interventions.publish(String(data=intervention_text(event)))
        self._on_tick(tick)

    def _look_after(self) -> None:
        """Ten times a second: tell the status, and deactivate after a fault."""
        self._tell_status()
        if self.report.state == "fault" and self._state_machine.current_state[1] == "active":
            self.get_logger().error(f"The control thread failed, so the node is deactivated: {self.report.note}")
            self.trigger_deactivate()

    def _tell_status(self) -> None:
        self._status.publish(String(data=status_text(self.report, self.problem())))

    def _diagnose(self) -> None:
        now = self.loop_clock.now()
        counts = self.guard.counts()
        array = diagnostics(self.report, self.problem(), self.seen, now, self.estop, counts, self._around)
        array.header.stamp = self._stamp()
        self._diagnostics.publish(array)

    # ---- small things

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value

    def _stamp(self) -> Any:
        return Time(seconds=self.loop_clock.ros_now()).to_msg()

    def _system_time(self) -> float:
        return self.get_clock().now().nanoseconds * 1e-9


def _parameter(name: str) -> str:
    return f"{name}.topic" if name.startswith(CAMERA) else f"{name}_topic"
