"""To go to what is told: turn until it is seen, all the way round if words of place need it; then walk there.

FloorMap, Told --Search.decide--> Intent: turning, then the script of `go_to` on what is believed
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import numpy as np

from volition.rival.belief import Belief
from volition.rival.floor import FloorMap
from volition.rival.kinematics import Kinematics
from volition.rival.parse import Told, pick
from volition.sim.expert import Intent
from volition.sim.language.reference import Reference, resolve
from volition.sim.language.words import ONE
from volition.sim.scene import Goal
from volition.sim.tasks.go_to import GAP, GoToPlan, gap
from volition.transforms.rotation import yaw
from volition.types import RobotSpec, RobotState

if TYPE_CHECKING:
    from volition.sim.stage import Stage

TURN = 0.8  # rad/s, while it looks around
ROUND = 2 * math.pi - math.radians(55)  # the first picture shows the rest
SETTLED = 0.35  # m from where it stops: it goes there without thinking again


class Search:
    """A plan. `map` grows while it goes on."""

    def __init__(self, robot: RobotSpec, kinematics: Kinematics, step: Told) -> None:
        self._robot, self._kinematics, self._step = robot, kinematics, step
        self.map = FloorMap()
        self._way = -1.0 if "right" in self._reference.place else 1.0
        self._turned, self._heading = 0.0, 0.0
        self._goal: GoToPlan | None = None
        self._near = False

    @property
    def _reference(self) -> Reference:
        return self._step.slots["thing"]

    def decide(self, state: RobotState) -> Intent:
        heading = float(yaw(state.base_quaternion))
        self._turned += self._way * math.remainder(heading - self._heading, 2 * math.pi)
        self._heading = heading
        if not self._near:
            self._think(state)
        if self._goal is not None:
            return self._goal.decide(state)
        return Intent(base=np.array([0.0, 0.0, self._way * TURN]), note="looking around")

    def _think(self, state: RobotState) -> None:
        belief = Belief(self._robot, self._kinematics, self.map.things(), table=None)
        goal = self._meant(belief)
        if goal is not None:
            self._goal = GoToPlan(cast("Stage", belief), goal)
            ahead = gap(belief.scene.thing(goal.thing), state.base_position) - GAP
            self._near = ahead < SETTLED

    def _meant(self, belief: Belief) -> Goal | None:
        """Plain words name it as soon as it is seen; with others it must have looked all around."""
        reference = self._reference
        placed = reference.place or reference.relation or reference.size
        if not placed and (reference.colour or reference.noun != ONE):
            found = resolve(belief.scene, reference)
            if found:
                return Goal(skill="go_to", thing=found[0].name)
        return pick(belief.scene, self._step) if self._turned > ROUND or self._goal is not None else None
