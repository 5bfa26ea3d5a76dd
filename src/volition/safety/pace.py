"""How fast the robot may be this tick: slowed at the start, near things and people, where balance is thin or doubt large.

time since the start, distances of a Scene, measured tilt -> Pace(share of each joint's speed, the walking command)
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from volition.safety import reasons
from volition.safety.collision import SIDES
from volition.safety.config import ShieldConfig
from volition.safety.field import Field
from volition.safety.survey import COLUMN, Scene
from volition.types import RobotSpec

RAMP_FROM = 0.2  # share of the speed limits at the very start
SLOWEST = 0.1  # share that is left where an arm is at the margin: enough to leave
RETREAT = 0.2  # share of the base's speed with which it may leave a person who is too near
REACTION = 1.2  # s: the walking robot follows a new velocity after about 0.5; with less it would swing past
BRAKING = 0.7  # of the base's allowed acceleration: what it can be relied on to brake with
LEAN = (0.20, 0.40)  # rad of measured tilt: walking is slowed from the first on and refused from the second
THIN = 0.03  # m of balance beyond its margin: walking is slowed below this
_FAR = 1.0  # m: from there the base stops from its highest speed


@dataclass
class Pace:
    """`speed` (C,) is None at full speed; `why` names the reason of each slowed side."""

    speed: np.ndarray | None = None
    why: dict[str, str] = field(default_factory=dict[str, str])
    base: float = 1.0
    base_why: str = ""


class Pacer:
    """Pure."""

    def __init__(self, robot: RobotSpec, config: ShieldConfig) -> None:
        self._config = config
        self._top = tuple(robot.base.velocity)
        self._brake = BRAKING * min(robot.base.acceleration[:2])
        starts = [[joint.group.startswith(f"{side}_") for side in SIDES] for joint in robot.commanded]
        self._side = np.array([1 + row.index(True) if any(row) else 0 for row in starts])

    def pace(self, scene: Scene, since: float, now: float, caution: float = 1.0) -> Pace:
        """`since`: when the run, or the robot after an emergency stop, started. `caution`: the share of all speeds that
        whoever watches the policy leaves."""
        made = Pace()
        shares: dict[str, float] = dict.fromkeys(("", *SIDES), 1.0)  # of all else, left, right
        if self._config.ramp_s is not None and now - since < self._config.ramp_s:
            share = RAMP_FROM + (1 - RAMP_FROM) * max(0.0, now - since) / self._config.ramp_s
            shares, made.base, made.base_why = dict.fromkeys(shares, share), share, reasons.RAMP
            made.why = dict.fromkeys(SIDES, reasons.RAMP)
        slower = [(side, caution, reasons.UNSURE) for side in SIDES]
        if caution < made.base:
            made.base, made.base_why = caution, reasons.UNSURE
        if scene.whole is not None and scene.arms is not None:
            slower += self._arms(scene.whole, scene.arms)
        for side, share, reason in slower:
            if share < shares[side]:
                shares[side], made.why[side] = share, reason
        if min(shares.values()) < 1.0:
            made.speed = np.array(list(shares.values()))[self._side]
        if self._config.balance_margin is not None and scene.support is not None:
            lean = (LEAN[1] - scene.support.tilt) / (LEAN[1] - LEAN[0])
            share = max(0.0, min(1.0, (scene.balance - self._config.balance_margin) / THIN, lean))
            if share < made.base:
                made.base, made.base_why = share, reasons.BALANCE
        return made

    def walk(self, wanted: np.ndarray, pace: Pace, scene: Scene) -> tuple[np.ndarray, tuple[tuple[int, str], ...]]:
        """The walking command that is allowed, (3,), and why which axis was changed."""
        velocity, why = wanted, pace.base_why
        if pace.base < 1.0:
            most = pace.base * np.array(self._top)
            velocity = np.minimum(np.maximum(velocity, -most), most)
        if scene.whole is not None and scene.column is not None and any(velocity.tolist()):
            velocity, found = self._around(velocity, scene.whole, scene.column)
            why = found or why
        if velocity is wanted:
            return wanted, ()
        changed = np.flatnonzero(velocity != wanted).tolist()
        return velocity, tuple((axis, why) for axis in changed)

    def _arms(self, field: Field, distances: np.ndarray) -> list[tuple[str, float, str]]:
        """The smallest share that an obstacle leaves each side, and why. `distances` are (2, P)."""
        shares = (distances - field.margins) / field.slowing
        found: list[tuple[str, float, str]] = []
        for side, row, worst in zip(SIDES, shares.tolist(), shares.argmin(axis=1).tolist(), strict=True):
            found.append((side, max(SLOWEST, row[worst]), reasons.PERSON if field.people[worst] else reasons.NEAR))
        return found

    def _around(self, velocity: np.ndarray, field: Field, column: np.ndarray) -> tuple[np.ndarray, str]:
        """Not into anything: the part of the velocity that leads towards an obstacle allows stopping before it.

        `column`: the distance of each place to each ball of the walking robot, (P, S).
        """
        config = self._config
        balls = column.argmin(axis=1)
        rooms = column[np.arange(len(column)), balls]
        near = (rooms < np.where(field.people, config.person_slow_base, config.base_margin + _FAR)).nonzero()[0]
        if not near.size:
            return velocity, ""
        ways = field.ways(COLUMN[:, balls])[near, :2].tolist()
        people = field.people[near].tolist()
        why, speed = "", velocity.tolist()
        for room, person, (forward, left) in zip(rooms[near].tolist(), people, ways, strict=True):
            if person:
                share = (room - config.person_margin_base) / (config.person_slow_base - config.person_margin_base)
                share = max(RETREAT, min(1.0, share))
                slower = [min(max(one, -share * top), share * top) for one, top in zip(speed, self._top, strict=True)]
                if slower != speed:
                    speed, why = slower, reasons.PERSON
            room -= config.person_margin_base if person else config.base_margin
            length = math.hypot(forward, left)
            if length < 1e-6:
                continue
            forward, left = forward / length, left / length
            excess = speed[0] * forward + speed[1] * left - self._toward(room)
            if excess > 1e-9:
                speed[0] -= excess * forward
                speed[1] -= excess * left
                why = reasons.PERSON if person else why or reasons.OBSTACLE
        return np.array(speed), why

    def _toward(self, room: float) -> float:
        """The speed from which the base stops within `room`: it goes on for REACTION and then brakes."""
        if room <= 0:
            return 0.0
        lost = self._brake * REACTION
        return math.sqrt(lost * lost + 2 * self._brake * room) - lost
