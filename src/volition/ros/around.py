"""What is around the robot as it is told over ROS 1 or ROS 2, put together from markers for the shield.

    MarkerArray -> Around.hear -> {(namespace, id): Obstacle} -> Surroundings.update(Obstacles) -> Guard

A namespace is one source. It *lives* when it has told of people, or of a thing for a time (`lifetime`): from then on it
has to go on telling, or the robot stops. Things without a lifetime in the odometry's frame are told once.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from volition.errors import VolitionError
from volition.ros.errors import RosError
from volition.ros.markers import ADD, DELETE, DELETEALL, name_of, of_people, shape_of
from volition.ros.stamps import SimulatedTime, Stamps, seconds, stamped
from volition.safety.obstacles import Obstacle, Obstacles, Surroundings
from volition.transforms.rotation import multiply, rotate
from volition.types import RobotState

PELVIS, ODOM = "pelvis", "odom"  # frames
MOST = 200  # shapes: with more the shield's tick would be late
NEVER = 0.0  # s: before the loop's clock begins


@dataclass(frozen=True, kw_only=True)
class _Told:
    shape: Obstacle
    stamp: float  # NEVER where it does not say
    ends: float  # when its lifetime is over
    message: int  # the number of the message that told it last


class Around:
    """`hear` may be called by any thread and never raises for what a message says: `problem` and `complain` tell it.

    `place` gives the robot's state at a time. None: nobody measures where the robot is. Then only the pelvis' frame means
    anything, and every namespace lives, because what stands still moves in it.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        clock: Stamps | SimulatedTime,
        *,
        place: Callable[[float], RobotState | None] | None = None,
        complain: Callable[[str], None] = lambda problem: None,
    ) -> None:
        self._surroundings, self._clock, self._place, self._complain = surroundings, clock, place, complain
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int], _Told] = {}
        self._live: dict[str, float] = {}  # namespace -> the newest stamp of what it told rightly
        self._refused: dict[str, str] = {}  # namespace -> why; until it tells rightly
        self._messages = 0

    @property
    def problem(self) -> str:
        """Why something that was told last was refused; empty when nothing was."""
        with self._lock:
            return next(iter(self._refused.values()), "")

    @property
    def summary(self) -> str:
        """What is known, for people."""
        with self._lock:
            people = sum(told.shape.kind == "person" for told in self._known.values())
            text = f"told of {people} people and {len(self._known) - people} things"
            ages = [self._clock.now() - stamp for stamp in self._live.values()]
            return f"{text}, last {max(ages):.2f} s ago" if ages else text

    def hear(self, array: Any) -> None:
        """A visualization_msgs/MarkerArray. A namespace of which anything is refused was not told of: it stays as it was."""
        with self._lock:
            self._messages += 1
            before = self._known
            self._known = dict(before)
            heard: dict[str, float] = {}
            refused: dict[str, str] = {}
            for marker in array.markers:
                try:
                    heard[marker.ns] = max(heard.get(marker.ns, NEVER), self._take(marker))
                except VolitionError as error:
                    refused.setdefault(marker.ns, str(error))
            for name in refused:
                self._known = self._without(name) | {key: told for key, told in before.items() if key[0] == name}
            for name in heard.keys() - refused.keys():
                self._refresh(name, heard[name])
            new = [why for name, why in refused.items() if name not in self._refused]  # once, until it is right
            self._refused |= refused
            self._tell()
        for why in new:
            self._complain(why)

    def _take(self, marker: Any) -> float:
        """Do what one marker says; the moment that its namespace is told of by it, or NEVER."""
        if marker.action == ADD:
            return self._add(marker)
        if marker.action == DELETE:
            self._known.pop((marker.ns, marker.id), None)
            return self._stamp(marker)
        if marker.action == DELETEALL:
            self._known = self._without(marker.ns) if marker.ns else {}
            if marker.ns:
                return self._stamp(marker)
            self._refused = {name: why for name, why in self._refused.items() if name in self._live}
            return NEVER  # it says of no source that it is there
        raise RosError(
            f"The marker {name_of(marker)} has the action {marker.action}; "
            f"there are ADD ({ADD}), DELETE ({DELETE}) and DELETEALL ({DELETEALL})."
        )

    def _add(self, marker: Any) -> float:
        key, name, lifetime = (marker.ns, marker.id), name_of(marker), seconds(marker.lifetime)
        shape, frame = shape_of(marker), self._frame(marker)
        if lifetime < 0:
            raise RosError(f"The marker {name} has a lifetime of {lifetime:g} s; 0 is without end.")
        if key not in self._known and len(self._known) >= MOST:
            raise RosError(f"There are more than {MOST} markers, such as {name}; tell of the nearest, or larger boxes.")
        lasting = lifetime == 0 and not of_people(marker.ns) and self._place is not None
        timeless = lasting and frame == ODOM  # where it stands does not depend on when that was said
        stamp = self._stamp(marker, timeless=timeless)
        if stamp == NEVER and not timeless:
            raise RosError(f"The marker {name} has no stamp, or one from long ago; it must say when it was seen.")
        before = self._known.get(key)
        if before is None or stamp == NEVER or stamp >= before.stamp:
            if frame == PELVIS and self._place is not None:
                shape = _placed(shape, self._place(stamp))
            ends = stamp + lifetime if lifetime else math.inf
            self._known[key] = _Told(shape=shape, stamp=stamp, ends=ends, message=self._messages)
        if not lasting:
            self._live.setdefault(marker.ns, NEVER)
        return stamp

    def _frame(self, marker: Any) -> str:
        frame = marker.header.frame_id.removeprefix("/")
        allowed = (PELVIS,) if self._place is None else (ODOM, PELVIS)
        if frame not in allowed:
            raise RosError(
                f"The marker {name_of(marker)} is in the frame {frame!r}; known here is {' and '.join(allowed)}."
            )
        return frame

    def _stamp(self, marker: Any, *, timeless: bool = False) -> float:
        """In the loop's time, now at the latest; NEVER for a marker without a stamp."""
        when = seconds(marker.header.stamp)
        if not when:
            return NEVER
        stamp = self._clock.of(when) if timeless else stamped(self._clock, when, f"marker {name_of(marker)}")
        return min(stamp, self._clock.now())

    def _refresh(self, name: str, stamp: float) -> None:
        """A namespace was told of, and all of it was right: what is over and was not told again goes."""
        self._refused.pop(name, None)
        if name in self._live:
            self._live[name] = max(self._live[name], stamp)
        self._known = {
            key: told
            for key, told in self._known.items()
            if key[0] != name or told.ends >= stamp or told.message == self._messages
        }

    def _without(self, name: str) -> dict[tuple[str, int], _Told]:
        return {key: told for key, told in self._known.items() if key[0] != name}

    def _tell(self) -> None:
        """As old as the source that has been silent for longest; a source of which nothing could be used holds the robot."""
        stamps = [*self._live.values(), *(NEVER for name in self._refused if name not in self._live)]
        self._surroundings.update(
            Obstacles(
                stamp=min(stamps, default=self._clock.now()),
                shapes=tuple(told.shape for told in self._known.values()),
                frame="pelvis" if self._place is None else "world",
                lasting=not stamps,
            )
        )


def _placed(shape: Obstacle, state: RobotState | None) -> Obstacle:
    """From the pelvis' frame to the world, where the pelvis was then."""
    if state is None:
        raise RosError(
            f"The marker {shape.name} is in the frame {PELVIS} at a time from which no state of the robot is known; "
            f"stamp it with when it was seen, or give it in {ODOM}."
        )
    if not state.is_finite():
        raise RosError(f"The marker {shape.name} is in the frame {PELVIS}, and where that is cannot be measured.")
    at = state.base_position + rotate(state.base_quaternion, np.array(shape.centre))
    turned = multiply(state.base_quaternion, np.array(shape.quaternion))
    w, x, y, z = (turned / np.linalg.norm(turned)).tolist()
    return replace(shape, centre=(float(at[0]), float(at[1]), float(at[2])), quaternion=(w, x, y, z))
