"""Motion that strays while the label stays clean, so that demonstrations show how to come back (DART, Laskey et al. 2017).

expert's chunk -> Stray.off (smooth errors, rare kicks) -> what is carried out
Wrong: a Plan that moves a hand or steps somewhere by chance, before an episode is recorded
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from volition.body.proprioception import SIDES
from volition.sim.expert import DT, Intent, Reach
from volition.sim.stage import READY
from volition.transforms.rotation import from_rotvec, multiply, to_rotvec
from volition.types import ActionChunk, ActionSpec, RobotState

HAND, TURN = 0.01, 0.05  # m, rad: standard deviations of each axis at strength 1
BASE = (0.03, 0.03, 0.05)  # m/s, m/s, rad/s, while the robot walks: a standing one must not be made to step
MEMORY = 0.5  # s: how long an error lasts
KICKS, KICK, KICK_S = 0.1, 0.05, 0.6  # 1/s and hand; m at strength 1; s from beginning to end
_LEARNT = math.exp(-DT / MEMORY)


class Stray:
    """Errors of one episode, a fixed function of time: overlapping chunks agree about every moment."""

    def __init__(self, strength: float, spec: ActionSpec, seed: tuple[int, ...]) -> None:
        self._strength, self._spec = strength, spec
        self._random = np.random.default_rng(seed)
        self._hand = {side: spec.index(f"{side}.x") for side in SIDES}
        # Each hand's three places and three turns, then the base.
        self._scale = np.array([*([HAND] * 3 + [TURN] * 3) * len(SIDES), *BASE]) * strength
        self._state = self._random.normal(size=len(self._scale))
        self._kicks: list[tuple[int, int, np.ndarray]] = []  # hand, first step, m
        self._rows: list[np.ndarray] = []

    def off(self, chunk: ActionChunk) -> np.ndarray:
        """The chunk's values with the errors of its moments, within the action's bounds. (K, A)"""
        values = chunk.values.copy()
        if not self._strength:
            return values
        first = round(chunk.stamp / chunk.dt)
        errors = np.array([self._at(first + 1 + step) for step in range(len(values))])
        for number, at in enumerate(self._hand.values()):
            here = errors[:, 6 * number : 6 * number + 6]
            values[:, at : at + 3] += here[:, :3]
            turned = multiply(from_rotvec(values[:, at + 3 : at + 6]), from_rotvec(here[:, 3:]))
            values[:, at + 3 : at + 6] = to_rotvec(turned)
        walks = np.abs(values[:, -3:]).max(axis=1, keepdims=True) > 0
        values[:, -3:] += np.where(walks, errors[:, -3:], 0.0)
        return np.clip(values, self._spec.low, self._spec.high)

    def _at(self, step: int) -> np.ndarray:
        while len(self._rows) <= step:
            self._rows.append(self._next())
        return self._rows[step]

    def _next(self) -> np.ndarray:
        """First-order autoregression, and half a sine for each kick under way."""
        fresh = self._random.normal(size=len(self._scale))
        self._state = _LEARNT * self._state + math.sqrt(1 - _LEARNT**2) * fresh
        row = self._state * self._scale
        now = len(self._rows)
        for hand in range(len(SIDES)):
            way = self._random.normal(size=3)
            if self._random.random() < KICKS * DT:
                self._kicks.append((hand, now, KICK * self._strength * way / np.linalg.norm(way)))
        self._kicks = [kick for kick in self._kicks if (now - kick[1]) * DT < KICK_S]
        for hand, begin, way in self._kicks:
            row[6 * hand : 6 * hand + 3] += way * math.sin(math.pi * (now - begin) * DT / KICK_S)
        return row


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A Plan: one hand goes where it should not, or the robot steps aside and stands again."""

    seconds: float
    side: str = ""  # of the hand; empty: it steps
    reach: Reach | None = None
    base: tuple[float, float, float] = (0.0, 0.0, 0.0)
    begin: float = 0.0

    def decide(self, state: RobotState) -> Intent:
        if self.reach is not None:
            return Intent(hands={self.side: self.reach}, note="straying")
        steps = state.stamp - self.begin < 0.5 * self.seconds
        return Intent(base=np.array(self.base) if steps else np.zeros(3), note="straying")


def wrong_motion(seed: tuple[int, ...], begin: float) -> Wrong:
    """Two of three times a hand 5 to 15 cm off, hardly lower, turned by up to 0.4 rad; else a step or two."""
    random = np.random.default_rng(seed)
    seconds = float(random.uniform(1.0, 2.0))
    if random.random() < 2 / 3:
        side = SIDES[int(random.integers(2))]
        way = random.normal(size=3)
        away = way / np.linalg.norm(way) * random.uniform(0.05, 0.15)
        away[2] = max(away[2], -0.02)
        turn = from_rotvec(random.uniform(-1, 1, 3) * 0.4 / math.sqrt(3))
        grasp = float(random.integers(2))
        reach = Reach(position=READY[side] + away, quaternion=turn, grasp=grasp)
        return Wrong(seconds=seconds, side=side, reach=reach, begin=begin)
    forward, left, turn = random.uniform(-1, 1, 3) * np.array([0.12, 0.2, 0.3])
    return Wrong(seconds=seconds, base=(min(forward, 0.0), left, turn), begin=begin)
