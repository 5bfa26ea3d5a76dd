"""What the rival believes of the world, in the place of the experts' truth: the same questions, answered from what was seen and felt.

    Found things, Kinematics, what the hands were told --Belief--> position, travel, touches ... --> the skills' own plans

The skills' plans are scripts that ask a Stage where things are. A Belief answers instead. There is no simulator behind it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from volition.body.proprioception import SIDES, Proprioception
from volition.rival.kinematics import Kinematics
from volition.rival.stains import BelievedStains
from volition.sim.expert import up
from volition.sim.scene import Scene, Thing
from volition.sim.things import BUTTON_TRAVEL, DRAWER_TRAVEL, bar
from volition.transforms.rotation import IDENTITY, conjugate, multiply, rotate, rotate_inverse, tilt
from volition.types import ActionChunk, RobotSpec, RobotState

CLOSED, OPEN = 0.6, 0.5  # a grasp commanded above or below this is meant to hold, or to let go
EMPTY = 0.93  # fingers closed farther than this hold nothing
AROUND = 0.05  # m, from the grasp centre to the place where a thing is held
AT_REST_S = 0.4  # so long the fingers have been closing before what is between them is held
STALL_S, STALL = 0.4, 0.003  # a hand that pushes and moves less than so many metres in that time has met something
GRIPS = {"can": 0.047, "box": 0.047}  # m under its top, where a hand takes it
HEIGHTS = {"cup": 0.085, "wiper": 0.072}  # m over its foot


@dataclass(frozen=True)
class Held:
    """A thing in a hand: its pose in the hand's frame, and where the hand took it."""

    side: str
    position: np.ndarray
    quaternion: np.ndarray
    began: np.ndarray  # (3,) the hand's position in the world


class Belief:
    """Answers what a Stage answers. `feel` it at every decision, `sent` after it."""

    def __init__(
        self, robot: RobotSpec, kinematics: Kinematics, things: Iterable[Thing], *, table: float | None
    ) -> None:
        self.spec = robot
        self.scene = Scene(seed=0, things=tuple(things), goals=(), table=table)
        self._kinematics = kinematics
        self._closed = Proprioception(robot).closed
        self._where = {thing.name: np.array(thing.position) for thing in self.scene.things}
        self._turned = {thing.name: IDENTITY for thing in self.scene.things}
        self._held: Held | None = None
        self._what = ""
        self._travel = dict.fromkeys(self._where, 0.0)
        self._asked: dict[str, float] = dict.fromkeys(SIDES, 0.0)
        self._since: dict[str, float] = dict.fromkeys(SIDES, 0.0)  # when a hand was first told to close
        self._hands: list[tuple[float, dict[str, np.ndarray]]] = []
        self._state: RobotState | None = None
        self.stains = BelievedStains(self.scene.things)

    @property
    def time(self) -> float:
        return 0.0 if self._state is None else self._state.stamp

    def feel(self, state: RobotState) -> None:
        """The state now, in the rival's own world, with the kinematics at it."""
        self._state = state
        self._hands.append((state.stamp, {side: self.hand(side)[0] for side in SIDES}))
        self._hands = [one for one in self._hands if one[0] > state.stamp - STALL_S - 0.15]
        for side in SIDES:
            self._take(side)
        if self._held is not None:
            self._carry(self._held)

    def sent(self, chunk: ActionChunk) -> None:
        """What the hands were told."""
        for side in SIDES:
            grasp = float(chunk.values[-1, self.spec.action("ee").index(f"{side}.grasp")])
            if grasp > CLOSED >= self._asked[side]:
                self._since[side] = chunk.stamp
            self._asked[side] = grasp

    def holds(self, name: str) -> bool:
        return self._held is not None and self._what == name

    def hand(self, side: str) -> tuple[np.ndarray, np.ndarray]:
        return self._kinematics.hand(side)

    def position(self, name: str) -> np.ndarray:
        """Of a thing; of a drawer's box, where it is pulled to."""
        box = name.removesuffix(".box")
        return self._where[box] - (np.array([self._travel[box], 0.0, 0.0]) if box != name else 0.0)

    def quaternion(self, name: str) -> np.ndarray:
        return self._turned[name]

    def upright(self, name: str) -> float:
        return float(tilt(self._turned[name]))

    def speed(self, name: str) -> float:
        return 0.0

    def travel(self, name: str) -> float:
        """How far a drawer was pulled; of a button, all the way once a closed hand before it cannot go on."""
        thing = self.scene.thing(name)
        if thing.kind == "button" and any(self._blocked(side, thing) for side in SIDES):
            self._travel[name] = BUTTON_TRAVEL
        return self._travel[name]

    def touches(self, first: str, second: str) -> float:
        """A guess at a force, N: what a hand holds it touches, and a wiper that is pushed lies on the table."""
        name = second.removesuffix(".box")
        if first in self._where and second == "table":
            return 2.0
        for side in SIDES:
            if first == f"{side}_wrist_yaw_link":
                held = self._held is not None and self._held.side == side and self._what == name
                return 5.0 if held else 0.0
        return 0.0

    def _grip(self, thing: Thing) -> np.ndarray:
        """Where a hand takes it."""
        if thing.kind == "drawer":
            return self.position(f"{thing.name}.box") + bar(thing)
        height = HEIGHTS.get(thing.kind, thing.size[-1] - GRIPS.get(thing.kind, 0.0))
        return self._where[thing.name] + rotate(self._turned[thing.name], up(height))

    def _take(self, side: str) -> None:
        state, held = self._state, self._held
        if state is None:
            return
        if held is not None:
            if held.side == side and (self._asked[side] < OPEN or self._closed(side, state) > EMPTY + 0.05):
                self._held = None
            return
        if self._asked[side] < CLOSED or state.stamp - self._since[side] < AT_REST_S:
            return
        hand, turned = self.hand(side)
        for thing in self.scene.things:
            if thing.kind not in ("can", "box", "cup", "wiper", "drawer"):
                continue
            if thing.kind != "drawer" and self._closed(side, state) > EMPTY:
                continue
            if np.linalg.norm(hand - self._grip(thing)) < AROUND:
                away = rotate_inverse(turned, self._where[thing.name] - hand)
                turn = multiply(conjugate(turned), self._turned[thing.name])
                self._held, self._what = Held(side, away, turn, hand), thing.name
                return

    def _carry(self, held: Held) -> None:
        hand, turned = self.hand(held.side)
        thing = self.scene.thing(self._what)
        if thing.kind == "drawer":
            pulled = float(held.began[0] - hand[0])
            self._travel[thing.name] = float(np.clip(max(pulled, self._travel[thing.name]), 0.0, DRAWER_TRAVEL))
            return
        self._where[thing.name] = hand + rotate(turned, held.position)
        self._turned[thing.name] = multiply(turned, held.quaternion)
        if thing.kind == "wiper":
            self.stains.wipe(self._where[thing.name], thing)

    def _blocked(self, side: str, button: Thing) -> bool:
        """Whether this hand's way towards a button has come to an end."""
        hand = self.hand(side)[0]
        away = np.array(button.position) - hand
        old_stamp, old = self._hands[0]
        long = self._hands[-1][0] - old_stamp > STALL_S
        before = bool(np.hypot(away[1], away[2]) < 0.03 and 0.0 < away[0] < 0.065)
        return long and before and float(np.linalg.norm(hand - old[side])) < STALL
