"""How fast the robot may be this tick: slowed at the start, near things and people, where balance is thin or doubt large.

time since the start, distances of a Scene, measured tilt -> Pace(share of each joint's speed, the walking command)
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from volition.safety import reasons
from volition.safety.config import ShieldConfig
from volition.safety.field import Field
from volition.safety.survey import Scene, Survey
from volition.transforms.rotation import tilt
from volition.types import RobotSpec, RobotState

RAMP_FROM = 0.2  # share of the speed limits at the very start
SLOWEST = 0.1  # share that is left where an arm is at the margin: enough to leave
RETREAT = 0.2  # share of the base's speed with which it may leave a person who is too near
REACTION = 1.2  # s: the walking robot follows a new velocity after about 0.5; with less it would swing past
BRAKING = 0.7  # of the base's allowed acceleration: what it can be relied on to brake with
LEAN = (0.20, 0.40)  # rad of measured tilt: walking is slowed from the first on and refused from the second
THIN = 0.03  # m of balance beyond its margin: walking is slowed below this
# The walking robot as a column of balls in the pelvis frame: heights and radius, m; arms at its sides are inside.
_COLUMN = np.array([[0.0, 0.0, height] for height in np.arange(-0.65, 0.56, 0.15)])
_GIRTH = 0.30
_FAR = 1.0  # m: from there the base stops from its highest speed


@dataclass
class Pace:
    """`speed` (C,) is None at full speed; `why` names the reason of each slowed side, `all` of both."""

    speed: np.ndarray | None = None
    why: dict[str, str] = field(default_factory=dict[str, str])
    base: float = 1.0
    base_why: str = ""


class Pacer:
    """Pure."""

    def __init__(self, robot: RobotSpec, config: ShieldConfig, survey: Survey | None) -> None:
        self._config, self._survey = config, survey
        self._count = len(robot.commanded)
        self._top = np.array(robot.base.velocity)
        self._brake = BRAKING * min(robot.base.acceleration[:2])
        self._of_side = {
            side: np.array([joint.group.startswith(f"{side}_") for joint in robot.commanded])
            for side in ("left", "right")
        }

    def pace(self, scene: Scene, state: RobotState, since: float, now: float, caution: float = 1.0) -> Pace:
        """`since`: when the run, or the robot after an emergency stop, started. `caution`: the share of all speeds that
        whoever watches the policy leaves."""
        made = Pace()
        if self._config.ramp_s is not None and now - since < self._config.ramp_s:
            share = RAMP_FROM + (1 - RAMP_FROM) * max(0.0, now - since) / self._config.ramp_s
            made.speed, made.base, made.base_why = np.full(self._count, share), share, reasons.RAMP
            made.why = dict.fromkeys(self._of_side, reasons.RAMP)
        if caution < 1.0:
            for side in self._of_side:
                self._slow(made, side, caution, reasons.UNSURE)
            if caution < made.base:
                made.base, made.base_why = caution, reasons.UNSURE
        if scene.whole is not None and scene.arms is not None:
            for side, distances in scene.arms.items():
                share, reason = self._arm(scene.whole, distances)
                if share < 1.0:
                    self._slow(made, side, share, reason)
        if self._config.balance_margin is not None and self._survey is not None and scene.normals is not None:
            room = self._survey.balance(scene) - self._config.balance_margin
            lean = (LEAN[1] - float(tilt(state.base_quaternion))) / (LEAN[1] - LEAN[0])
            share = float(np.clip(min(room / THIN, lean), 0.0, 1.0))
            if share < made.base:
                made.base, made.base_why = share, reasons.BALANCE
        return made

    def walk(self, wanted: np.ndarray, pace: Pace, scene: Scene) -> tuple[np.ndarray, tuple[tuple[int, str], ...]]:
        """The walking command that is allowed, (3,), and why which axis was changed."""
        velocity, why = wanted, pace.base_why
        if pace.base < 1.0:
            most = pace.base * self._top
            velocity = np.clip(velocity, -most, most)
        if scene.whole is not None:
            velocity, found = self._around(velocity, scene.whole)
            why = found or why
        if velocity is wanted:
            return wanted, ()
        changed = np.flatnonzero(velocity != wanted).tolist()
        return velocity, tuple((axis, why) for axis in changed)

    def _arm(self, field: Field, distances: np.ndarray) -> tuple[float, str]:
        """The smallest share that any obstacle leaves an arm."""
        config = self._config
        people = field.people[field.of]
        margin = np.where(people, config.person_margin, config.thing_margin)
        own = field.margins[field.of]
        margin = np.where(np.isnan(own), margin, own)
        slow = np.where(people, config.person_slow, config.thing_slow)
        shares = (distances - margin) / np.maximum(slow - margin, 1e-3)
        worst = int(shares.argmin())
        return max(SLOWEST, float(shares[worst])), reasons.PERSON if people[worst] else reasons.NEAR

    def _slow(self, made: Pace, side: str, share: float, reason: str) -> None:
        if made.speed is None:
            made.speed = np.ones(self._count)
        mask = self._of_side[side]
        if share < made.speed[mask][0]:
            made.speed[mask] = share
            made.why[side] = reason

    def _around(self, velocity: np.ndarray, field: Field) -> tuple[np.ndarray, str]:
        """Not into anything: the part of the velocity that leads towards an obstacle allows stopping before it."""
        config = self._config
        inside = field.distance(_COLUMN) - _GIRTH  # (P, S)
        rooms = inside.min(axis=1)
        far = np.where(field.people[field.of], config.person_slow_base, config.base_margin + _FAR)
        near = np.flatnonzero(rooms < far)
        if not near.size or not velocity.any():
            return velocity, ""
        field, inside = field.only(near), inside[near]
        away = field.nearest(_COLUMN) - _COLUMN  # (P, S, 3)
        distances = np.linalg.norm(away, axis=2) - field.radius[:, None] - _GIRTH
        why, velocity = "", velocity.copy()
        for place in range(len(distances)):
            ball = int(distances[place].argmin())
            room, person = float(inside[place].min()), bool(field.people[field.of[place]])
            if person:
                share = (room - config.person_margin_base) / (config.person_slow_base - config.person_margin_base)
                most = max(RETREAT, min(1.0, share)) * self._top
                if (np.abs(velocity) > most).any():
                    velocity, why = np.clip(velocity, -most, most), reasons.PERSON
            room -= config.person_margin_base if person else config.base_margin
            direction = away[place, ball, :2]
            length = float(np.hypot(*direction))
            if length < 1e-6:
                continue
            towards = direction / length
            excess = float(velocity[:2] @ towards) - self._toward(room)
            if excess > 1e-9:
                velocity[:2] -= excess * towards
                why = reasons.PERSON if person else why or reasons.OBSTACLE
        return velocity, why

    def _toward(self, room: float) -> float:
        """The speed from which the base stops within `room`: it goes on for REACTION and then brakes."""
        if room <= 0:
            return 0.0
        lost = self._brake * REACTION
        return float(np.sqrt(lost * lost + 2 * self._brake * room) - lost)
