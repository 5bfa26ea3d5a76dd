"""Recorded topics to frames of a data set: a grid of the policy's rate, and at each of its times what belongs together.

    pictures, states, commands, velocities, instructions (each with its stamp) -> Take -> frames -> DatasetWriter

A frame has what generated demonstrations have but for the simulator's truth: pictures, `observation.state` of the picture's
moment, and what was commanded for the next tenth of a second, as `action` (`ee`) and `action.joint`. An instruction begins
an episode; the next one, an empty one or a gap in any stream ends it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from volition.body.arms import Arms
from volition.body.hands import Hand
from volition.body.proprioception import SIDES, Proprioception
from volition.data.feature import ACTION, IMAGES, STATE, Feature, image_feature, vector_feature
from volition.ros.align import between
from volition.ros.errors import RosError
from volition.transforms.rotation import to_rotvec
from volition.types import RobotSpec, RobotState

JOINT = "action.joint"
SHORTEST = 5  # frames: less is no episode
_KEEP = 1.0  # s of each stream before the grid's next time
_LATE = 0.5  # s: who has nothing for the grid's next time so long after it has a gap
Item = TypeVar("Item")


@dataclass
class _Stream(Generic[Item]):
    """Stamped items in order; those that come with an older stamp are left out."""

    stamps: list[float] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)

    def add(self, stamp: float, item: Item) -> None:
        if not self.stamps or stamp > self.stamps[-1]:
            self.stamps.append(stamp)
            self.items.append(item)

    def forget(self, before: float) -> None:
        """All but the last item before that time."""
        gone = max(0, bisect_left(self.stamps, before) - 1)
        del self.stamps[:gone], self.items[:gone]

    def last(self, until: float) -> tuple[float, Item] | None:
        at = bisect_right(self.stamps, until) - 1
        return None if at < 0 else (self.stamps[at], self.items[at])

    def nearest(self, stamp: float) -> tuple[float, Item] | None:
        at = bisect_left(self.stamps, stamp)
        near = [one for one in (at - 1, at) if 0 <= one < len(self.stamps)]
        best = min(near, key=lambda one: abs(self.stamps[one] - stamp), default=None)
        return None if best is None else (self.stamps[best], self.items[best])

    @property
    def newest(self) -> float:
        return self.stamps[-1] if self.stamps else -np.inf


def features_of(spec: RobotSpec, cameras: tuple[str, ...], proprioception: Proprioception) -> tuple[Feature, ...]:
    sizes = [spec.camera(name) for name in cameras]
    return (
        *(image_feature(one.name, one.height, one.width) for one in sizes),
        vector_feature(STATE, proprioception.names),
        vector_feature(ACTION, spec.action("ee").names),
        vector_feature(JOINT, spec.action("joint").names),
    )


class Take:
    """`write(frame, instruction)` gets each frame, `end(frames, why)` is called when an episode is over."""

    def __init__(
        self,
        spec: RobotSpec,
        cameras: tuple[str, ...],
        write: Callable[[dict[str, Any], str], None],
        end: Callable[[int, str], None],
        *,
        tolerance_s: float = 0.05,
    ) -> None:
        if not cameras:
            raise RosError("There is no camera to record; give at least one.")
        self._spec, self._write, self._end, self._tolerance = spec, write, end, tolerance_s
        self._labels = Labels(spec)
        self.features = features_of(spec, cameras, self._labels.proprioception)
        self._period = 1.0 / spec.policy_rate_hz
        self._pictures: dict[str, _Stream[Callable[[], np.ndarray]]] = {name: _Stream() for name in cameras}
        self._states: _Stream[RobotState] = _Stream()
        self._commands: _Stream[np.ndarray] = _Stream()  # (C,)
        self._velocities: _Stream[np.ndarray] = _Stream()  # (3,)
        self._target = spec.home_position[spec.commanded_index].copy()
        self._slots = {joint.name: number for number, joint in enumerate(spec.commanded)}
        self._instruction, self._next, self._frames, self._time = "", -np.inf, 0, -np.inf
        self._lack = ""  # what the last moment without a frame had not

    @property
    def silent(self) -> tuple[str, ...]:
        """What frames are made of that has not come yet."""
        there = {f"pictures of {name}": bool(one.items) for name, one in self._pictures.items()}
        there |= {"joint states with odometry": bool(self._states.items), "joint commands": bool(self._commands.items)}
        return tuple(name for name, has in there.items() if not has)

    # ---- what comes in

    def state(self, state: RobotState) -> None:
        self._states.add(state.stamp, state)
        self._advance(state.stamp)

    def picture(self, camera: str, stamp: float, load: Callable[[], np.ndarray]) -> None:
        self._pictures[camera].add(stamp, load)
        self._advance(stamp)

    def command(self, stamp: float, names: list[str], position: list[float]) -> None:
        for name, value in zip(names, position, strict=False):
            if name in self._slots:
                self._target[self._slots[name]] = value
        self._commands.add(stamp, self._target.copy())
        self._advance(stamp)

    def velocity(self, stamp: float, forward: float, left: float, turn: float) -> None:
        self._velocities.add(stamp, np.array([forward, left, turn]))
        self._advance(stamp)

    def instruction(self, stamp: float, text: str) -> None:
        """Ends the episode under way; begins one, unless it is empty."""
        self._advance(stamp, last=True)
        self.finish("the next instruction")
        self._instruction = text.strip()
        self._next = stamp if self._instruction else -np.inf

    def finish(self, why: str) -> None:
        """End the episode under way, if there is one."""
        if self._instruction:
            self._end(self._frames, why if self._frames or not self._lack else f"{why}, for {self._lack}")
        self._instruction, self._frames, self._lack = "", 0, ""

    # ---- the grid

    def _advance(self, now: float, *, last: bool = False) -> None:
        """Make all frames that have everything. `last`: nothing more comes for this episode."""
        self._time = max(self._time, now)
        while self._instruction:
            ahead = self._next + max(self._tolerance, self._period)
            streams = (self._states, self._commands, *self._pictures.values())
            whole = all(one.newest >= ahead for one in streams)
            if not whole and (last or self._time < self._next + _LATE):
                return
            frame = self._frame(self._next)
            if frame is not None:
                self._write(frame, self._instruction)
                self._frames += 1
            elif self._frames:
                self.finish(f"a gap at {self._next:.2f} s")
                return
            self._next += self._period  # before the first frame the streams may still be coming up
            for one in (*streams, self._velocities):
                one.forget(self._next - _KEEP)

    def _frame(self, moment: float) -> dict[str, Any] | None:
        near = {name: one.nearest(moment) for name, one in self._pictures.items()}
        chosen = {name: one for name, one in near.items() if one and abs(one[0] - moment) <= self._tolerance}
        state = self._state_at(min((stamp for stamp, _ in chosen.values()), default=moment))
        command = self._commands.last(moment + self._period)
        if state is None or command is None or moment - command[0] > _LATE or len(chosen) < len(near):
            lacks = [f"picture of {name}" for name in near if name not in chosen]
            lacks += ["joint state with odometry"] * (state is None)
            lacks += ["joint command"] * (command is None or moment - command[0] > _LATE)
            self._lack = f"no {', no '.join(lacks)} near {moment:.2f} s"
            return None
        velocity = self._velocities.last(moment + self._period)
        stale = velocity is None or moment - velocity[0] > _LATE  # a base that is told nothing stands
        walking = np.zeros(3) if stale or velocity is None else velocity[1]
        frame: dict[str, Any] = {IMAGES + name: load() for name, (_, load) in chosen.items()}
        return frame | self._labels.numbers(state, command[1], walking)

    def _state_at(self, stamp: float) -> RobotState | None:
        at = bisect_left(self._states.stamps, stamp)
        if not 0 < at < len(self._states.stamps):
            found = self._states.nearest(stamp)
            return found[1] if found is not None and abs(found[0] - stamp) <= self._tolerance else None
        before, after = self._states.items[at - 1], self._states.items[at]
        return between(before, after, stamp) if after.stamp - before.stamp <= 2 * self._tolerance else None


class Labels:
    """Commands as actions: joint targets forward to hands' poses (`ee`), fingers to grasp scalars."""

    def __init__(self, spec: RobotSpec) -> None:
        self._spec, self.proprioception, self._arms = spec, Proprioception(spec), Arms(spec)
        names = [joint.name for joint in spec.commanded]
        self._joint, self._ee = spec.action("joint"), spec.action("ee")
        arms = [joint.name for joint in spec.commanded if joint.group.endswith("_arm")]
        self._arm_to = np.array([self._joint.index(name) for name in arms])
        self._arm_from = np.array([names.index(name) for name in arms])
        self._fingers = {}
        for side in SIDES:
            hand = Hand(spec, side)
            slots = np.array([names.index(joint.name) for joint in spec.group(f"{side}_hand")])
            self._fingers[side] = (slots, hand.targets(0.0), hand.targets(1.0) - hand.targets(0.0))

    def numbers(self, state: RobotState, position: np.ndarray, base: np.ndarray) -> dict[str, np.ndarray]:
        """Of one frame, as float32, clipped to the action spaces' bounds."""
        joint, ee = np.zeros(len(self._joint.names)), np.zeros(len(self._ee.names))
        joint[self._arm_to], joint[-3:], ee[-3:] = position[self._arm_from], base, base
        aimed = state.position.copy()
        aimed[self._spec.commanded_index] = position
        told = RobotState(**{**vars(state), "position": aimed})
        for side in SIDES:
            slots, begin, way = self._fingers[side]
            grasp = float(np.clip((position[slots] - begin) @ way / (way @ way), 0.0, 1.0))
            joint[self._joint.index(f"{side}.grasp")] = ee[self._ee.index(f"{side}.grasp")] = grasp
            where, turned = self._arms.hand(side, told)
            first = self._ee.index(f"{side}.x")
            ee[first : first + 3], ee[first + 3 : first + 6] = where, to_rotvec(turned)
        values = {
            STATE: self.proprioception.vector(state),
            ACTION: np.clip(ee, self._ee.low, self._ee.high),
            JOINT: np.clip(joint, self._joint.low, self._joint.high),
        }
        return {name: one.astype(np.float32) for name, one in values.items()}
