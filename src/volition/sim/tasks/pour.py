"""Pour the beads of the named cup into the named bowl, and set the cup down again."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from volition.sim.expert import SPOT, Frame, Intent, Reach, Stepper, about_z, mirror, side_of, stepping, up
from volition.sim.grasp import SideGrasp
from volition.sim.randomise import Draw
from volition.sim.scene import TABLE, Goal, Scene, Thing
from volition.sim.skill import Verdict
from volition.sim.stage import SIDES, Stage
from volition.sim.things import BEADS, COLOURS, beads_of
from volition.transforms.rotation import from_rotvec, multiply, rotate, rotate_inverse, tilt
from volition.types import RobotState

ROOM = {"cup": 0.14, "bowl": 0.165}  # m of the table's width that each kind takes, with room for a hand
CUP = (0.030, 0.115)  # m: radius, height
BOWL = (0.072, 0.028)
ROW = (0.30, 0.34)  # m, in front of the robot
GRIP = 0.085  # m over its foot: where a hand takes hold of a cup, clear of the bowls beside it
POINTING = 0.15  # rad, how far a hand points inwards when it takes hold
SLACK = (0.06, 0.06)  # m, off the best spot: a hand that leans a cup before the chest has its elbow in the ribs
LIFT = 0.16  # m, how high a cup is carried over the table: a walking robot sways by 3 cm, and cups are 12 cm tall
OVER = 0.12  # m, the hand over the bowl's rim while it pours: the cup's foot clears the rim on its way round
BESIDE, UNDER = 0.22, 0.056  # m: a cup so near to the bowl is under the hand's back, and the hand needs so much over it
SHORT = 0.035  # m, how far before the bowl's middle the lip is: beads leave it with some speed
EMPTYING = 2.25  # rad: leaning so far a cup holds nothing but what has jammed, which
ROCK, EVERY = 0.4, 0.4  # rad, s: rocking so far, to and fro, gets out
STIFF = 1.8  # of a position error: an arm under load stops a little short of where it is sent
LEANING = 0.3  # rad: a cup that leans so far does not stand on the table
STEEP = 1.3  # rad: up to here nothing comes out
TIPPING, POURING = 1.2, 0.45  # rad/s: how fast it leans before anything comes out, and then
MOST = 0.75  # of its beads: so many must arrive
REST = 0.05  # m/s
ASIDE = 0.08  # m from a cup's grip: a hand farther away has let go of it


class Pour:
    name = "pour"
    limit_s = 60.0

    def layout(self, draw: Draw) -> Scene:
        things = self.furnish(draw, 0.0, 2 + min(draw.extra(), 2))
        cup = next(thing for thing in things if thing.kind == "cup")
        bowl = next(thing for thing in things if thing.kind == "bowl")
        return draw.scene(
            things,
            (Goal(skill=self.name, thing=cup.name, place=bowl.name),),
        )

    def furnish(self, draw: Draw, middle_y: float, count: int) -> tuple[Thing, ...]:
        """`count` cups and bowls in turn, in any order along the table around `middle_y`; no two look alike."""
        kinds = ["cup", "bowl", *draw.shuffle(["cup", "bowl"]), *["cup", "bowl"] * count][:count]
        colours = draw.shuffle(sorted(COLOURS))
        free = 0.0 - sum(ROOM[kind] for kind in kinds) / 2
        things: dict[int, Thing] = {}
        for number in draw.shuffle(range(count)):
            kind, colour = kinds[number], colours[number % len(colours)]
            x, y = draw.place(*ROW), middle_y + free + ROOM[kind] / 2 + draw.place(-0.005, 0.005)
            free += ROOM[kind]
            radius, height = CUP if kind == "cup" else BOWL
            things[number] = Thing(
                name=f"{colour}_{kind}",
                kind=kind,
                colour=colour,
                rgb=draw.rgb(colour),
                position=(x, y, TABLE),
                heading=float(draw.spread("layout", math.pi)),
                size=(draw.size(radius), draw.size(height)),
                mass=draw.mass(0.08),
                friction=draw.friction(),
            )
        return tuple(things[number] for number in range(count))

    def goals(self, scene: Scene) -> tuple[Goal, ...]:
        return tuple(
            Goal(skill=self.name, thing=cup.name, place=bowl.name)
            for cup in scene.things
            if cup.kind == "cup"
            for bowl in scene.things
            if bowl.kind == "bowl"
        )

    def referee(self, stage: Stage, goal: Goal) -> PourReferee:
        return PourReferee(stage, goal)

    def plan(self, stage: Stage, goal: Goal) -> PourPlan:
        return PourPlan(stage, goal)


class Beads:
    """Where the beads of one cup are, all at once: a referee asks fifty times a second."""

    def __init__(self, stage: Stage, cup: Thing) -> None:
        self._stage = stage
        model = stage.world.model
        self._bodies = np.array([model.body(name).id for name in beads_of(cup)])
        self._speeds = np.array([model.joint(name).dofadr[0] + np.arange(3) for name in beads_of(cup)])

    def positions(self) -> np.ndarray:
        """In the world, (N, 3)."""
        return self._stage.world.data.xpos[self._bodies]

    def within(self, vessel: Thing) -> np.ndarray:
        """Which are in a cup or bowl, however that stands or leans, (N,)."""
        stage = self._stage
        away = rotate_inverse(stage.quaternion(vessel.name), self.positions() - stage.position(vessel.name))
        radius, height = vessel.size
        return (np.hypot(away[:, 0], away[:, 1]) < radius) & (away[:, 2] > 0.0) & (away[:, 2] < height)

    def count(self, vessel: Thing) -> int:
        return int(self.within(vessel).sum())

    def at_rest(self) -> bool:
        return bool(np.linalg.norm(self._stage.world.data.qvel[self._speeds], axis=1).max() < REST)


class PourReferee:
    """Success: most beads lie in the named bowl, at most one elsewhere, and the cup stands on the table, let go.

    Failure: two or more lie elsewhere; two or more of another cup's beads left it, or of these are in another bowl;
    the cup fell over or off the table.
    """

    def __init__(self, stage: Stage, goal: Goal) -> None:
        self._stage, self._goal = stage, goal
        scene = stage.scene
        self._cup, self._bowl = scene.thing(goal.thing), scene.thing(goal.place)
        self._vessels = [thing for thing in scene.things if thing.kind in ("cup", "bowl")]
        self._others = [thing for thing in self._vessels if thing.kind == "cup" and thing.name != goal.thing]
        self._bowls = [thing for thing in self._vessels if thing.kind == "bowl" and thing.name != goal.place]
        self._beads = Beads(stage, self._cup)
        self._theirs = {thing.name: Beads(stage, thing) for thing in self._others}
        self._began = {thing.name: self._theirs[thing.name].count(thing) for thing in self._others}
        self._elsewhere = {thing.name: self._beads.count(thing) for thing in self._bowls}
        self._beside = self._lost()

    def watch(self) -> Verdict | None:
        stage, cup = self._stage, self._cup
        lost = self._lost() - self._beside
        if self._beads.count(self._bowl) >= MOST * BEADS and lost <= 1 and self._beads.at_rest() and self._stands():
            return Verdict(True, "poured")
        if lost > 2 or (lost == 2 and self._beads.at_rest()):
            return Verdict(False, "spilt")
        if any(self._beads.count(bowl) > 1 + self._elsewhere[bowl.name] for bowl in self._bowls):
            return Verdict(False, "wrong_place")
        if any(self._theirs[other.name].count(other) < self._began[other.name] - 1 for other in self._others):
            return Verdict(False, "wrong_thing")
        lies = stage.upright(cup.name) > 0.8 and stage.speed(cup.name) < REST and not self._touched()
        if stage.position(cup.name)[2] < cup.position[2] - 0.1 or lies:
            return Verdict(False, "dropped")
        return None

    def _lost(self) -> int:
        """How many of the cup's beads lie on the table or lower, in nothing."""
        low = self._beads.positions()[:, 2] < self._cup.position[2] + 0.02
        for vessel in self._vessels:
            low &= ~self._beads.within(vessel)
        return int(low.sum())

    def _touched(self) -> bool:
        return any(self._stage.touches(f"{side}_wrist_yaw_link", self._cup.name) > 0.05 for side in SIDES)

    def _stands(self) -> bool:
        stage, name = self._stage, self._cup.name
        here = stage.position(name)
        let_go = all(np.linalg.norm(stage.hand(side)[0] - here - up(GRIP)) > ASIDE for side in SIDES)
        standing = stage.upright(name) < 0.15 and abs(here[2] - self._cup.position[2]) < 0.01
        return bool(let_go and standing and stage.speed(name) < REST and not self._touched())


class PourPlan:
    """Take the cup from the side, carry it to the bowl, lean it with its lip over the middle, set it down where it stood."""

    def __init__(self, stage: Stage, goal: Goal, count: Callable[[Thing], int] | None = None) -> None:
        """`count`: how many beads are in a cup, where somebody else is to say so."""
        self._stage, self._goal = stage, goal
        self._cup, self._bowl = stage.scene.thing(goal.thing), stage.scene.thing(goal.place)
        self._count = count or Beads(stage, self._cup).count
        self._stepper, self._over_bowl = Stepper(), Stepper(slack=SLACK)
        self._grasp: SideGrasp | None = None
        self._lifted = self._leaning = self._emptied = self._released = False

    def decide(self, state: RobotState) -> Intent:
        if self._grasp is None:
            side = self._side(state)
            turned = -mirror(side) * POINTING
            self._grasp = SideGrasp(self._stage, self._cup.name, side, offset=up(GRIP), heading=turned)
        self._emptied |= self._count(self._cup) == 0
        grasp = self._grasp
        if self._released or (self._emptied and self._down() and not grasp.touching()):
            self._released = True
            hold = grasp.leave(state)
            return Intent(hands={grasp.side: hold.reach}, note=hold.phase)
        if not self._held(state, grasp):
            self._lifted = self._leaning = False
            base = self._stepper.step(state, self._stage.position(self._cup.name), grasp.side)
            if base is not None:
                return stepping(base)
            hold = grasp.take(state)
            return Intent(hands={grasp.side: hold.reach}, note=hold.phase)
        hand, _ = self._stage.hand(grasp.side)
        grasp.aim(-mirror(grasp.side) * POINTING)
        self._lifted |= bool(hand[2] > self._cup.position[2] + GRIP + LIFT - 0.03) or self._leans() > LEANING
        if not self._lifted:
            high = up(self._cup.position[2] + GRIP + LIFT - hand[2])
            reach = Frame(state).reach(hand + high, grasp.heading, grasp=1.0, speed=0.2, steady=True)
            return Intent(hands={grasp.side: reach}, note="lifting")
        return self._set_down(state, grasp, hand) if self._emptied else self._pour(state, grasp, hand)

    def _pour(self, state: RobotState, grasp: SideGrasp, hand: np.ndarray) -> Intent:
        frame, side = Frame(state), grasp.side
        bowl = np.array(self._bowl.position) + up(self._bowl.size[1])
        outward = mirror(side)
        base = self._over_bowl.step(state, bowl + np.array([0.0, outward * 0.04, 0.0]), side)
        if base is not None:
            self._leaning = False
            return self._carry(grasp, state, base, "carrying")
        lip, middle = self._lip(grasp), bowl[:2] + np.array([0.0, outward * SHORT])
        error = middle - lip[:2]
        off = float(np.hypot(*error))
        high = self._height(outward)
        low = hand[2] < high + 0.015
        self._leaning = off < (0.04 if self._leaning else 0.02) and (self._leaning or bool(low))
        goal = np.array([*(hand[:2] + STIFF * error), high])
        if not self._leaning:
            if off > 0.03:  # over the bowl first, then down to it
                goal[2] = self._cup.position[2] + GRIP + LIFT
            return Intent(
                hands={side: frame.reach(goal, grasp.heading, grasp=1.0, speed=0.2, steady=True)}, note="over the bowl"
            )
        leans = self._leans()
        rocking = leans > EMPTYING - ROCK
        lean = EMPTYING - ROCK * (rocking and int(state.stamp / EVERY) % 2)
        turn = from_rotvec(np.array([outward * lean, 0.0, 0.0]))
        reach = Reach(
            position=frame.point(goal),
            quaternion=frame.turn(multiply(about_z(grasp.heading), turn)),
            grasp=1.0,
            speed=0.2,
            turning=TIPPING if leans < STEEP or rocking else POURING,
            steady=True,
        )
        return Intent(hands={side: reach}, note="pouring")

    def _height(self, outward: float) -> float:
        """Of the hand over the bowl: OVER its rim, and over a cup that stands where the hand's back is."""
        stage, height = self._stage, self._bowl.position[2] + self._bowl.size[1] + OVER
        for other in stage.scene.things:
            aside = outward * (stage.position(other.name)[1] - self._bowl.position[1])
            if other.kind == "cup" and other != self._cup and 0.0 < aside < BESIDE:
                height = max(height, other.position[2] + other.size[1] + UNDER)
        return height

    def _set_down(self, state: RobotState, grasp: SideGrasp, hand: np.ndarray) -> Intent:
        frame, side = Frame(state), grasp.side
        here = self._stage.position(self._cup.name)
        high = self._cup.position[2] + GRIP + LIFT
        _, turned = self._stage.hand(grasp.side)
        if tilt(turned) > LEANING:  # the hand: the cup may have slipped in it, and stands up on the table
            return self._carry(grasp, state, np.zeros(3), "upright again")
        spot = np.array(self._cup.position)
        base = self._stepper.step(state, spot, side)
        if base is not None:
            return self._carry(grasp, state, base, "carrying")
        goal, over = hand + (spot - here), float(np.hypot(*(here - spot)[:2]))
        self._leaning = over < (0.03 if self._leaning else 0.012)  # here: lowering
        if not self._leaning:
            goal[2] = high
            return Intent(
                hands={side: frame.reach(goal, grasp.heading, grasp=1.0, speed=0.2, steady=True)},
                note="back to its place",
            )
        if here[2] > spot[2] + 0.006:
            goal[2] -= 0.004
            return Intent(
                hands={side: frame.reach(goal, grasp.heading, grasp=1.0, speed=0.1, steady=True)}, note="setting down"
            )
        self._released = True
        return Intent(hands={side: grasp.leave(state).reach}, note="letting go")

    def _carry(self, grasp: SideGrasp, state: RobotState, base: np.ndarray, note: str) -> Intent:
        """The cup upright before the robot, while that walks or waits."""
        high = self._cup.position[2] + GRIP + LIFT - state.base_position[2]
        held = np.array([SPOT[0] - 0.04, mirror(grasp.side) * SPOT[1], high])
        reach = Reach(position=held, quaternion=about_z(grasp.heading), grasp=1.0, speed=0.2, steady=True)
        return Intent(hands={grasp.side: reach}, base=base, note=note)

    def _side(self, state: RobotState) -> str:
        """The hand that has it already, else the nearer one."""
        for side in SIDES:
            if self._stage.touches(f"{side}_wrist_yaw_link", self._cup.name) > 0.2:
                return side
        return side_of(Frame(state).point(self._stage.position(self._cup.name)))

    def _held(self, state: RobotState, grasp: SideGrasp) -> bool:
        """Around it, fingers at rest; off the table it is enough to be at it: a leaning cup's grip is not above its foot."""
        stage, name = self._stage, self._cup.name
        aloft = stage.position(name)[2] > self._cup.position[2] + 0.03 or self._leans() > LEANING
        if not (self._lifted or aloft):
            return grasp.held(state)
        grip = stage.position(name) + rotate(stage.quaternion(name), up(GRIP))
        return grasp.touching() and float(np.linalg.norm(stage.hand(grasp.side)[0] - grip)) < 0.05

    def _leans(self) -> float:
        return self._stage.upright(self._cup.name)

    def _down(self) -> bool:
        stage, name = self._stage, self._cup.name
        return self._leans() < 0.2 and abs(stage.position(name)[2] - self._cup.position[2]) < 0.01

    def _lip(self, grasp: SideGrasp) -> np.ndarray:
        """The point of the cup's rim that is lowest once it leans inwards."""
        stage, name = self._stage, self._cup.name
        axis = rotate(stage.quaternion(name), up(1.0))
        pointing = rotate(about_z(grasp.heading), np.array([1.0, 0.0, 0.0]))
        inwards = -mirror(grasp.side) * np.cross(axis, pointing)
        radius, height = self._cup.size
        return stage.position(name) + height * axis + radius * inwards / np.linalg.norm(inwards)
