"""What belongs together by its header stamps: pictures of all cameras of one moment, and the robot's state of that moment.

RobotState, picture of a camera (each with its stamp) -> Aligner -> Sight(stamp, state, images) -> Observation
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from volition.types import RobotState

Load = Callable[[], np.ndarray]
_STATES = 400  # 2 s at 200 Hz
_PICTURES = 6


@dataclass(frozen=True, kw_only=True)
class Sight:
    """One moment: that of the oldest picture in it."""

    stamp: float
    state: RobotState
    images: Mapping[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class _Picture:
    stamp: float
    load: Load


class Aligner:
    """Any thread may add and ask. `tolerance_s`: how far apart pictures, or picture and state, may be."""

    def __init__(self, cameras: tuple[str, ...], *, tolerance_s: float = 0.05) -> None:
        self.cameras, self._tolerance = cameras, tolerance_s
        self._lock = threading.Lock()
        self._states: deque[RobotState] = deque(maxlen=_STATES)
        self._pictures: dict[str, deque[_Picture]] = {name: deque(maxlen=_PICTURES) for name in cameras}

    def add_state(self, state: RobotState) -> None:
        """States that are older than the last one are left out: two drivers, or a clock that was set back."""
        with self._lock:
            if not self._states or state.stamp > self._states[-1].stamp:
                self._states.append(state)

    def add_image(self, camera: str, stamp: float, load: Load) -> None:
        """`load` makes the picture when it is wanted: of 30 a second a policy looks at 10."""
        with self._lock:
            pictures = self._pictures[camera]
            if not pictures or stamp > pictures[-1].stamp:
                pictures.append(_Picture(stamp=stamp, load=load))

    @property
    def state(self) -> RobotState | None:
        """The latest."""
        with self._lock:
            return self._states[-1] if self._states else None

    def at(self, stamp: float) -> RobotState | None:
        """The state at a time; None where there is none so near to it."""
        with self._lock:
            return self._state_at(stamp)

    def clear(self) -> None:
        with self._lock:
            self._states.clear()
            for pictures in self._pictures.values():
                pictures.clear()

    def problem(self) -> str:
        """What keeps a sight from being made, in words; empty when nothing does."""
        with self._lock:
            silent = [name for name, pictures in self._pictures.items() if not pictures]
            if silent:
                return f"no picture of {', '.join(silent)} has come"
            if self._choose() is None:
                return f"pictures and joint states are more than {self._tolerance:g} s apart by their stamps"
            return ""

    def stamp(self) -> float | None:
        """When the newest sight would be from; None if there is none whose parts belong together."""
        with self._lock:
            found = self._choose()
        return None if found is None else found[0]

    def sight(self) -> Sight | None:
        """The newest moment of which there is everything."""
        with self._lock:
            found = self._choose()
        if found is None:
            return None
        stamp, state, pictures = found
        return Sight(stamp=stamp, state=state, images={name: one.load() for name, one in pictures.items()})

    def _choose(self) -> tuple[float, RobotState, dict[str, _Picture]] | None:
        if not self._pictures or not all(self._pictures.values()):
            return None
        moment = min(pictures[-1].stamp for pictures in self._pictures.values())
        chosen = {
            name: min(pictures, key=lambda one: abs(one.stamp - moment)) for name, pictures in self._pictures.items()
        }
        stamps = [one.stamp for one in chosen.values()]
        if max(stamps) - min(stamps) > self._tolerance:
            return None
        state = self._state_at(min(stamps))
        return None if state is None else (min(stamps), state, chosen)

    def _state_at(self, stamp: float) -> RobotState | None:
        """Between the states before and after; the nearest where there is only one, None where that is too far."""
        after = next((state for state in self._states if state.stamp >= stamp), None)
        before = next((state for state in reversed(self._states) if state.stamp <= stamp), None)
        if before is not None and after is not None and after.stamp - before.stamp <= 2 * self._tolerance:
            return between(before, after, stamp)
        near = [one for one in (before, after) if one is not None and abs(one.stamp - stamp) <= self._tolerance]
        return replace(min(near, key=lambda one: abs(one.stamp - stamp)), stamp=stamp) if near else None


def between(before: RobotState, after: RobotState, stamp: float) -> RobotState:
    """The state at a time between two, along straight lines."""
    gap = after.stamp - before.stamp
    share = 0.0 if gap <= 0 else (stamp - before.stamp) / gap

    def mixed(name: str) -> np.ndarray:
        return (1.0 - share) * getattr(before, name) + share * getattr(after, name)

    other = after.base_quaternion if before.base_quaternion @ after.base_quaternion >= 0 else -after.base_quaternion
    quaternion = (1.0 - share) * before.base_quaternion + share * other
    return RobotState(
        stamp=stamp,
        position=mixed("position"),
        velocity=mixed("velocity"),
        effort=mixed("effort"),
        base_position=mixed("base_position"),
        base_quaternion=quaternion / np.linalg.norm(quaternion),
        base_velocity=mixed("base_velocity"),
        base_angular_velocity=mixed("base_angular_velocity"),
    )
