"""The side grasp: how a hand takes hold of an upright thing, and how it lets go. Decided afresh from what is the case now.

    above and behind -> down -> in along the fingers -> close -> held

In the hand's frame the thing ends at the grasp centre, between thumb and fingers. "Behind" is against the hand's
pointing direction, on the robot's side of the thing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from volition.sim.expert import Frame, Reach, about_z, mirror
from volition.sim.stage import Stage
from volition.transforms.rotation import rotate, rotate_inverse
from volition.types import RobotState

BEHIND = 0.15  # m: open fingers reach 0.105 beyond the grasp centre; from here they come down without touching
ASIDE = 0.008  # m: outwards, so that the fingers pass clear of the thing; closing draws it in
ABOVE = 0.14  # m: travelling height over the grasp
AIMING = 0.17  # m: farther than this from the thing, the hand may still choose how it points
IN_LINE = 0.014  # m: sideways and up and down, while it slides in
STAY = 2.2  # times the room of a phase: how far off it is still kept up
REACHED = 0.008  # m: short of the grasp's middle that is close enough
FAST, SLOW = 0.30, 0.13  # m/s
SETTLED = 0.4  # rad/s: fingers slower than this have closed


@dataclass(frozen=True)
class Hold:
    """What a hand does now to take hold: its next way, and the phase for people."""

    reach: Reach
    phase: str


class SideGrasp:
    """Takes hold of `body` at `offset` from its origin with one hand, which points the way its arm does it best."""

    def __init__(self, stage: Stage, body: str, side: str, *, offset: np.ndarray, heading: float = 0.0) -> None:
        self._stage, self._body, self.side = stage, body, side
        self._offset = np.asarray(offset)
        self.aim(heading)
        self._fingers = [
            index
            for index, joint in enumerate(stage.spec.joints)
            if joint.group == f"{side}_hand" and "thumb" not in joint.name
        ]
        self._phase = ""
        self._left: np.ndarray | None = None  # where in the world the hand was when it began to let go

    def aim(self, heading: float) -> None:
        """Point along this heading of the world from now on."""
        self._turn, self.heading = about_z(heading), heading

    @property
    def point(self) -> np.ndarray:
        """Where the grasp centre belongs, in the world."""
        return self._stage.position(self._body) + self._offset

    def off(self) -> np.ndarray:
        """From the grasp's middle to the hand: along the fingers, to the left, up."""
        hand, _ = self._stage.hand(self.side)
        return rotate_inverse(self._turn, hand - self.point)

    def held(self, state: RobotState) -> bool:
        """Whether the fingers are around it and have come to rest on it."""
        touch = self._stage.touches(f"{self.side}_wrist_yaw_link", self._body) > 0.2
        still = float(np.abs(state.velocity[self._fingers]).max()) < SETTLED
        bent = float(np.abs(state.position[self._fingers]).max()) > 0.5
        return touch and still and bent and float(np.linalg.norm(self.off())) < 0.05

    def touching(self) -> bool:
        return self._stage.touches(f"{self.side}_wrist_yaw_link", self._body) > 0.05

    def take(self, state: RobotState) -> Hold:
        """The next move towards holding it."""
        frame = Frame(state)
        if np.linalg.norm(self.off()) > AIMING:
            self.aim(pointing(frame.point(self.point), self.side) + frame.heading)
        along, left, up = self.off()
        past = mirror(self.side) * ASIDE
        self._phase = self._next(along, left - past, up)
        if self._phase == "closing":
            return Hold(self._to(frame, 0.0, 0.0, grasp=1.0, speed=SLOW), self._phase)
        if self._phase == "sliding in":
            return Hold(self._to(frame, 0.0, 0.0, left=past, grasp=0.0, speed=SLOW), self._phase)
        if self._phase == "down":
            return Hold(self._to(frame, -BEHIND, 0.0, left=past, grasp=0.0, speed=0.2), self._phase)
        if self._phase == "up first":  # too near to move sideways without knocking it over
            return Hold(self._to(frame, along, ABOVE, left=left, grasp=0.0, speed=FAST), self._phase)
        return Hold(self._to(frame, -BEHIND, ABOVE, left=past, grasp=0.0, speed=FAST), self._phase)

    def _next(self, along: float, aside: float, up: float) -> str:
        """The phase for a hand that is so far off. A phase is left later than it is begun: a hand that is turned back
        every tenth of a second swings ever more."""
        wide = {phase: STAY if phase == self._phase else 1.0 for phase in ("closing", "sliding in", "down", "up first")}
        line = max(abs(aside), abs(up))
        if line < IN_LINE * wide["closing"] and -REACHED * wide["closing"] ** 2 < along < 0.05:
            return "closing"
        room = 0.02 * wide["sliding in"]
        if line < 1.2 * IN_LINE * wide["sliding in"] and -BEHIND - room < along < 0.01:
            return "sliding in"
        if abs(aside) < 0.02 * wide["down"] and abs(along + BEHIND) < 0.02 * wide["down"]:
            return "down"
        near = np.hypot(along, aside) < BEHIND - 0.02 / wide["up first"]
        return "up first" if near and up < 0.4 * ABOVE * wide["up first"] else "above"

    def leave(self, state: RobotState) -> Hold:
        """Let go where it is, then back out along the fingers, then up."""
        frame = Frame(state)
        along, left, up = self.off()
        if self._left is None:
            self._left = self._stage.hand(self.side)[0]
        open_enough = float(np.abs(state.position[self._fingers]).max()) < 0.35
        if not open_enough and np.linalg.norm((along, left)) < 0.08:
            return Hold(frame.reach(self._left, self.heading, grasp=0.0, speed=SLOW), "opening")
        if along > -BEHIND + 0.015 and up < 0.6 * ABOVE:
            line = float(rotate_inverse(self._turn, self._left - self.point)[1])
            return Hold(self._to(frame, -BEHIND - 0.01, up, left=line, grasp=0.0, speed=0.2), "backing out")
        return Hold(self._to(frame, -BEHIND, ABOVE, grasp=0.0, speed=FAST), "away")

    def _to(self, frame: Frame, along: float, up: float, *, grasp: float, speed: float, left: float = 0.0) -> Reach:
        point = self.point + rotate(self._turn, np.array([along, left, up]))
        return frame.reach(point, self.heading, grasp=grasp, speed=speed)


def pointing(point: np.ndarray, side: str) -> float:
    """The way a hand best points at a point of the pelvis frame, rad: before the chest inwards, so that its elbow
    stays clear of the body; out at the side straight ahead."""
    inwards = float(np.clip(0.15 + 3.0 * (0.17 - abs(point[1])), 0.0, 0.5))
    return -mirror(side) * inwards
