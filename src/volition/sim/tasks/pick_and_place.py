"""Pick up the named thing and put it into or onto the named place."""

from __future__ import annotations

import numpy as np

from volition.sim.expert import SPOT, Frame, Intent, Reach, Stepper, about_z, mirror, side_of, stepping, up
from volition.sim.grasp import SideGrasp
from volition.sim.randomise import Draw
from volition.sim.scene import TABLE, Goal, Scene, Thing
from volition.sim.skill import Verdict
from volition.sim.stage import SIDES, Stage
from volition.sim.things import COLOURS
from volition.types import RobotState

THINGS = ("can", "box")
PLACES = ("plate", "tray", "bowl")
SLOTS = (0.11, 0.245)  # m, to either side of the robot's middle
ROW = (0.32, 0.35)  # m, in front of it
GRIP = 0.047  # m under a thing's top is where a hand takes it: as high as it can, clear of low things beside
CARRY = 0.15  # m, how high a thing is carried over the table: clear of what stands on it
NEAR_BODY = 0.24  # m, how far before the robot a thing is carried while it walks
STILL = 0.03  # m/s


class PickAndPlace:
    name = "pick_and_place"
    limit_s = 40.0

    def layout(self, draw: Draw) -> Scene:
        slots = draw.shuffle([sign * y for y in SLOTS for sign in (-1, 1)])
        things = [
            thing_at(draw, kind, colour, draw.place(*ROW), slot + draw.place(-0.012, 0.012))
            for kind, colour, slot in self._choices(draw, slots)
        ]
        goal = Goal(skill=self.name, thing=things[0].name, place=things[1].name)
        return draw.scene(things, (goal,))

    def _choices(self, draw: Draw, slots: list[float]) -> list[tuple[str, str, float]]:
        """What stands where: the thing, the place, and distractors of both sorts. No two look alike."""
        kinds = [draw.pick(THINGS), draw.pick(PLACES)]
        for number in range(min(draw.extra(), len(slots) - 2)):
            kinds.append(draw.pick(THINGS if number % 2 == 0 else PLACES, "distractors"))
        colours = draw.shuffle(sorted(COLOURS))
        return list(zip(kinds, colours, slots, strict=False))

    def goals(self, scene: Scene) -> tuple[Goal, ...]:
        return tuple(
            Goal(skill=self.name, thing=thing.name, place=place.name)
            for thing in scene.things
            if thing.kind in THINGS
            for place in scene.things
            if place.kind in PLACES
        )

    def referee(self, stage: Stage, goal: Goal) -> PlaceReferee:
        return PlaceReferee(stage, goal)

    def plan(self, stage: Stage, goal: Goal) -> PlacePlan:
        return PlacePlan(stage, goal)


def thing_at(draw: Draw, kind: str, colour: str, x: float, y: float) -> Thing:
    """One of the kinds above, of a usual size, on the table."""
    shapes = {
        "can": draw.pick(((0.024, 0.122), (0.031, 0.150)), "shapes"),
        "box": draw.pick(((0.048, 0.048, 0.145), (0.058, 0.058, 0.130)), "shapes"),
        "plate": (draw.size(0.065), 0.008),
        "tray": (draw.size(0.13), draw.size(0.13), 0.020),
        "bowl": (draw.size(0.070), 0.024),
    }
    size = shapes[kind]
    if kind in THINGS:
        size = tuple(length * (1.0 + float(draw.spread("shapes", 0.04))) for length in size)
    return Thing(
        name=f"{colour}_{kind}",
        kind=kind,
        colour=colour,
        rgb=draw.rgb(colour),
        position=(x, y, TABLE),
        heading=float(draw.spread("layout", 0.2)),
        size=size,
        mass=draw.mass(0.1),
        friction=draw.friction(),
    )


def floor_of(place: Thing) -> float:
    """How high above its foot a thing comes to stand on or in a place."""
    return {"plate": place.size[-1], "tray": 0.006, "bowl": 0.008}[place.kind]


def radius_of(place: Thing) -> float:
    return place.size[0] / 2 if place.kind == "tray" else place.size[0]


class PlaceReferee:
    """Success: the thing stands still in or on the place, in nobody's hand. Failure: it is on the floor, or another thing is moved to the place."""

    def __init__(self, stage: Stage, goal: Goal) -> None:
        self._stage, self._goal = stage, goal
        scene = stage.scene
        self._place = scene.thing(goal.place)
        self._others = [t.name for t in scene.things if t.kind in THINGS and t.name != goal.thing]
        self._places = [t for t in scene.things if t.kind in PLACES and t.name != goal.place]
        self._began = {name: self._rests(name, self._place) for name in self._others}
        self._elsewhere = {place.name: self._rests(goal.thing, place) for place in self._places}

    def watch(self) -> Verdict | None:
        stage, thing = self._stage, self._goal.thing
        if self._rests(thing, self._place):
            return Verdict(True, "placed")
        if stage.position(thing)[2] < self._place.position[2] - 0.1:
            return Verdict(False, "dropped")
        if any(self._rests(name, self._place) and not before for name, before in self._began.items()):
            return Verdict(False, "wrong_thing")
        if any(self._rests(thing, place) and not self._elsewhere[place.name] for place in self._places):
            return Verdict(False, "wrong_place")
        return None

    def _rests(self, name: str, place: Thing) -> bool:
        stage = self._stage
        away = stage.position(name) - stage.position(place.name)
        return bool(
            np.hypot(away[0], away[1]) < 0.8 * radius_of(place)
            and away[2] < floor_of(place) + 0.02
            and stage.speed(name) < STILL
            and not any(stage.touches(f"{side}_wrist_yaw_link", name) > 0.05 for side in SIDES)
        )


class PlacePlan:
    """Step to where its hand reaches it, take it from the side, lift, step to the place, set down, let go."""

    def __init__(self, stage: Stage, goal: Goal) -> None:
        self._stage, self._goal = stage, goal
        self._thing, self._place = stage.scene.thing(goal.thing), stage.scene.thing(goal.place)
        self._stepper = Stepper()
        self._grip = self._thing.size[-1] - GRIP
        self._grasp: SideGrasp | None = None
        self._released = self._lifted = self._lowering = False

    def decide(self, state: RobotState) -> Intent:
        here = self._stage.position(self._thing.name)
        if self._grasp is None:
            self._grasp = self._choose(Frame(state), here)
        grasp = self._grasp
        spot = np.array(self._place.position) + up(floor_of(self._place))
        over = float(np.hypot(*(here - spot)[:2]))
        if self._released or (
            over < 0.5 * radius_of(self._place) and here[2] < spot[2] + 0.01 and not grasp.touching()
        ):
            self._released = True
            hold = grasp.leave(state)
            return Intent(hands={grasp.side: hold.reach}, note=hold.phase)
        if not (grasp.held(state) or (self._lifted and grasp.touching())):
            self._lifted = self._lowering = False
            base = self._stepper.step(state, here, grasp.side)
            if base is not None:
                return stepping(base)
            hold = grasp.take(state)
            return Intent(hands={grasp.side: hold.reach}, note=hold.phase)
        return self._carry(state, grasp, here, spot, over)

    def _carry(self, state: RobotState, grasp: SideGrasp, here: np.ndarray, spot: np.ndarray, over: float) -> Intent:
        frame, side = Frame(state), grasp.side
        hand, _ = self._stage.hand(side)
        high = self._thing.position[2] + CARRY
        self._lifted |= here[2] > high - 0.03
        if not self._lifted:
            return Intent(
                hands={side: frame.reach(hand + up(high - here[2]), grasp.heading, grasp=1.0, speed=0.2)},
                note="lifting",
            )
        base = self._stepper.step(state, spot, side)
        if base is not None:
            self._lowering = False
            held = np.array([NEAR_BODY, mirror(side) * SPOT[1], high + self._grip - frame.position[2]])
            reach = Reach(position=held, quaternion=about_z(grasp.heading), grasp=1.0, speed=0.2)
            return Intent(hands={side: reach}, base=base, note="carrying")
        goal = hand + (spot - here)
        self._lowering = over < (0.025 if self._lowering else 0.012)
        if not self._lowering:
            goal[2] = hand[2] + (high - here[2])
            return Intent(hands={side: frame.reach(goal, grasp.heading, grasp=1.0, speed=0.2)}, note="over the place")
        down = self._stage.touches(self._thing.name, self._place.name) > 0.5 or here[2] < spot[2] + 0.004
        if not (down and self._lowering):
            goal[2] -= 0.004
            return Intent(hands={side: frame.reach(goal, grasp.heading, grasp=1.0, speed=0.1)}, note="setting down")
        self._released = True
        return Intent(hands={side: grasp.leave(state).reach}, note="letting go")

    def _choose(self, frame: Frame, here: np.ndarray) -> SideGrasp:
        """The hand for it, and how it takes hold."""
        side = side_of(frame.point(here))
        return SideGrasp(self._stage, self._thing.name, side, offset=up(self._grip))
