"""Closes the loop on where the robot should be: 1 m commanded is 1 m walked. Runs inside the robot, before the balance controller.

The balance policy walks 60 to 90 % of what it is asked and drifts. So the commanded velocity is integrated into a
reference pose on the floor, and the policy is asked for that velocity plus a correction towards the reference.
Walking sways the pelvis by some centimetres once a stride, so the error is averaged over a stride, the reference's
and the robot's pose alike, which keeps the average free of lag.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from volition.body.balance import STRIDE
from volition.transforms.rotation import wrap, yaw
from volition.types import RobotSpec, RobotState


@dataclass(frozen=True, kw_only=True)
class WalkerConfig:
    """Gains and tolerances; three numbers are forward, left, turn."""

    feedforward: tuple[float, float, float] = (1.0, 1.45, 1.1)  # the policy's own shortfall, measured
    gain: tuple[float, float, float] = (1.0, 1.3, 1.3)  # 1/s
    integral: tuple[float, float, float] = (0.3, 0.3, 0.2)  # 1/s^2: makes up for a steady pull, as of a raised arm
    most_integral: tuple[float, float, float] = (0.25, 0.25, 0.2)  # m/s, m/s, rad/s
    most: tuple[float, float, float] = (1.0, 1.0, 1.0)  # m/s, m/s, rad/s: what the policies were trained to
    dead: tuple[float, float, float] = (0.03, 0.03, 0.05)  # m/s, m/s, rad/s: less than all of these is standing still
    window: float = STRIDE  # s
    arrive: tuple[float, float] = (0.03, 0.03)  # m, rad: close enough to stand still ...
    relax: float = 0.3  # 1/s: how much of `arrive` is added to it each second since the last command ...
    still: tuple[float, float] = (0.015, 0.03)  # m, rad: ... and not merely passing by ...
    stay: float = 0.3  # s: ... once it has been for this long
    leave: tuple[float, float] = (0.08, 0.08)  # m, rad: pushed this far away, it steps back
    leash: tuple[float, float] = (1.0, 0.8)  # m, rad: the reference waits for a robot that is held up


class Walker:
    """A velocity command in (forward, left, turn), the velocity to ask of the balance policy out. Once a control tick."""

    def __init__(self, robot: RobotSpec, config: WalkerConfig | None = None) -> None:
        self.config = config or WalkerConfig()
        self._tick = 1.0 / robot.control_rate_hz
        self._length = max(1, round(self.config.window * robot.control_rate_hz))
        self.reset()

    def reset(self) -> None:
        self._reference: np.ndarray | None = None  # x, y, heading on the floor
        self._errors: list[np.ndarray] = []
        self._walking = False
        self._since = 0.0  # s since it should have come to stand
        self._recent: list[np.ndarray] = []  # errors of the last `stay` seconds of that
        self._steady = np.zeros(3)  # the integral, in the heading frame: what pulls is fixed to the robot

    @property
    def reference(self) -> np.ndarray | None:
        """Where the robot should be: x, y, heading."""
        return self._reference

    def step(self, wanted: np.ndarray, state: RobotState, may_stand: bool = True) -> np.ndarray:
        """`may_stand` is the balance controller's: the robot comes to stand only at the right moment in its stride."""
        config = self.config
        if np.all(np.abs(wanted) < config.dead):
            wanted = np.zeros(3)
        heading = float(yaw(state.base_quaternion))
        if self._reference is None:
            self._reference = np.array([*state.base_position[:2], heading])
        self._advance(wanted)
        self._pull(state.base_position, heading)
        error = self._error(state.base_position, heading)
        distance, angle = math.hypot(error[0], error[1]), abs(error[2])
        if np.any(wanted):
            self._walking = True
            self._since = 0.0
            self._recent.clear()
        elif self._walking:
            self._since += self._tick
            self._walking = not (self._arrived(error) and may_stand)
        else:
            self._since = 0.0
            self._recent.clear()
            self._walking = distance > config.leave[0] or angle > config.leave[1]
        if not self._walking:
            self._steady = np.zeros(3)
            return np.zeros(3)
        if not np.any(wanted):  # while it is told to move, the error is mostly lag and would wind this up
            grown = self._steady + self._tick * np.array(config.integral) * error
            self._steady = np.clip(grown, -np.array(config.most_integral), config.most_integral)
        asked = np.array(config.feedforward) * wanted + np.array(config.gain) * error + self._steady
        most = np.array(config.most)
        return np.clip(asked, -most, most)

    def _arrived(self, error: np.ndarray) -> bool:
        """Whether the robot has been close and still for `stay`. The longer it takes, the less is asked."""
        config = self.config
        self._recent.append(error)
        del self._recent[: -max(2, round(config.stay / self._tick))]
        if len(self._recent) * self._tick < config.stay:
            return False
        patience = 1.0 + config.relax * self._since
        recent = np.array(self._recent)
        moved = np.ptp(recent, axis=0)
        return bool(
            np.hypot(recent[:, 0], recent[:, 1]).max() < patience * config.arrive[0]
            and np.abs(recent[:, 2]).max() < patience * config.arrive[1]
            and math.hypot(moved[0], moved[1]) < patience * config.still[0]
            and moved[2] < patience * config.still[1]
        )

    def _advance(self, wanted: np.ndarray) -> None:
        assert self._reference is not None
        middle = self._reference[2] + 0.5 * self._tick * wanted[2]
        forward, left = np.array([math.cos(middle), math.sin(middle)]), np.array([-math.sin(middle), math.cos(middle)])
        self._reference[:2] += self._tick * (wanted[0] * forward + wanted[1] * left)
        self._reference[2] = wrap(self._reference[2] + self._tick * wanted[2])

    def _pull(self, position: np.ndarray, heading: float) -> None:
        """Keep the reference within its leash of the robot."""
        assert self._reference is not None
        far, turn = self.config.leash
        away = self._reference[:2] - position[:2]
        distance = float(np.linalg.norm(away))
        if distance > far:
            self._reference[:2] = position[:2] + away * (far / distance)
        ahead = float(wrap(self._reference[2] - heading))
        if abs(ahead) > turn:
            self._reference[2] = wrap(heading + math.copysign(turn, ahead))

    def _error(self, position: np.ndarray, heading: float) -> np.ndarray:
        """Forward, left and turn still to go, averaged over a stride."""
        assert self._reference is not None
        away = self._reference[:2] - position[:2]
        cosine, sine = math.cos(heading), math.sin(heading)
        error = np.array(
            [cosine * away[0] + sine * away[1], -sine * away[0] + cosine * away[1], wrap(self._reference[2] - heading)]
        )
        self._errors.append(error)
        del self._errors[: -self._length]
        return np.mean(self._errors, axis=0)
