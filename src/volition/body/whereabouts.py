"""Where the thing and the place are, by all that eyes have found of them so far: eyes err for moments, things stand still.

    what the robot feels --Course: how it went since--> Whereabouts.expect -> where each is now, as far as anybody knows
    a model blends that with what its eyes find --> hands;   what they found -> Whereabouts.found

What stands on a table stays there while the robot sways and walks; what is in a hand goes with it. So a place that eyes find
far from where it was is not believed until they find it there again and again. It is known how far the robot went by its odometry's
velocity, as far as one decision from the next: nothing is known of the room. A hand that came bent to a hook, for a drawer's bar, takes
nothing along: nobody feels when a bar slips out of it, but eyes see it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

from volition.body.course import HAND, SIDES, Course
from volition.transforms.rotation import from_rotvec, multiply, rotate, rotate_inverse

ROLES = 2  # the thing and the place
KNOWN = 6  # numbers of what is expected of each: x, y, z (m), how much is believed of a new look, how near it must be (m), whether it is known
SHARE = (0.3, 0.05)  # of a new look: drawers move while they are pulled, places do not move
GATE = (0.06, 0.04)  # m: what is found farther off is not believed at once, of things within reach ...
REACH = 0.6  # m; of those farther away in proportion: eyes find them as much more vaguely
SETTLE = 4  # looks before there is anything to expect
AGAIN, TIGHT, MOST = 15, 0.025, 0.8  # so many looks on end, most of them within so many metres: it is there after all
SURE = 0.5  # a look that is less sure to see it at all says nothing
HOLDING = (0.3, 0.88)  # how closed a hand is that has something between its fingers
AROUND = 0.06  # m, from the grasp centre to the middle of what it holds
FIRM = 3  # decisions
LONG = 1.0  # s: who was not asked for so long knows nothing any more
_ANYWHERE = 1e3  # m


class Whereabouts:
    """Of one run; `reset` when it is told something else. Call `expect` and `found` in turn."""

    def __init__(self, names: Sequence[str]) -> None:
        """`names`: of the numbers that the robot feels."""
        self._names = tuple(names)
        self._hands = {side: [names.index(f"{side}.{one}") for one in HAND] for side in SIDES}
        self._stamp = -math.inf
        self._course = Course(self._names)
        self.reset()

    def reset(self) -> None:
        """Something else is meant now; the robot is where it was."""
        self._course.tell()
        self._tracks = [_Track(share, gate) for share, gate in zip(SHARE, GATE, strict=True)]
        # Whether the thing is between its fingers since they were straight, and for how many decisions it has been held.
        self._came_open: dict[str, bool] = dict.fromkeys(SIDES, False)
        self._holds: dict[str, int] = dict.fromkeys(SIDES, 0)
        self._held: tuple[str, np.ndarray] | None = None  # by which hand, and where in it

    def expect(self, felt: np.ndarray, stamp: float) -> np.ndarray:
        """(ROLES, KNOWN), in the pelvis frame as it is now. `felt` (S,) in units."""
        passed = stamp - self._stamp
        if not 0.0 <= passed <= LONG:
            self._course = Course(self._names)
            self.reset()
            passed = 0.0
        self._stamp = stamp
        self._course.go(felt, passed)
        self._carry(felt)
        rows = []
        for role, track in enumerate(self._tracks):
            carried = role == 0 and self._held is not None
            here = self._course.here(track.at)
            share, gate = 0.0 if carried else track.share, track.gate * _vague(here)
            rows.append([*here, share, gate, float(track.known)])
        return np.array(rows)

    def found(self, places: np.ndarray, sure: np.ndarray) -> None:
        """What eyes found at the moment expected last: (ROLES, 3) in the pelvis frame, and how sure they are that it is there, (ROLES,)."""
        for role, track in enumerate(self._tracks):
            carried = role == 0 and self._held is not None
            if sure[role] >= SURE and not carried and np.isfinite(places[role]).all():
                track.see(self._course.world(places[role]), _vague(places[role]))

    def course(self) -> np.ndarray:
        """(COURSE,) at the moment expected last."""
        thing = self._tracks[0]
        return self._course.numbers(thing.at - thing.began if thing.known else np.zeros(3))

    def _carry(self, felt: np.ndarray) -> None:
        """What is in a hand goes with it, until the hand opens or closes on nothing."""
        thing = self._tracks[0]
        for side, columns in self._hands.items():
            *pose, closed = felt[columns]
            hand = self._course.world(np.array(pose[:3]))
            turned = multiply(self._course.turned, from_rotvec(np.array(pose[3:])))
            holding = HOLDING[0] < closed < HOLDING[1]
            if self._held is not None and self._held[0] == side:
                thing.put(hand + rotate(turned, self._held[1]))
                if not holding:
                    self._held = None
                continue
            around = thing.known and float(np.linalg.norm(thing.at - hand)) < AROUND
            self._came_open[side] = around and (self._came_open[side] or closed <= HOLDING[0])
            self._holds[side] = self._holds[side] + 1 if holding and self._came_open[side] else 0
            if self._held is None and self._holds[side] >= FIRM:
                self._held = side, rotate_inverse(turned, thing.at - hand)


class _Track:
    """Of one of them, in the robot's own world."""

    def __init__(self, share: float, gate: float) -> None:
        self._share, self._gate = share, gate
        self.at = self.began = np.zeros(3)
        self._looks: deque[np.ndarray] = deque(maxlen=AGAIN)
        self._count = 0

    @property
    def known(self) -> bool:
        return self._count >= SETTLE

    @property
    def share(self) -> float:
        return self._share if self.known else 1.0 / (self._count + 1)

    @property
    def gate(self) -> float:
        return self._gate if self.known else _ANYWHERE

    def put(self, at: np.ndarray) -> None:
        """It is known to be here, whatever eyes found before."""
        self.at, self._count = at, SETTLE
        self._looks.clear()

    def see(self, look: np.ndarray, vague: float) -> None:
        """`vague`: how many times as vaguely as a thing within reach it is seen."""
        self._looks.append(look)
        self._count += 1
        if self._count <= SETTLE:
            self.at = self.began = np.median(self._looks, axis=0)
        elif np.linalg.norm(look - self.at) < vague * self._gate:
            self.at = self.at + self._share * (look - self.at)
        elif len(self._looks) == AGAIN:
            middle = np.median(self._looks, axis=0)
            if (np.linalg.norm(np.array(self._looks) - middle, axis=1) < vague * TIGHT).mean() >= MOST:
                self.at = self.began = middle


def _vague(here: np.ndarray) -> float:
    return max(1.0, float(np.linalg.norm(here)) / REACH)
