"""The look-ahead: would a step, or the way to rest after it, leave an arm too little room? Asked by the shield.

Looked at are the next posture, the posture where the step's stop plan comes to rest, and postures between when the
way is long; commanded joints from the plan, the others (legs, waist) as measured. What would have less room than its
margin asks, and less than it has now, holds the arm or both arms on their stored stop plans, whose resting place was
looked at when it was stored. Making room is always allowed, however little there is. What there has to be room to
(the robot itself, obstacles, the workspace's walls, the feet's edge) is the survey's. An arm that is refused is not
asked what else it would meet, so a tick names what refused it first and not all that would have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from volition.safety.collision import SIDES
from volition.safety.limiter import Motion, Step
from volition.safety.survey import Key, Scene, Survey
from volition.types import RobotSpec

_BOTH = frozenset(SIDES)
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
        self._sides = np.arange(len(SIDES))
        self._levers = np.stack([levers * mask for mask in self.of_side.values()], axis=1)  # (C, sides)

    def look(
        self,
        motion: Motion,
        step: Step,
        brake: Step,
        held: frozenset[str],
        scene: Scene,
        holding: frozenset[str] = frozenset(),
    ) -> tuple[np.ndarray, frozenset[str], list[Block]]:
        """Which joints must brake (C,), which sides are held from now on, and what says so. `holding` are held anyway."""
        braking = np.zeros(len(self._index), dtype=bool)
        for side in holding:
            braking |= self.of_side[side]
        blocks: list[Block] = []
        if (step.position == motion.position).all() and (step.plan == motion.position).all():
            return braking, held, blocks
        # Of the step and of braking: now, next and on to rest.
        ways = np.empty((2, 2 + len(step.plan), len(self._index)))
        ways[:, 0] = motion.position
        ways[0, 1], ways[0, 2:] = step.position, step.plan
        ways[1, 1], ways[1, 2:] = brake.position, brake.plan
        moved = np.abs(ways[:, 1:] - ways[:, :-1]) @ self._levers  # (2, 1 + T, sides)
        turns = np.maximum.reduce(np.abs(ways[:, 1:] - motion.position).reshape(-1, len(self._index)), axis=0)
        self.survey.narrow(scene, max(np.maximum.reduce(moved, axis=2).sum(axis=1).tolist()), turns)
        seen: set[int] = set()
        # Holding one arm changes what the other may meet, so look again; when both are held nothing is left to decide.
        while len(holding) < len(SIDES):
            rows, postures = self._postures(ways, moved, holding, braking, scene.posture, seen)
            fresh = holding
            # Near obstacles all postures at once, which costs least; else one by one, so that the first may end it.
            size = len(rows) if scene.field is not None else 1
            for at in range(0, len(rows), size):
                # What an arm that goes on meets without the other one was looked at before that one was held.
                known = sum(row in seen for row in rows[at : at + size])
                seen.update(rows[at : at + size])
                batch = postures[at : at + size]
                rooms, near = self.survey.rooms(batch, scene, self._release, known)
                fresh = self._refuse(rooms, fresh, held, scene, blocks)
                for number in near:
                    if len(fresh) == len(SIDES):
                        break
                    rooms = self.survey.touching(batch[number], _BOTH - fresh, self._release)
                    fresh = self._refuse(rooms, fresh, held, scene, blocks)
                if fresh != holding:
                    break  # the step is refused; what else it would meet does not matter
            if fresh == holding:
                break
            for side in fresh - holding:
                braking |= self.of_side[side]
            holding = fresh
        return braking, holding, blocks

    def _refuse(
        self, rooms: dict[Key, float], holding: frozenset[str], held: frozenset[str], scene: Scene, blocks: list[Block]
    ) -> frozenset[str]:
        """The sides that are held, with those that have too little room, and less than now; `blocks` says why."""
        for key, room in rooms.items():
            sides = self.survey.sides(key)
            if sides <= holding or room >= (self._release if sides & held else 0.0):
                continue
            current = self.survey.room_now(key, scene)
            if room < current - _SLACK:
                holding |= sides
                where, margin = self.survey.tell(key, scene)
                blocks.append(Block(reason=key[0], where=where, ahead=room + margin, now=current + margin))
        return holding

    def _postures(
        self,
        ways: np.ndarray,
        moved: np.ndarray,
        holding: frozenset[str],
        braking: np.ndarray,
        posture: np.ndarray,
        seen: set[int],
    ) -> tuple[list[int], np.ndarray]:
        """At rest, next, and between, for the step with the braking joints on their stored plans: ticks, (P, J)."""
        plan, moves = ways[0, 1:], moved[0, 1:].T
        if holding:
            plan = np.where(braking, ways[1, 1:], plan)
            moves = moved[[int(side in holding) for side in SIDES], 1:, self._sides]
        each: list[float] = np.maximum.reduce(moves, axis=0).tolist()  # m, from tick to tick
        far = list(accumulate(each))
        rows, most, strides = [len(far)], far[-1], 0
        if most > 0.0:
            rows.append(0)
            stride = max(_STRIDE, most / (_MOST + 1))
            for tick, way in enumerate(far, start=1):
                before, strides = strides, math.floor(way / stride)
                if strides > before and way < most:
                    rows.append(tick)
        if seen:
            rows.sort(key=lambda row: row not in seen)
        found = np.repeat(posture[None], len(rows), axis=0)
        found[:, self._index] = plan[rows]
        return rows, found
