"""The arms' part of the primitives: rest, a raised arm, a wave, as motions that are smooth to the third derivative."""

from __future__ import annotations

import math

import numpy as np

from volition.robots.primitives import Gesture
from volition.types import RobotSpec

QUICKNESS = 4.0  # 1/s: the triple pole of the follower; a raised arm is up after about 1.6 s at 2.8 rad/s at most
WAVE_HZ = 1.0
WAVE_ANGLE = 0.45  # rad of the shoulder's yaw to each side

# Left arm; the right one is mirrored. Upper arm forward and up, forearm upright.
_RAISED = {"shoulder_pitch": -2.6, "shoulder_roll": 0.45, "elbow": 1.0}
_WAVING = {"shoulder_pitch": -1.9, "shoulder_roll": 0.45, "elbow": 0.4}
_MIRRORED = ("shoulder_roll", "shoulder_yaw", "wrist_roll", "wrist_yaw")


class Gestures:
    """Call `step` once a control tick with the running gesture; it answers with the targets of all commanded joints."""

    def __init__(self, robot: RobotSpec) -> None:
        self._names = [joint.name for joint in robot.commanded]
        self._home = robot.home_position[robot.commanded_index]
        self._low, self._high = np.array([joint.position for joint in robot.commanded]).T
        self._tick = 1.0 / robot.control_rate_hz
        self._yaw = self._names.index("right_shoulder_yaw_joint")
        self._arms = {
            side: [n for n, name in enumerate(self._names) if name.startswith(side)] for side in ("left", "right")
        }
        self._raised = {side: self._posture(side, _RAISED) for side in self._arms}
        self._waving = self._posture("right", _WAVING)
        self.reset(self._home)

    def reset(self, position: np.ndarray) -> None:
        """Start at rest from these targets."""
        count = len(self._names)
        self._state = np.zeros((3, count + 1))  # value, rate, second rate; the last column is the wave's amplitude
        self._state[0, :count] = position
        self._goal = np.append(self._home, 0.0)
        self._clock = 0.0
        self._gesture: Gesture = "keep"

    def step(self, gesture: Gesture) -> np.ndarray:
        if gesture != self._gesture:
            self._aim(gesture)
        self._follow()
        self._clock = self._clock + self._tick if self._goal[-1] or self._state[0, -1] > 1e-3 else 0.0
        targets = self._state[0, :-1].copy()
        targets[self._yaw] += self._state[0, -1] * math.sin(2 * math.pi * WAVE_HZ * self._clock)
        return np.clip(targets, self._low, self._high)  # the follower ends within rounding of a finger's limit

    def _aim(self, gesture: Gesture) -> None:
        if self._gesture == "wave" or gesture in ("rest", "wave", "raise_right"):
            self._goal[self._arms["right"]] = self._home[self._arms["right"]]
            self._goal[-1] = 0.0
        if gesture == "rest":
            self._goal[:-1] = self._home
        elif gesture == "wave":
            self._goal[self._arms["right"]] = self._waving
            self._goal[-1] = WAVE_ANGLE
        elif gesture in ("raise_left", "raise_right"):
            side = gesture.removeprefix("raise_")
            self._goal[self._arms[side]] = self._raised[side]
        self._gesture = gesture

    def _follow(self) -> None:
        """A critically damped third-order follower: (s + q)^3, so that the jerk is bounded and nothing overshoots."""
        value, rate, second = self._state
        q = QUICKNESS
        jerk = q**3 * (self._goal - value) - 3 * q**2 * rate - 3 * q * second
        second = second + self._tick * jerk
        rate = rate + self._tick * second
        self._state = np.stack([value + self._tick * rate, rate, second])

    def _posture(self, side: str, angles: dict[str, float]) -> np.ndarray:
        posture = self._home.copy()
        for joint, angle in angles.items():
            sign = -1.0 if side == "right" and joint in _MIRRORED else 1.0
            posture[self._names.index(f"{side}_{joint}_joint")] = sign * angle
        return posture[self._arms[side]]
