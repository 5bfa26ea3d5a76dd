"""The self-collision look-ahead: would a step, or the way to rest after it, bring an arm too near? Asked by the shield.

Looked at are the next posture, the posture where the step's stop plan comes to rest, and postures between when the
way is long; commanded joints from the plan, the others (legs, waist) as measured. A pair of bodies that would be
nearer than the margin, and nearer than it is now, holds the arm or both arms on their stored stop plans, whose
resting place was looked at when it was stored. Moving away is always allowed, whatever the distance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from volition.safety.collision import SIDES, CollisionModel, Pair
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
        levers = collision.levers()[robot.commanded_index]
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
        now: Mapping[tuple[int, int], Pair] | None = None
        # Holding one arm changes what the other may meet, so look again; after both are held there is nothing left.
        for _ in range(len(SIDES)):
            fresh: set[str] = set()
            for ahead in self._postures(step, brake, braking, posture):
                for key, pair in self._collision.near(ahead).items():
                    margin = self._margin + (self._release if pair.sides & held else 0.0)
                    if pair.distance >= margin or pair.sides <= holding:
                        continue
                    if now is None:
                        now = self._collision.near(self._posture(motion.position, posture))
                    current = now[key].distance if key in now else float("inf")
                    if pair.distance < current - _SLACK:
                        fresh |= pair.sides
                        blocks.append((pair.name, pair.distance, min(current, 1.0)))
            if not fresh - holding:
                break
            holding |= fresh
            for side in holding:
                braking |= self._of_side[side]
            if holding.issuperset(SIDES):
                break
        return braking, frozenset(holding), _worst(blocks)

    def _postures(self, step: Step, brake: Step, braking: np.ndarray, posture: np.ndarray) -> Iterator[np.ndarray]:
        """Next, at rest, and between, for the step with the braking joints on their stored plans."""
        plan = np.concatenate([step.position[None], step.plan])  # (1 + T, C)
        if braking.any():
            plan = np.where(braking, np.concatenate([brake.position[None], brake.plan]), plan)
        yield self._posture(plan[-1], posture)
        moved = (np.abs(plan[1:, :, None] - plan[:-1, :, None]) * self._levers).sum(axis=1).max(axis=1).cumsum()
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


def _worst(blocks: list[Block]) -> list[Block]:
    """One block a pair of bodies: the nearest."""
    nearest: dict[str, Block] = {}
    for block in blocks:
        if block[0] not in nearest or block[1] < nearest[block[0]][1]:
            nearest[block[0]] = block
    return list(nearest.values())
