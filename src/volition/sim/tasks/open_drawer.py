"""Open the named one of several drawers by its handle."""

from __future__ import annotations

import math

import numpy as np

from volition.sim.expert import Frame, Intent, Reach, Stepper, mirror, side_of
from volition.sim.hook import HOOK, HookGrasp
from volition.sim.randomise import Draw
from volition.sim.scene import Goal, Scene, Thing
from volition.sim.skill import Verdict
from volition.sim.stage import READY, SIDES, Stage
from volition.sim.things import COLOURS, DRAWER_CASE, HANDLE_OUT, bar
from volition.types import RobotState

OPEN = 0.10  # m: so far open counts
WRONG = 0.04  # m: another one this far open is a failure
LET_GO = 0.08  # m: a hand this far from the bar has let go of it
FRONT = 0.402  # m, where the lower fronts stand: their bars are in reach, and so is where they are pulled to
SET_BACK = 0.053  # m, how far the upper ones stand behind: hands reach farther there, and those that wait stay clear
SIZE = (0.165, 0.18, 0.118)  # m: width, depth, height of a drawer
NARROW = 0.135  # m, the width where there are three beside one another
FOOT = 0.806  # m, of the lower row
PULLED = 0.132  # m: how far the expert opens it: nearly to the stop, so that who learns from it and lets go early has opened it
PULL = 0.10  # m/s
FARTHEST = (0.43, 0.34)  # m: forward and outwards, where a hand at work cannot reach a bar any more
POINTING = 0.15  # rad, how far a hand points inwards when it takes hold


class OpenDrawer:
    name = "open_drawer"
    limit_s = 25.0

    def layout(self, draw: Draw) -> Scene:
        things = self.furnish(draw, draw.place(-0.10, 0.10), 1 + draw.extra())
        goal = Goal(skill=self.name, thing=draw.pick(things).name)
        return draw.scene(things, (goal,))

    def furnish(self, draw: Draw, middle_y: float, count: int) -> tuple[Thing, ...]:
        """A cabinet of up to six drawers around `middle_y`, one or two high, no two of one colour; up to 0.45 m wide."""
        columns = draw.pick(range(math.ceil(count / 2), min(count, 3) + 1))
        tall = set(draw.shuffle(range(columns))[: count - columns])
        width, depth, height = SIZE
        width = draw.size(width if columns < 3 else NARROW)
        height = min(draw.size(height), 0.123)
        front = FRONT + draw.place(-0.008, 0.008)
        spots = [
            (
                front + row * SET_BACK,
                middle_y + (column - (columns - 1) / 2) * (width + 2 * DRAWER_CASE),
                FOOT + row * (height + 2 * DRAWER_CASE),
            )
            for column in range(columns)
            for row in range(2 if column in tall else 1)
        ]
        return tuple(
            Thing(
                name=f"{colour}_drawer",
                kind="drawer",
                colour=colour,
                rgb=draw.rgb(colour),
                position=spot,
                size=(width, depth, height),
                load=5.0 * draw.friction(),
                part_of="cabinet",
            )
            for colour, spot in zip(draw.shuffle(sorted(COLOURS)), spots, strict=False)
        )

    def goals(self, scene: Scene) -> tuple[Goal, ...]:
        return tuple(Goal(skill=self.name, thing=thing.name) for thing in scene.things if thing.kind == "drawer")

    def referee(self, stage: Stage, goal: Goal) -> DrawerReferee:
        return DrawerReferee(stage, goal)

    def plan(self, stage: Stage, goal: Goal) -> DrawerPlan:
        return DrawerPlan(stage, goal)


class DrawerReferee:
    """Success: the named drawer is open and no hand is at its bar any more. Failure: another one has been opened."""

    def __init__(self, stage: Stage, goal: Goal) -> None:
        self._stage, self._goal = stage, goal
        self._bar = bar(stage.scene.thing(goal.thing))
        self._others = {
            thing.name: stage.travel(thing.name)
            for thing in stage.scene.things
            if thing.kind == "drawer" and thing.name != goal.thing
        }

    def watch(self) -> Verdict | None:
        stage, name = self._stage, self._goal.thing
        if any(stage.travel(other) > before + WRONG for other, before in self._others.items()):
            return Verdict(False, "wrong_thing")
        point = stage.position(f"{name}.box") + self._bar
        near = min(float(np.linalg.norm(stage.hand(side)[0] - point)) for side in SIDES)
        return Verdict(True, "open") if stage.travel(name) >= OPEN and near > LET_GO else None


class DrawerPlan:
    """Step to where its hand reaches the bar, take it from the side, pull straight back, let go, leave."""

    def __init__(self, stage: Stage, goal: Goal) -> None:
        self._stage, self._goal = stage, goal
        self._thing = stage.scene.thing(goal.thing)
        upper = self._thing.position[2] > FOOT + 0.05
        forward = FRONT - HANDLE_OUT + (SET_BACK if upper else 0.0) - 0.005
        self._stepper = Stepper(spot=(forward, 0.17), slack=(0.05, 0.10))
        self._grasp: HookGrasp | None = None
        self._opened = False

    def decide(self, state: RobotState) -> Intent:
        stage, frame, name = self._stage, Frame(state), self._thing.name
        closed = np.array(self._thing.position) + bar(self._thing)
        if self._grasp is None:
            side = side_of(frame.point(closed))
            self._grasp = HookGrasp(
                stage,
                f"{name}.box",
                side,
                offset=bar(self._thing),
                heading=-mirror(side) * POINTING,
            )
        grasp = self._grasp
        hands = {side: Reach(position=READY[side], grasp=HOOK) for side in SIDES}
        self._opened |= stage.travel(name) > PULLED - 0.01
        if self._opened:
            hold = grasp.leave(state)
            return Intent(hands={**hands, grasp.side: hold.reach}, note=hold.phase)
        base = self._stepper.step(state, closed, grasp.side)
        if grasp.held(state):
            goal = closed - np.array([PULLED + 0.02, 0.0, 0.0])
            reach = frame.reach(goal, grasp.heading, grasp=1.0, speed=PULL)
            return Intent(hands={**hands, grasp.side: reach}, note="pulling")
        if base is not None and not grasp.near():
            return Intent(hands=hands, base=base, note="stepping")
        lost = np.any(frame.point(closed)[:2] * [1.0, mirror(grasp.side)] > FARTHEST)
        hold = grasp.leave(state) if lost else grasp.take(state)
        return Intent(hands={**hands, grasp.side: hold.reach}, note=hold.phase)
