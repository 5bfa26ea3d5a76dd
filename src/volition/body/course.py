"""How things went, since the robot was told and before: what nobody sees in one look, and who is to stop, to turn back, to go on must know.

    what the robot feels, decision by decision --Course.go--> its way by its odometry's velocity, where its hands were of late
    and how far the thing has gone --Course.numbers--> hands;   a recorded episode --courses--> the same of each frame, for training

A metre is walked when it has been walked, a drawer is open when it has gone so far, a cup is empty when it has leaned long enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from volition.transforms.rotation import from_rotvec, multiply, rotate, rotate_inverse

SIDES = ("left", "right")
BASE = tuple(f"base.{one}" for one in ("forward", "left", "turn", "roll", "pitch", "height"))
HAND = ("x", "y", "z", "rx", "ry", "rz", "closed")
LATELY = (1.0, 5.0)  # s: over so long it remembers where its hands were, ever more faintly
# Where it was told, x and y (m), and how far it has turned since (rad); the same of where the run began; how far the thing has gone, x, y
# and z (m); all as it stands now.
MOVED = 9
# Numbers in all: for each of LATELY also how far each of the hands' numbers is from its mean.
COURSE = MOVED + len(LATELY) * len(SIDES) * len(HAND)


def felt_by(names: Sequence[str]) -> bool:
    """Whether a robot that feels these numbers knows how it goes and where its hands are."""
    return {*BASE, *(f"{side}.{one}" for side in SIDES for one in HAND)} <= set(names)


class Course:
    """Of one run."""

    def __init__(self, names: Sequence[str]) -> None:
        """`names`: of the numbers that the robot feels."""
        self._base = [names.index(name) for name in BASE]
        self._hands = [names.index(f"{side}.{one}") for side in SIDES for one in HAND]
        self._origin, self._heading = np.zeros(2), 0.0  # where the robot is, from where the run began
        self.tell()
        self._mean: np.ndarray | None = None  # (LATELY, numbers of the hands)

    def tell(self) -> None:
        """It is told something, where it is now."""
        self._told = self._origin, self._heading

    def go(self, felt: np.ndarray, passed: float) -> None:
        """It feels this (S,) after so many seconds."""
        forward, left, turn, roll, pitch, height = felt[self._base]
        self._heading += turn * passed
        cosine, sine = math.cos(self._heading), math.sin(self._heading)
        went = np.array([cosine * forward - sine * left, sine * forward + cosine * left])
        self._origin = self._origin + passed * went
        self._pelvis = np.array([*self._origin, height])
        self.turned = _turned(roll, pitch, self._heading)
        self._now = felt[self._hands]
        if self._mean is None:
            self._mean = np.repeat(self._now[None], len(LATELY), axis=0)
        share = -np.expm1(-passed / np.array(LATELY))[:, None]
        self._mean = self._mean + share * (self._now - self._mean)

    def world(self, point: np.ndarray) -> np.ndarray:
        """A point of the pelvis frame, in a world that begins where the run did."""
        return self._pelvis + rotate(self.turned, point)

    def here(self, world: np.ndarray) -> np.ndarray:
        """The inverse of `world`."""
        return rotate_inverse(self.turned, world - self._pelvis)

    def numbers(self, gone: np.ndarray) -> np.ndarray:
        """(COURSE,), if the thing has gone so far in the world."""
        told, began = self._since(*self._told), self._since(np.zeros(2), 0.0)
        return np.array([*told, *began, *rotate_inverse(self.turned, gone), *(self._now - self._mean).ravel()])

    def _since(self, place: np.ndarray, heading: float) -> tuple[float, float, float]:
        x, y = place - self._origin
        cosine, sine = math.cos(self._heading), math.sin(self._heading)
        return cosine * x + sine * y, -sine * x + cosine * y, self._heading - heading


def courses(names: Sequence[str], felt: np.ndarray, thing: np.ndarray | None, dt: float, told: int = 0) -> np.ndarray:
    """Of T frames of a run, (T, COURSE): `felt` (T, S), `thing` (T, 3) where it is in the pelvis frame, if there is one, NaN as long as nobody
    has seen it; `told`: the frame in which it was told what counts now. Nothing of those before."""
    course, found, began = Course(names), np.zeros((len(felt), COURSE)), None
    for frame, one in enumerate(felt):
        course.go(one, dt if frame else 0.0)
        if frame < told:
            continue
        if frame == told:
            course.tell()
        gone = np.zeros(3)
        if thing is not None and np.isfinite(thing[frame]).all():
            at = course.world(thing[frame])
            began = at if began is None else began
            gone = at - began
        found[frame] = course.numbers(gone)
    return found


def _turned(roll: float, pitch: float, heading: float) -> np.ndarray:
    about = [from_rotvec(axis * angle) for axis, angle in zip(np.eye(3), (roll, pitch, heading), strict=True)]
    return multiply(about[2], multiply(about[1], about[0]))
