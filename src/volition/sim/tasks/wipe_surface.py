"""Wipe the named stain off the table with the wiper that lies nearest."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from volition.sim.expert import SPOT, Frame, Intent, Reach, Stepper, about_z, mirror, side_of, stepping, up
from volition.sim.grasp import SideGrasp
from volition.sim.randomise import Draw
from volition.sim.scene import TABLE, Goal, Scene, Thing
from volition.sim.skill import Verdict
from volition.sim.stage import SIDES, Stage
from volition.sim.things import COLOURS
from volition.types import RobotState

COVERED = 0.9  # of the stain: wiped
WRONG = 0.5  # of another stain: a failure
CLEAN = 0.97  # of the stain: the expert is content
TIPPED = 0.6  # rad: a wiper that leans more ...
LYING_S = 2.0  # s: ... for so long has fallen over
LET_GO = 0.08  # m: a hand this far from a wiper's handle has let go of it
FOAM = (0.074, 0.062)  # m: width and depth of a wiper
STAIN = (0.088, 0.10)  # m: width and depth of a stain
APART = 0.092  # m, from a wiper to the stains beside it
ROW = (0.305, 0.325)  # m, in front of the robot
GRIP = 0.072  # m over the table: where a hand takes the handle
OVER = 0.02  # m: the foam goes this far over a stain's edge: who knows its place to two centimetres wipes it all
CORNER = (0.012, 0.035)  # m: so near to a corner of the way it is passed; beyond the line to it, so near
PRESS = 4.0  # N: how hard it is pressed on the table
STROKE = 0.12  # m/s
ROOM = (0.09, 0.28, 0.38)  # m, in the pelvis frame: least and most outwards, most forward, to let go of it
BACK = 0.015  # m: as near as this it is back where it stood
AWAY = 0.075  # m: a wiper whose middle is so far from a stain's, forward or aside, is on it no more
FAR = 0.15  # m: farther than this to go, it is carried ...
CARRY = 0.06  # m: ... so high over the table


class WipeSurface:
    name = "wipe_surface"
    limit_s = 40.0

    def layout(self, draw: Draw) -> Scene:
        count = min(1 + draw.extra(), 4)
        here = draw.pick((1, -1))
        colours = draw.shuffle(sorted(COLOURS))
        things = [
            *self.furnish(draw, here * draw.place(0.155, 0.17), (count + 1) // 2, colours=colours[:3]),
            *self.furnish(draw, -here * draw.place(0.155, 0.17), count // 2, colours=colours[3:6]),
        ]
        goal = Goal(skill=self.name, thing=draw.pick([thing.name for thing in things if thing.kind == "patch"]))
        return draw.scene(things, (goal,))

    def furnish(
        self, draw: Draw, middle_y: float, count: int, *, colours: Sequence[str] | None = None
    ) -> tuple[Thing, ...]:
        """A wiper at `middle_y` and one or two stains beside it, 0.3 m wide in all; `colours`: the wiper's first."""
        colours = colours or draw.shuffle(sorted(COLOURS))
        sides = draw.shuffle((1, -1))[:count]
        return (
            self._thing(draw, "wiper", colours[0], middle_y),
            *(
                self._thing(draw, "patch", colour, middle_y + side * APART)
                for colour, side in zip(colours[1:], sides, strict=False)
            ),
        )

    def _thing(self, draw: Draw, kind: str, colour: str, y: float) -> Thing:
        size = FOAM if kind == "wiper" else tuple(min(draw.size(length), 1.06 * length) for length in STAIN)
        return Thing(
            name=f"{colour}_{kind}",
            kind=kind,
            colour=colour,
            rgb=draw.rgb(colour),
            position=(draw.place(*ROW), y, TABLE),
            size=size,
            mass=draw.mass(0.12),
            friction=draw.friction(),
        )

    def goals(self, scene: Scene) -> tuple[Goal, ...]:
        if not any(thing.kind == "wiper" for thing in scene.things):
            return ()
        return tuple(Goal(skill=self.name, thing=thing.name) for thing in scene.things if thing.kind == "patch")

    def referee(self, stage: Stage, goal: Goal) -> WipeReferee:
        return WipeReferee(stage, goal)

    def plan(self, stage: Stage, goal: Goal) -> WipePlan:
        return WipePlan(stage, goal)


class WipeReferee:
    """Success: the named stain is wiped away and no hand is at a wiper any more. Failure: another stain is wiped, or a wiper has fallen."""

    def __init__(self, stage: Stage, goal: Goal) -> None:
        self._stage, self._goal = stage, goal
        things = stage.scene.things
        self._wipers = [thing for thing in things if thing.kind == "wiper"]
        self._others = {
            thing.name: stage.stains.wiped(thing.name)
            for thing in things
            if thing.kind == "patch" and thing.name != goal.thing
        }
        self._stood = stage.time  # when all wipers stood last

    def watch(self) -> Verdict | None:
        stage = self._stage
        if any(stage.stains.wiped(name) > before + WRONG for name, before in self._others.items()):
            return Verdict(False, "wrong_thing")
        if all(stage.upright(wiper.name) < TIPPED for wiper in self._wipers):
            self._stood = stage.time
        if stage.time - self._stood > LYING_S or any(
            stage.position(wiper.name)[2] < wiper.position[2] - 0.1 for wiper in self._wipers
        ):
            return Verdict(False, "dropped")
        near = min(
            float(np.linalg.norm(stage.hand(side)[0] - stage.position(wiper.name) - up(GRIP)))
            for side in SIDES
            for wiper in self._wipers
        )
        return Verdict(True, "wiped") if stage.stains.wiped(self._goal.thing) >= COVERED and near > LET_GO else None


class WipePlan:
    """Take the nearest wiper by its handle, push it once round over the stain, put it back, let go, leave.

    What the way round has missed is wiped tile by tile.
    """

    def __init__(self, stage: Stage, goal: Goal) -> None:
        self._stage, self._goal = stage, goal
        self._patch = stage.scene.thing(goal.thing)
        middle = np.array(self._patch.position)
        self._wiper = min(
            (thing for thing in stage.scene.things if thing.kind == "wiper"),
            key=lambda thing: float(np.linalg.norm(stage.position(thing.name) - middle)),
        )
        self._stepper = Stepper()
        self._grasp: SideGrasp | None = None
        self._corners: list[np.ndarray] | None = None  # of the way round, (2,) in the world, that are not passed yet
        self._passed = middle[:2]  # the corner before
        self._home: np.ndarray | None = None  # where the wiper is let go
        self._held = self._carrying = self._lifted = self._done = False

    def decide(self, state: RobotState) -> Intent:
        stage, wiper = self._stage, self._wiper.name
        here = stage.position(wiper)
        if self._grasp is None:
            side = side_of(Frame(state).point(here))
            self._grasp = SideGrasp(stage, wiper, side, offset=up(GRIP))
        grasp = self._grasp
        self._held = grasp.held(state) or (self._held and grasp.touching())
        clean = stage.stains.wiped(self._goal.thing) >= CLEAN
        if self._held:
            self._go_round(here[:2], clean)
        clean &= not self._corners
        if clean and self._home is None:
            self._home = self._put_down(Frame(state), here)
        put_back = self._home is not None and np.linalg.norm((self._home - here)[:2]) < BACK
        self._done |= clean and (put_back or not self._held)
        if self._done:
            hold = grasp.leave(state)
            return Intent(hands={grasp.side: hold.reach}, note=hold.phase)
        if clean and self._home is not None:
            return self._push(state, grasp, here, self._home, None, "putting it back")
        base = self._stepper.step(state, np.array(self._patch.position) if self._held else here, grasp.side)
        if self._held:
            return self._push(state, grasp, here, self._next(here[:2]), base, "wiping")
        self._carrying = self._lifted = False
        if base is not None:
            return stepping(base)
        hold = grasp.take(state)
        return Intent(hands={grasp.side: hold.reach}, note=hold.phase)

    def _push(
        self, state: RobotState, grasp: SideGrasp, here: np.ndarray, to: np.ndarray, base: np.ndarray | None, note: str
    ) -> Intent:
        """Push it over the table; carry it where that is far, so that it wipes nothing else on its way."""
        frame, side = Frame(state), grasp.side
        hand, _ = self._stage.hand(side)
        way = np.append(to[:2] - here[:2], 0.0)
        far, height = float(np.linalg.norm(way)), float(here[2] - self._patch.position[2])
        walking = base is not None and (self._carrying or bool(np.any(base)))
        self._carrying = walking or far > (0.02 if self._carrying else FAR)
        self._lifted = self._carrying and (self._lifted or height > CARRY - 0.02)
        if self._carrying and not self._lifted:
            goal = hand + up(CARRY - height)
            return Intent(hands={side: frame.reach(goal, grasp.heading, grasp=1.0, speed=0.2)}, note="lifting")
        if base is not None and walking:
            above = np.array([SPOT[0] - 0.02, mirror(side) * SPOT[1], self._patch.position[2] + CARRY + GRIP])
            above[2] -= frame.position[2]
            reach = Reach(position=above, quaternion=frame.turn(about_z(grasp.heading)), grasp=1.0, speed=0.2)
            return Intent(hands={side: reach}, base=base, note="carrying")
        if self._carrying:
            goal = hand + way + up(CARRY - height)
            return Intent(hands={side: frame.reach(goal, grasp.heading, grasp=1.0, speed=0.2)}, note="over the stain")
        if height > 0.01:
            goal = hand + way - up(height + 0.003)
            return Intent(hands={side: frame.reach(goal, grasp.heading, grasp=1.0, speed=0.1)}, note="setting down")
        force = self._stage.touches(self._wiper.name, "table")
        goal = hand + way + up(float(np.clip(0.001 * (force - PRESS), -0.005, 0.005)))
        return Intent(hands={side: frame.reach(goal, grasp.heading, grasp=1.0, speed=STROKE)}, note=note)

    def _put_down(self, frame: Frame, here: np.ndarray) -> np.ndarray:
        """Where it stood, else the middle of the stain, if a hand has room there to let go of it; else here."""
        for spot in (np.array(self._wiper.position), np.array(self._patch.position)):
            x, y, _ = frame.point(spot)
            if np.linalg.norm((spot - here)[:2]) < FAR and x < ROOM[2] and ROOM[0] < abs(y) < ROOM[1]:
                return spot
        return here

    def _go_round(self, here: np.ndarray, clean: bool) -> None:
        """Pass the corners of the way round that the wiper has come to; all of them, when it has left a stain that is clean."""
        if self._corners is None:
            self._passed, self._corners = here, way_round(self._patch, here)
        if clean and np.any(np.abs(here - self._patch.position[:2]) > AWAY):
            self._corners = []
        while self._corners:
            corner = self._corners[0]
            way, gone = corner - self._passed, here - self._passed
            off = float(np.linalg.norm(corner - here))
            if off > CORNER[1] or (off > CORNER[0] and way @ gone < way @ way):
                return
            self._passed = self._corners.pop(0)

    def _next(self, here: np.ndarray) -> np.ndarray:
        """Where the wiper goes next: round; then to the nearest of what is left, strokes to and fro before steps to the side."""
        if self._corners:
            return self._corners[0]
        left = self._stage.stains.left(self._goal.thing)
        middle = np.array(self._patch.position[:2])
        room = np.maximum(np.array(self._patch.size[::-1]) / 2 - np.array(FOAM[::-1]) / 2 + OVER, 0.0)
        spots = middle + np.clip(left - middle, -room, room)
        return spots[int(np.argmin(np.abs(left - here) @ [1.0, 2.0]))]


def way_round(patch: Thing, wiper: np.ndarray) -> list[np.ndarray]:
    """Corners of a way over all of a stain for the middle of a wiper that comes from `wiper` (2,) beside it, in the world. Where it
    is on that way tells where it goes on: in over the near edge to the far side, back over the far edge, and home over the middle."""
    middle = np.array(patch.position[:2])
    out, far = np.array(patch.size) / 2 - np.array(FOAM) / 2 + OVER
    home = math.copysign(out, wiper[1] - middle[1])
    return [middle + spot for spot in ((-far, home), (-far, -home), (far, -home), (far, home), (0.0, home))]
