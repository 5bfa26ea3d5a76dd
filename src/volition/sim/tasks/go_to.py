"""Walk to the named thing on the floor, and stand before it, facing it."""

from __future__ import annotations

import math

import numpy as np

from volition.sim.expert import Intent
from volition.sim.randomise import Draw
from volition.sim.scene import Goal, Scene, Thing
from volition.sim.skill import Verdict
from volition.sim.stage import Stage
from volition.sim.things import COLOURS
from volition.sim.workbench import EDGE, WALL, WIDE
from volition.transforms.rotation import wrap, yaw
from volition.types import RobotState

KINDS = ("pillar", "crate", "cone", "chair")
ROUND = ("pillar", "cone")
RING = (1.5, 3.5)  # m from the robot: where things stand
APART = 1.3  # m between the middles of two things: the robot fits between them
NEAR = (0.35, 0.75)  # m from a thing's surface to the robot's middle: standing before it
FACING = 0.35  # rad
STANDING_S = 1.0  # so long the robot has stood there ...
MOVED = (0.06, 0.10)  # m, rad: ... when it has moved less than this meanwhile
WRONG_S = 2.0  # standing so long before another thing is a mistake
HARD = 30.0  # N against a thing
GAP = 0.55  # m from the surface: where the expert stops
CLEAR = 0.45  # m from an obstacle's surface to the robot's middle, on the way past it
FASTEST, TURNING = 0.5, 0.7  # m/s, rad/s
STRAIGHT = 0.5  # rad: turned farther than this from its way, the robot turns on the spot
ARRIVED = (0.08, 0.12)  # m, rad
AWAY = (0.13, 0.25)  # m, rad: so far off it steps again


class GoTo:
    name = "go_to"
    limit_s = 25.0

    def layout(self, draw: Draw) -> Scene:
        things = furnish_floor(draw, 1 + draw.extra())
        return draw.scene(
            things,
            (Goal(skill=self.name, thing=things[0].name),),
            table=None,
            heading=draw.place(-math.pi, math.pi, of=".start"),
        )

    def goals(self, scene: Scene) -> tuple[Goal, ...]:
        return tuple(Goal(skill=self.name, thing=thing.name) for thing in scene.things if thing.kind in KINDS)

    def referee(self, stage: Stage, goal: Goal) -> GoToReferee:
        return GoToReferee(stage, goal)

    def plan(self, stage: Stage, goal: Goal) -> GoToPlan:
        return GoToPlan(stage, goal)


def furnish_floor(draw: Draw, count: int, ring: tuple[float, float] = RING) -> tuple[Thing, ...]:
    """Things all around the robot. The second is of the first's kind, the third of its colour: both words count."""
    kinds, colours = draw.shuffle(KINDS), draw.shuffle(sorted(COLOURS))
    looks = [(kinds[0], colours[0]), (kinds[0], colours[1]), (kinds[1], colours[0])]
    looks += [(kinds[number % 4], colours[number % 8]) for number in range(2, count)]
    places: list[np.ndarray] = []
    first = draw.place(-math.pi, math.pi)
    for number in range(count):
        places.append(_free_place(draw, first + 2 * math.pi * number / count, math.pi / count, ring, places))
    return tuple(_thing(draw, *look, place) for look, place in zip(looks, draw.shuffle(places), strict=False))


def _free_place(
    draw: Draw, angle: float, loose: float, ring: tuple[float, float], taken: list[np.ndarray]
) -> np.ndarray:
    """Somewhere in a sector of the ring, apart from what stands there; after many misses in the sector's middle."""
    for _ in range(100):
        turned = angle + draw.place(-loose, loose)
        place = draw.place(*ring) * np.array([math.cos(turned), math.sin(turned)])
        if all(np.linalg.norm(place - other) > APART for other in taken):
            return place
    return draw.place(*ring) * np.array([math.cos(angle), math.sin(angle)])


def _thing(draw: Draw, kind: str, colour: str, place: np.ndarray) -> Thing:
    shapes = {"pillar": (0.13, 1.10), "crate": (0.42, 0.45), "cone": (0.20, 0.62), "chair": (0.42, 0.86)}
    width, height = shapes[kind]
    return Thing(
        name=f"{colour}_{kind}",
        kind=kind,
        colour=colour,
        rgb=draw.rgb(colour),
        position=(float(place[0]), float(place[1]), 0.0),
        heading=draw.place(-math.pi, math.pi),
        size=(draw.size(width), draw.size(height)),
    )


def gap(thing: Thing, point: np.ndarray) -> float:
    """From a thing's surface to a point on the floor, m."""
    away = np.asarray(point)[:2] - np.array(thing.position[:2])
    if thing.kind in ROUND:
        return float(np.hypot(*away)) - thing.size[0]
    cosine, sine = math.cos(thing.heading), math.sin(thing.heading)
    inside = np.abs([cosine * away[0] + sine * away[1], -sine * away[0] + cosine * away[1]])
    return float(np.linalg.norm(np.maximum(inside - thing.size[0] / 2, 0.0)))


def bearing(state: RobotState, point: np.ndarray) -> float:
    """How far the robot must turn to the left to face a point, rad."""
    away = np.asarray(point)[:2] - state.base_position[:2]
    return float(wrap(math.atan2(away[1], away[0]) - yaw(state.base_quaternion)))


class GoToReferee:
    """Success: the robot has stood before the named thing, facing it. Failure: it stands before another, or runs into one."""

    def __init__(self, stage: Stage, goal: Goal) -> None:
        self._stage, self._goal = stage, goal
        self._thing = stage.scene.thing(goal.thing)
        self._all = [thing for thing in stage.scene.things if thing.kind in KINDS]
        self._others = [thing for thing in self._all if thing.name != goal.thing]
        self._right, self._wrong = Standing(), Standing()

    def watch(self) -> Verdict | None:
        stage = self._stage
        pelvis = stage.world.data.body("pelvis")
        heading, where = float(yaw(pelvis.xquat)), pelvis.xpos
        if self._right.lasted(stage.time, where, heading, self._before(self._thing, where, heading)) > STANDING_S:
            return Verdict(True, "there")
        other = any(self._before(thing, where, heading) for thing in self._others)
        if self._wrong.lasted(stage.time, where, heading, other) > WRONG_S:
            return Verdict(False, "wrong_thing")
        if any(stage.touches("pelvis", thing.name) > HARD for thing in self._all):
            return Verdict(False, "bumped")
        return None

    def _before(self, thing: Thing, where: np.ndarray, heading: float) -> bool:
        away = np.array(thing.position[:2]) - where[:2]
        faces = abs(float(wrap(math.atan2(away[1], away[0]) - heading))) < FACING
        return NEAR[0] < gap(thing, where) < NEAR[1] and faces


class Standing:
    """For how long something has been so while the robot stood still. Stepping on the spot is standing."""

    def __init__(self, still: tuple[float, float] = MOVED) -> None:
        """`still`: m and rad that it may move meanwhile."""
        self._still = still
        self._since: tuple[float, np.ndarray, float] | None = None

    def lasted(self, now: float, where: np.ndarray, heading: float, so: bool) -> float:
        """Seconds; call it every tick with whether it is so now."""
        if self._since is not None and so:
            _, place, turned = self._since
            moved = (
                np.linalg.norm(where[:2] - place[:2]) > self._still[0]
                or abs(float(wrap(heading - turned))) > self._still[1]
            )
            so = not moved
        if not so:
            self._since = None
            return 0.0
        if self._since is None:
            self._since = (now, where.copy(), heading)
        return now - self._since[0]


class GoToPlan:
    """Turn towards the thing, walk there past what is in the way, stand before it."""

    def __init__(self, stage: Stage, goal: Goal) -> None:
        self._thing = stage.scene.thing(goal.thing)
        self._obstacles = obstacles(stage.scene, goal.thing)
        self._there = False

    def decide(self, state: RobotState) -> Intent:
        thing = np.array(self._thing.position)
        ahead, turn = gap(self._thing, state.base_position) - GAP, bearing(state, thing)
        near, facing = AWAY if self._there else ARRIVED
        self._there = abs(ahead) < near and abs(turn) < facing
        if self._there:
            return Intent(status="done", note="there")
        if ahead < 0.3:
            forward = float(np.clip(1.2 * ahead, -0.3, 0.3)) if abs(turn) < STRAIGHT else 0.0
            return Intent(base=np.array([forward, 0.0, _turn(turn)]), note="coming to stand")
        point = way(state.base_position[:2], thing[:2], self._obstacles)
        turn = bearing(state, point)
        if abs(turn) > STRAIGHT:
            return Intent(base=np.array([0.0, 0.0, _turn(turn)]), note="turning")
        forward = min(FASTEST, 1.2 * ahead) * math.cos(turn)
        return Intent(base=np.array([forward, 0.0, _turn(turn)]), note="walking")


def _turn(angle: float) -> float:
    return float(np.clip(1.8 * angle, -TURNING, TURNING))


def obstacles(scene: Scene, goal: str) -> tuple[tuple[np.ndarray, float], ...]:
    """What is in the way, as circles on the floor that the robot's middle keeps out of: the other things, and the table."""
    found: list[tuple[np.ndarray, float]] = []
    for thing in scene.things:
        if thing.kind in KINDS and thing.name != goal:
            radius = thing.size[0] if thing.kind in ROUND else 0.6 * thing.size[0]
            found.append((np.array(thing.position[:2]), radius + CLEAR))
    if scene.table is not None:
        middle, half = (EDGE + WALL) / 2, (WALL - EDGE) / 2
        found += [(np.array([middle, y]), half + CLEAR) for y in np.linspace(-WIDE, WIDE, 9)]
    return tuple(found)


def way(here: np.ndarray, goal: np.ndarray, circles: tuple[tuple[np.ndarray, float], ...]) -> np.ndarray:
    """The point to walk to now: the goal, or beside the first circle on the straight way to it."""
    away = goal - here
    length = float(np.linalg.norm(away))
    ahead = away / max(length, 1e-6)
    left = np.array([-ahead[1], ahead[0]])
    first, point = length, goal
    for middle, radius in circles:
        along, across = float((middle - here) @ ahead), float((middle - here) @ left)
        if abs(across) < radius and 0.0 < along < first:
            first = along
            point = middle - math.copysign(radius + 0.05, across) * left
    return point
