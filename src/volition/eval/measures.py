"""What a run was like beside its success: how far hands and base went, how smoothly, and whether any limit was broken.

every Tick -> Measures.tick -> Measures.result -> figures of one trial
"""

from __future__ import annotations

import numpy as np

from volition.runtime.report import Tick
from volition.sim.stage import SIDES, Stage
from volition.types import RobotSpec

SLACK = 1e-6  # of a limit: rounding


class Measures:
    """Of one trial. Commands are judged as the robot gets them, after the shield."""

    def __init__(self, stage: Stage, robot: RobotSpec) -> None:
        self._stage, self._period = stage, 1.0 / robot.control_rate_hz
        self._low, self._high = np.array([joint.position for joint in robot.commanded]).T
        self._fastest = np.array([joint.velocity for joint in robot.commanded])
        self._arms = np.array([joint.group.endswith("_arm") for joint in robot.commanded])
        self._hands: np.ndarray | None = None
        self._base: np.ndarray | None = None
        self._sent: list[np.ndarray] = []  # the last four commands
        self._way = {"hand": 0.0, "base": 0.0}
        self._jerk, self._ticks, self._violations = 0.0, 0, 0

    def tick(self, now: Tick) -> None:
        hands = np.array([self._stage.hand(side)[0] for side in SIDES])
        base = now.state.base_position[:2].copy()
        if self._hands is not None and self._base is not None:
            self._way["hand"] += float(np.linalg.norm(hands - self._hands, axis=1).sum())
            self._way["base"] += float(np.linalg.norm(base - self._base))
        self._hands, self._base = hands, base
        position = now.safe.position
        wrong = (position < self._low - SLACK) | (position > self._high + SLACK)
        if self._sent:
            wrong |= np.abs(position - self._sent[-1]) > self._fastest * self._period * (1 + SLACK) + SLACK
        self._violations += int(wrong.any())
        self._sent = [*self._sent[-3:], position]
        if len(self._sent) == 4:
            third = np.diff(np.array(self._sent)[:, self._arms], n=3, axis=0)[0] / self._period**3
            self._jerk += float(np.mean(third**2))
            self._ticks += 1

    def result(self) -> dict[str, float]:
        """Ways in m, jerk of the arms' joints in rad/s^3 (root mean square), violations in ticks."""
        return {
            "hand_m": round(self._way["hand"], 4),
            "base_m": round(self._way["base"], 4),
            "jerk": round(float(np.sqrt(self._jerk / max(self._ticks, 1))), 3),
            "violations": self._violations,
        }
