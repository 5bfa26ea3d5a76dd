"""What stands between a policy and a robot behind topics, the same for ROS 1 and ROS 2: made when a node is.

policy -> Inference (asked as pictures arrive);  EStop, Surroundings -> Guard(Shield, Watchdog);  Sight -> Eyes
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from volition.policy import Policy
from volition.robots.g1_assets import light_g1
from volition.ros.align import Aligner
from volition.ros.arrivals import Eyes, OnArrival
from volition.ros.patient import Patient
from volition.runtime.inference import Inference, ThreadedInference
from volition.runtime.sight import Sight
from volition.safety.collision import CollisionModel
from volition.safety.config import careful as limits
from volition.safety.estop import EStop
from volition.safety.guard import Guard
from volition.safety.shield import Shield
from volition.safety.watchdog import Watchdog
from volition.types import RobotSpec

WATCHED = 0.5  # s without a tick, where that is watched


@dataclass(frozen=True, kw_only=True)
class Protected:
    inference: Inference
    arrived: Callable[[], None]  # to be called when a picture has come
    guard: Guard
    sight: Eyes | None  # whether pictures can be believed; None: nobody looks
    watchdog: Watchdog | None


def protect(
    policy: Policy,
    spec: RobotSpec,
    aligner: Aligner,
    estop: EStop,
    *,
    careful: bool,
    on_silence: Callable[[], None],
    simulated: bool = False,
) -> Protected:
    """`careful`: every limit of the shield is on, pictures are looked at before they are believed, a control loop that
    hangs is stopped and `on_silence` called. `simulated`: by a time that waits for commands, and may be waited for in
    turn: only real time can be watched."""
    shield = Shield(spec, config=limits(spec) if careful else None, collision=CollisionModel(spec, light_g1()))
    watchdog = Watchdog(estop, limit_s=WATCHED, on_silence=on_silence) if careful and not simulated else None
    inference: Inference = ThreadedInference(policy, start_deadline_s=5.0)
    if simulated:
        inference = Patient(inference)
    arrived: Callable[[], None] = lambda: None  # noqa: E731
    sight = None
    if aligner.cameras:
        believed = Sight(aligner.cameras) if careful else None
        by_arrival = OnArrival(inference, aligner, 1.0 / spec.policy_rate_hz, sight=believed)
        inference, arrived = by_arrival, by_arrival.arrived
        sight = Eyes(by_arrival) if careful else None
    guard = Guard(shield, estop=estop, watchdog=watchdog)
    return Protected(inference=inference, arrived=arrived, guard=guard, sight=sight, watchdog=watchdog)
