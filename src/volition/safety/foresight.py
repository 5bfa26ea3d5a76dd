"""The look-ahead: would a step, or the way to rest after it, leave an arm too little room? Asked by the shield.

Looked at are the next posture, the posture where the step's stop plan comes to rest, and postures between when the
way is long; commanded joints from the plan, the others (legs, waist) as measured. What would have less room than its
margin asks, and less than it has now, holds the arm or both arms on their stored stop plans, whose resting place was
looked at when it was stored. Making room is always allowed, however little there is. What there has to be room to
(the robot itself, obstacles, the workspace's walls, the feet's edge) is the survey's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from volition.safety.collision import SIDES
from volition.safety.limiter import Motion, Step
from volition.safety.survey import Key, Scene, Survey
from volition.types import RobotSpec

_STRIDE = 0.025  # m: the farthest any part of an arm may go between two postures that are looked at, if ticks allow
_MOST = 4  # postures between the next one and rest, at most: what the tick has time for
_SLACK = 1e-5  # m: what counts as not nearer than now


@dataclass(frozen=True, kw_only=True)
class Block:
    """Why a step was refused: between what, m that the step would lead to, m now."""

    reason: str
    where: str
    ahead: float
    now: float


class Foresight:
    """Pure but for MuJoCo's scratch data inside the collision model."""

    def __init__(self, robot: RobotSpec, survey: Survey) -> None:
        self.survey = survey
        self._release = survey.config.collision_release
        self._index = robot.commanded_index
        levers = survey.collision.levers[robot.commanded_index]
        self.of_side = {
            side: np.array([joint.group.startswith(f"{side}_") for joint in robot.commanded]) for side in SIDES
        }
        self._levers = np.stack([levers * mask for mask in self.of_side.values()], axis=1)  # (C, sides)

    def look(
        self,
        motion: Motion,
        step: Step,
        brake: Step,
        posture: np.ndarray,
        held: frozenset[str],
        scene: Scene,
        holding: frozenset[str] = frozenset(),
    ) -> tuple[np.ndarray, frozenset[str], list[Block]]:
        """Which joints must brake (C,), which sides are held from now on, and what says so. `holding` are held anyway."""
        braking = np.zeros(len(self._index), dtype=bool)
        for side in holding:
            braking |= self.of_side[side]
        blocks: list[Block] = []
        if (step.plan == motion.position).all() and (step.position == motion.position).all():
            return braking, held, blocks
        if scene.whole is not None:
            self.survey.narrow(scene, max(self._way(motion, step), self._way(motion, brake)))
        now: dict[Key, float] | None = None
        # Holding one arm changes what the other may meet, so look again; when both are held nothing is left to decide.
        while len(holding) < len(SIDES):
            fresh: frozenset[str] = frozenset()
            for ahead in self._batches(step, brake, braking, posture, scene):
                for key, room in self.survey.rooms(ahead, scene).items():
                    if room >= self._release:
                        continue
                    sides = self.survey.sides(key)
                    if sides <= holding or room >= (self._release if sides & held else 0.0):
                        continue
                    if now is None:
                        now = self.survey.rooms((self._posture(motion.position, posture),), scene)
                    current = now.get(key, self.survey.beyond(key))
                    if room < current - _SLACK:
                        fresh |= sides
                        where, margin = self.survey.tell(key, scene)
                        blocks.append(Block(reason=key[0], where=where, ahead=room + margin, now=current + margin))
                if fresh:
                    break  # the step is refused; what else it would meet does not matter
            if not fresh:
                break
            holding |= fresh
            for side in fresh:
                braking |= self.of_side[side]
        return braking, holding, blocks

    def _batches(
        self, step: Step, brake: Step, braking: np.ndarray, posture: np.ndarray, scene: Scene
    ) -> Iterator[Iterable[np.ndarray]]:
        """Near obstacles all postures at once, which costs least; else one by one, so that the first may end it."""
        postures = self._postures(step, brake, braking, posture)
        if scene.field is not None:
            yield postures
        else:
            yield from ((one,) for one in postures)

    def _way(self, motion: Motion, step: Step) -> float:
        """The farthest any part of an arm may go until the step has come to rest, m."""
        plan = np.concatenate([motion.position[None], step.position[None], step.plan])
        return float((np.abs(plan[1:] - plan[:-1]) @ self._levers).max(axis=1).sum())

    def _postures(self, step: Step, brake: Step, braking: np.ndarray, posture: np.ndarray) -> Iterator[np.ndarray]:
        """Next, at rest, and between, for the step with the braking joints on their stored plans."""
        plan = np.concatenate([step.position[None], step.plan])  # (1 + T, C)
        if braking.any():
            plan = np.where(braking, np.concatenate([brake.position[None], brake.plan]), plan)
        yield self._posture(plan[-1], posture)
        moved = (np.abs(plan[1:] - plan[:-1]) @ self._levers).max(axis=1).cumsum()
        if moved[-1] == 0.0:
            return
        yield self._posture(plan[0], posture)
        strides = np.floor(moved / max(_STRIDE, moved[-1] / (_MOST + 1)))
        for tick in np.flatnonzero(np.diff(strides, prepend=0.0)).tolist():
            if moved[tick] < moved[-1]:
                yield self._posture(plan[tick + 1], posture)

    def _posture(self, commanded: np.ndarray, posture: np.ndarray) -> np.ndarray:
        full = posture.copy()
        full[self._index] = commanded
        return full
