"""The ten primitives as goals, so that instructions can mix them with skills: walk a way, turn, raise an arm, wave, stop.

How far a goal goes is what its primitive does when nobody says how much (robots/primitives.py): 1 m forward or back,
0.6 m aside, 90 degrees; arms go up above the shoulder.
"""

from __future__ import annotations

import math
from weakref import WeakKeyDictionary

import numpy as np

from volition.robots.primitives import NAMES, primitive
from volition.sim.expert import Intent, Reach, base_error, mirror
from volition.sim.randomise import Draw
from volition.sim.scene import Goal, Scene
from volition.sim.skill import Verdict
from volition.sim.stage import SIDES, Stage
from volition.sim.tasks.go_to import Standing, furnish_floor
from volition.transforms.rotation import from_rotvec, wrap, yaw
from volition.types import RobotState

RING = (2.1, 3.6)  # m: things stand so far around the robot, clear of where it may walk
CLOSE = (0.15, 0.15)  # m, rad: done as told
STOOD_S = 1.0  # having stood there so long
STRAYED = (0.35, 0.5)  # m, rad: so far off what was told is another movement
STOPPED = (0.05, 0.10, 2.0)  # m, rad, s: `stop` is to stay within this for so long
RAISED = 0.20  # m over the shoulder
HELD_S = 1.0  # an arm is up when it has been up so long
SWING = 0.06  # m, from side to side, that counts as half a wave
SWINGS = 3
FASTEST = np.array([0.45, 0.30, 0.60])  # m/s, m/s, rad/s
GAIN = 0.9  # 1/s: more, and it overshoots, because a stride takes its time
ARRIVED, AWAY = np.array([0.05, 0.05, 0.05]), np.array([0.10, 0.10, 0.10])  # m, m, rad: stops walking; walks again
UP = (0.22, 0.28, 0.58)  # m in the pelvis frame, outwards: where a raised hand is
WAVE = (0.26, 0.30, 0.46)  # the middle of a wave, and ...
WIDE = 0.10  # m, how far to each side the expert waves
POINTING_UP = from_rotvec(np.array([0.0, -1.4, 0.0]))

Begun = tuple[float, float, float]  # x, y, heading when a goal began


class Move:
    name = "move"
    limit_s = 20.0

    def __init__(self) -> None:
        # Where a goal began, so that an expert that takes over later teaches the way that the referee measures.
        self._begun: WeakKeyDictionary[Stage, tuple[Goal, Begun]] = WeakKeyDictionary()

    def layout(self, draw: Draw) -> Scene:
        return draw.scene(
            furnish_floor(draw, max(draw.extra(), 1), RING),
            (Goal(skill=self.name, what=draw.pick(NAMES)),),
            table=None,
            heading=draw.place(-math.pi, math.pi, of=".start"),
        )

    def goals(self, scene: Scene) -> tuple[Goal, ...]:
        """At a table nobody walks forward."""
        return tuple(
            Goal(skill=self.name, what=name) for name in NAMES if scene.table is None or name != "move_forward"
        )

    def referee(self, stage: Stage, goal: Goal) -> MoveReferee:
        begun = _base(stage)
        self._begun[stage] = (goal, begun)
        return MoveReferee(stage, goal, begun)

    def plan(self, stage: Stage, goal: Goal) -> MovePlan:
        known, begun = self._begun.get(stage, (None, (0.0, 0.0, 0.0)))
        return MovePlan(stage, goal, begun if known is goal else _base(stage))


def _base(stage: Stage) -> Begun:
    pelvis = stage.world.data.body("pelvis")
    return float(pelvis.xpos[0]), float(pelvis.xpos[1]), float(yaw(pelvis.xquat))


def meant(what: str) -> np.ndarray:
    """Forward, left and turn from beginning to end."""
    chosen = primitive(what)
    return np.array(chosen.base_velocity) * (chosen.default_duration if chosen.moves else 0.0)


def over_shoulder(stage: Stage, side: str) -> float:
    """How high a hand is over its shoulder, m."""
    return float(stage.hand(side)[0][2] - stage.world.data.body(f"{side}_shoulder_pitch_link").xpos[2])


class MoveReferee:
    """Success: displacement, heading and hands are as told, and the robot stands, an arm is up, or it has waved.

    Failure: the base strays from the straight way of what was told, or the other arm goes up: "other_move".
    """

    def __init__(self, stage: Stage, goal: Goal, begun: Begun) -> None:
        self._stage, self._what, self._begun = stage, goal.what, begun
        self._meant = meant(goal.what)
        place, turn, _ = STOPPED
        self._standing = Standing((place, turn)) if goal.what == "stop" else Standing()
        self._up_since = dict.fromkeys(SIDES, math.inf)
        self._swings = {side: Swings() for side in SIDES}

    def watch(self) -> Verdict | None:
        stage, what = self._stage, self._what
        now, pelvis = stage.time, stage.world.data.body("pelvis")
        heading = float(yaw(pelvis.xquat))
        moved = self._moved(pelvis.xpos, heading)
        off = moved - self._meant
        close = bool(math.hypot(off[0], off[1]) < CLOSE[0] and abs(off[2]) < CLOSE[1])
        high = {side: over_shoulder(stage, side) for side in SIDES}
        for side in SIDES:
            self._up_since[side] = min(self._up_since[side], now) if high[side] > RAISED else math.inf
        up = {side: now - self._up_since[side] > HELD_S for side in SIDES}
        if self._strays(moved):
            return Verdict(False, "other_move")
        if what in ("raise_left_arm", "raise_right_arm"):
            side, other = ("left", "right") if what == "raise_left_arm" else ("right", "left")
            if up[other] and high[side] < 0.0:
                return Verdict(False, "other_move")
            return Verdict(True, "raised") if up[side] and high[other] < 0.0 and close else None
        if what == "wave":
            for side in SIDES:
                across = -math.sin(heading) * stage.hand(side)[0][0] + math.cos(heading) * stage.hand(side)[0][1]
                away = across - (-math.sin(heading) * pelvis.xpos[0] + math.cos(heading) * pelvis.xpos[1])
                self._swings[side].add(away, high[side] > 0.0)
            return Verdict(True, "waved") if close and any(s.count >= SWINGS for s in self._swings.values()) else None
        if what == "stop":
            down = all(height < 0.0 for height in high.values())
            stood = self._standing.lasted(now, pelvis.xpos, heading, close and down)
            return Verdict(True, "stopped") if stood > STOPPED[2] else None
        stood = self._standing.lasted(now, pelvis.xpos, heading, close)
        return Verdict(True, "moved") if stood > STOOD_S else None

    def _moved(self, where: np.ndarray, heading: float) -> np.ndarray:
        """Forward and left as seen from the beginning, and the turn since."""
        x, y, first = self._begun
        away, cosine, sine = where[:2] - (x, y), math.cos(first), math.sin(first)
        return np.array(
            [cosine * away[0] + sine * away[1], -sine * away[0] + cosine * away[1], float(wrap(heading - first))]
        )

    def _strays(self, moved: np.ndarray) -> bool:
        """Off the straight way from nothing to what was meant."""
        meant, most = self._meant, np.array([STRAYED[0], STRAYED[0], STRAYED[1]])
        low, high = np.minimum(meant, 0.0) - most, np.maximum(meant, 0.0) + most
        return bool(np.any((moved < low) | (moved > high)))


class Swings:
    """Counts how often a hand that is up turns back after a swing of SWING or more."""

    def __init__(self) -> None:
        self.count = 0
        self._edge: float | None = None  # the farthest point in the present direction
        self._way = 0.0

    def add(self, across: float, up: bool) -> None:
        if not up:
            self.count, self._edge, self._way = 0, None, 0.0
        elif self._edge is None:
            self._edge = across
        elif abs(across - self._edge) > SWING and (across - self._edge) * self._way <= 0.0:
            self.count += 1
            self._way, self._edge = math.copysign(1.0, across - self._edge), across
        elif (across - self._edge) * self._way > 0.0:
            self._edge = across


class MovePlan:
    """Walk to the pose that the goal means, or put the arms where it wants them."""

    def __init__(self, stage: Stage, goal: Goal, begun: Begun) -> None:
        self._stage, self._what = stage, goal.what
        x, y, heading = begun
        forward, left, turn = meant(goal.what)
        cosine, sine = math.cos(heading), math.sin(heading)
        self._goal = (x + cosine * forward - sine * left, y + sine * forward + cosine * left, heading + turn)
        self._moves = primitive(goal.what).moves
        self._walking = self._moves
        self._outwards = True

    def decide(self, state: RobotState) -> Intent:
        error = base_error(state, *self._goal)
        self._walking = bool(np.any(np.abs(error) > (ARRIVED if self._walking else AWAY)))
        base = np.clip(GAIN * error, -FASTEST, FASTEST) if self._walking and self._moves else np.zeros(3)
        hands = self._hands(state)
        return Intent(hands=hands, base=base, note=self._what)

    def _hands(self, state: RobotState) -> dict[str, Reach]:
        if self._what in ("raise_left_arm", "raise_right_arm"):
            side = "left" if self._what == "raise_left_arm" else "right"
            return {side: _reach(side, UP, 0.0)}
        if self._what == "wave":
            where = self._stage.in_pelvis(self._stage.hand("right")[0])
            away = -where[1] - WAVE[1]  # outwards from the middle of the wave
            if abs(away) > WIDE - 0.03:
                self._outwards = away < 0.0
            return {"right": _reach("right", WAVE, WIDE if self._outwards else -WIDE)}
        return {}


def _reach(side: str, place: tuple[float, float, float], outwards: float) -> Reach:
    x, y, z = place
    position = np.array([x, mirror(side) * (y + outwards), z])
    return Reach(position=position, quaternion=POINTING_UP, speed=0.45)
