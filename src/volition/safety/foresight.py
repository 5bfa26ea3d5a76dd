"""The self-collision look-ahead: would a step, or the way to rest after it, bring an arm too near? Asked by the shield.

Looked at are the next posture, the posture where the step's stop plan comes to rest, and postures between when the
way is long; commanded joints from the plan, the others (legs, waist) as measured. A pair of bodies that would be
nearer than the margin, and nearer than it is now, holds the arm or both arms on their stored stop plans, whose
resting place was looked at when it was stored. Moving away is always allowed, whatever the distance.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from volition.safety.collision import REACH, SIDES, CollisionModel, Pair
from volition.safety.limiter import Motion, Step
from volition.types import RobotSpec

_STRIDE = 0.025  # m: the farthest any part of an arm may go between two postures that are looked at, if ticks allow
_MOST = 4  # postures between the next one and rest, at most: what the tick has time for
_SLACK = 1e-5  # m: what counts as not nearer than now

Block = tuple[str, float, float]  # bodies, distance that the step would lead to, distance now


class Foresight:
    """Pure but for MuJoCo's scratch data inside the collision model."""

    def __init__(self, robot: RobotSpec, collision: CollisionModel, *, margin: float, release: float) -> None:
        self._collision = collision
        self._margin, self._release = margin, release
        self._index = robot.commanded_index
        levers = collision.levers[robot.commanded_index]
        self._of_side = {
            side: np.array([joint.group.startswith(f"{side}_") for joint in robot.commanded]) for side in SIDES
        }
        self._levers = np.stack([levers * mask for mask in self._of_side.values()], axis=1)  # (C, sides)

    def look(
        self, motion: Motion, step: Step, brake: Step, posture: np.ndarray, held: frozenset[str]
    ) -> tuple[np.ndarray, frozenset[str], list[Block]]:
        """Which joints must brake (C,), which sides are held from now on, and the pairs of bodies that say so."""
        braking = np.zeros(len(self._index), dtype=bool)
        holding: set[str] = set()
        blocks: list[Block] = []
        if (step.plan == motion.position).all() and (step.position == motion.position).all():
            return braking, held, blocks
        now: dict[Pair, float] | None = None
        # Holding one arm changes what the other may meet, so look again; when both are held nothing is left to decide.
        while len(holding) < len(SIDES):
            fresh: set[str] = set()
            for ahead in self._postures(step, brake, braking, posture):
                for pair, distance in self._collision.near(ahead).items():
                    if distance >= self._margin + self._release:
                        continue
                    sides = self._collision.sides(pair)
                    if sides <= holding or distance >= self._margin + (self._release if sides & held else 0.0):
                        continue
                    if now is None:
                        now = self._collision.near(self._posture(motion.position, posture))
                    current = now.get(pair, REACH)
                    if distance < current - _SLACK:
                        fresh |= sides
                        blocks.append((self._collision.name(pair), distance, current))
                if fresh:
                    break  # the step is refused; what else it would meet does not matter
            if not fresh:
                break
            holding |= fresh
            for side in fresh:
                braking |= self._of_side[side]
        return braking, frozenset(holding), blocks

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
