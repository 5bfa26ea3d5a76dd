"""Press the named one of several buttons on the wall behind the table."""

from __future__ import annotations

import numpy as np

from volition.sim.expert import Frame, Intent, Stepper, side_of, stepping
from volition.sim.randomise import Draw
from volition.sim.scene import Goal, Scene, Thing
from volition.sim.skill import Verdict
from volition.sim.stage import Stage
from volition.sim.things import BUTTON_TRAVEL, COLOURS
from volition.sim.workbench import WALL
from volition.types import RobotState

PRESSED, OUT = 0.8, 0.4  # of its travel
FRONT = 0.032  # m, how far a cap stands out of the wall
FIST = 0.038  # m, from the grasp centre to the front of the closed fingers
BEFORE = 0.07  # m, where a hand lines up in front of a cap
ALIGNED = 0.016  # m, sideways
SPOTS = ((0.10, 0.95), (0.22, 0.95), (0.10, 1.07), (0.22, 1.07))  # on one side: outwards from the middle, height


class PressButton:
    name = "press_button"
    limit_s = 15.0

    def layout(self, draw: Draw) -> Scene:
        colours = draw.shuffle(sorted(COLOURS))
        count = 1 + draw.extra()
        spots = draw.shuffle([(sign * y, z) for y, z in SPOTS for sign in (-1, 1)])[:count]
        things = tuple(
            Thing(
                name=f"{colour}_button",
                kind="button",
                colour=colour,
                rgb=draw.rgb(colour),
                position=(WALL, y + float(draw.spread("layout", 0.015)), z + float(draw.spread("layout", 0.015))),
                size=(draw.size(0.022),),
                load=6.0 * draw.friction(),
            )
            for colour, (y, z) in zip(colours, spots, strict=False)
        )
        goal = Goal(skill=self.name, thing=things[0].name)
        return draw.scene(things, (goal,))

    def goals(self, scene: Scene) -> tuple[Goal, ...]:
        return tuple(Goal(skill=self.name, thing=thing.name) for thing in scene.things if thing.kind == "button")

    def referee(self, stage: Stage, goal: Goal) -> ButtonReferee:
        return ButtonReferee(stage, goal)

    def plan(self, stage: Stage, goal: Goal) -> PressPlan:
        return PressPlan(stage, goal)


class ButtonReferee:
    """Success: the named cap goes in over 80 % of its travel. Failure: another one does first.

    A cap counts from when it has been out: the one of the step before may still be under the hand.
    """

    def __init__(self, stage: Stage, goal: Goal) -> None:
        self._stage, self._goal = stage, goal
        self._buttons = [thing.name for thing in stage.scene.things if thing.kind == "button"]
        self._out: set[str] = set()

    def watch(self) -> Verdict | None:
        pressed = []
        for name in self._buttons:
            share = self._stage.travel(name) / BUTTON_TRAVEL
            if share < OUT:
                self._out.add(name)
            elif share > PRESSED and name in self._out:
                pressed.append(name)
        if not pressed:
            return None
        return Verdict(True, "pressed") if self._goal.thing in pressed else Verdict(False, "wrong_thing")


class PressPlan:
    """Make a fist, line it up before the cap, push straight in; back off and wait once it has been pressed."""

    def __init__(self, stage: Stage, goal: Goal) -> None:
        self._stage, self._goal = stage, goal
        self._pressed = False
        self._pushing = False
        self._stepper = Stepper(spot=(WALL, 0.16), slack=(0.07, 0.14))

    def decide(self, state: RobotState) -> Intent:
        stage, frame = self._stage, Frame(state)
        cap = np.array(stage.scene.thing(self._goal.thing).position)
        here = frame.point(cap)
        side = side_of(here)
        self._pressed |= stage.travel(self._goal.thing) > 0.95 * BUTTON_TRAVEL
        if self._pressed:
            away = cap - [FRONT + FIST + BEFORE, 0, 0]
            return Intent(hands={side: frame.reach(away, 0.0, grasp=1.0)}, status="done", note="pressed")
        base = self._stepper.step(state, cap, side)
        if base is not None:
            return stepping(base)
        hand, _ = stage.hand(side)
        off = hand - (cap - [FRONT + FIST, 0, 0])
        lined = np.hypot(off[1], off[2])
        self._pushing = lined < (2.2 * ALIGNED if self._pushing else ALIGNED)
        if self._pushing:
            target = cap - [FIST - 0.02, 0, 0]
            return Intent(hands={side: frame.reach(target, 0.0, grasp=1.0, speed=0.12)}, note="pushing")
        target = cap - [FRONT + FIST + BEFORE, 0, 0]
        return Intent(hands={side: frame.reach(target, 0.0, grasp=1.0, speed=0.3)}, note="lining up")
