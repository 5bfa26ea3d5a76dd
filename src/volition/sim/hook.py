"""The hook grasp: how a hand takes hold of an upright bar in front of a wall, where straight fingers have no room.

    behind, beside the bar -> forward past it -> sideways, fingertips behind it -> close -> held

The fingers are bent to a hook from the start, thumb on the robot's side of the bar. Decided afresh from what is the case now.
"""

from __future__ import annotations

import numpy as np

from volition.sim.expert import Frame, Reach, about_z, mirror
from volition.sim.grasp import Hold
from volition.sim.stage import Stage
from volition.transforms.rotation import rotate, rotate_inverse
from volition.types import RobotState

HOOK = 0.5  # of closing: fingertips 4 cm before the grasp centre and bent inwards, the thumb 1 cm behind it
DEEP = 0.013  # m: the bar is so far before the grasp centre when it passes between thumb and fingertips
BESIDE = 0.055  # m: from here a forward move passes the bar ...
BACK = 0.10  # m: ... begun so far behind it
LINED = 0.012  # m: how well it must be lined up
SETTLED = 0.4  # rad/s: fingers slower than this have closed
FAST, SLOW = 0.30, 0.09  # m/s
# Where each phase may begin, and where it may go on: least and most along, out and up of the bar, m.
_Box = tuple[tuple[float, float, float], tuple[float, float, float]]
_PHASES: dict[str, tuple[_Box, _Box]] = {
    "closing": (((-0.030, -0.02, -0.03), (0.005, LINED, 0.03)), ((-0.045, -0.03, -0.04), (0.02, 0.03, 0.04))),
    "hooking": (((-0.025, -0.02, -0.025), (0.000, 0.075, 0.025)), ((-0.040, -0.03, -0.04), (0.008, 0.10, 0.04))),
    "passing": (((-0.140, 0.04, -0.02), (-0.01, 0.075, 0.02)), ((-0.160, 0.033, -0.04), (0.008, 0.10, 0.04))),
}


def _within(off: np.ndarray, least: tuple[float, float, float], most: tuple[float, float, float]) -> bool:
    return bool(np.all(off > least) and np.all(off < most))


class HookGrasp:
    """Takes hold of an upright bar, `offset` from the origin of `body`, with one hand that points along `heading` (world)."""

    def __init__(self, stage: Stage, body: str, side: str, *, offset: np.ndarray, heading: float) -> None:
        self._stage, self._body, self.side = stage, body, side
        self._offset, self._turn, self.heading = np.asarray(offset), about_z(heading), heading
        self._fingers = [
            index
            for index, joint in enumerate(stage.spec.joints)
            if joint.group == f"{side}_hand" and "thumb" not in joint.name
        ]
        self._phase = ""

    @property
    def point(self) -> np.ndarray:
        """The middle of the bar, in the world."""
        return self._stage.position(self._body) + self._offset

    def off(self) -> np.ndarray:
        """From the bar to the hand: along the fingers, outwards, up."""
        hand, _ = self._stage.hand(self.side)
        return rotate_inverse(self._turn, hand - self.point) * np.array([1.0, mirror(self.side), 1.0])

    def held(self, state: RobotState) -> bool:
        """Whether the fingers are around it and have come to rest."""
        bent = float(np.abs(state.position[self._fingers]).max()) > 0.8
        still = float(np.abs(state.velocity[self._fingers]).max()) < SETTLED
        return (
            self._around() and bent and still and self._stage.touches(f"{self.side}_wrist_yaw_link", self._body) > 0.1
        )

    def take(self, state: RobotState) -> Hold:
        """The next move towards holding it. A phase once begun is kept through small disturbances: turning back shakes the waist."""
        frame = Frame(state)
        off = self.off()
        self._phase = next((phase for phase in _PHASES if _within(off, *_PHASES[phase][phase == self._phase])), "")
        along, out, up = off
        if self._phase == "closing":
            return Hold(self._to(frame, -DEEP / 2, 0.0, 0.0, grasp=1.0, speed=SLOW), "closing")
        if self._phase == "hooking":
            return Hold(self._to(frame, -DEEP, 0.0, 0.0, grasp=HOOK, speed=SLOW), "hooking")
        if self._phase == "passing":
            return Hold(self._to(frame, -DEEP, BESIDE, 0.0, grasp=HOOK, speed=0.15), "passing it")
        if float(np.abs(state.position[self._fingers]).max()) < 0.35:  # straight fingers would catch in the bars
            return Hold(self._to(frame, min(along, -BACK - 0.03), out, up, grasp=HOOK, speed=0.25), "bending")
        if self.near():
            beside = max(out, BESIDE) if along > -0.03 or out > -0.01 else out
            away = -BACK - 0.01 if abs(out - beside) < LINED else along
            return Hold(self._to(frame, away, beside, up, grasp=HOOK, speed=0.15), "back first")
        return Hold(self._to(frame, -BACK, BESIDE, 0.0, grasp=HOOK, speed=0.25), "beside")

    def leave(self, state: RobotState) -> Hold:
        """Open to a hook, out sideways, then back and up."""
        frame = Frame(state)
        along, out, up = self.off()
        bent = float(np.abs(state.position[self._fingers]).max())
        if self._around() and bent > 1.0 and out < BESIDE - LINED:
            return Hold(self._to(frame, -DEEP / 2, 0.0, 0.0, grasp=HOOK - 0.05, speed=SLOW), "opening")
        if along > -0.05 and out < BESIDE - LINED and abs(up) < 0.08:
            return Hold(self._to(frame, along, BESIDE + 0.01, up, grasp=HOOK - 0.05, speed=0.2), "out sideways")
        if along > -0.05 and up < 0.08:
            return Hold(self._to(frame, -0.06, max(out, BESIDE), up, grasp=HOOK, speed=0.2), "back")
        return Hold(self._to(frame, -BACK, BESIDE + 0.02, 0.14, grasp=HOOK, speed=FAST), "away")

    def near(self) -> bool:
        """Whether it is in among the bars, so that it must not be carried sideways."""
        along, out, up = self.off()
        return bool(along > -0.06 and abs(out) < 0.1 and abs(up) < 0.1)

    def _around(self) -> bool:
        along, out, up = self.off()
        return bool(-0.04 < along < 0.02 and abs(out) < 0.03 and abs(up) < 0.045)

    def _to(self, frame: Frame, along: float, out: float, up: float, *, grasp: float, speed: float) -> Reach:
        point = self.point + rotate(self._turn, np.array([along, mirror(self.side) * out, up]))
        return frame.reach(point, self.heading, grasp=grasp, speed=speed)
