"""How a teacher looks for a thing that it has not seen since it was told: on the floor it turns, at a table it steps aside.

    Stage, Goal --Search.decide--> Intent, as long as the first camera has not had the thing in its picture; then None

Teachers know where everything is. A learner that is shown how they turn straight to what is behind it learns to turn either way, half
and half: to stand. Here nobody goes by what cannot be seen. All that this goes by a learner is told: whether it has seen the thing, and
how far it has gone and turned since the run began (`body/course.py`).
"""

from __future__ import annotations

import numpy as np

from volition.sim.expert import WALK, WALK_GAIN, Intent, base_error
from volition.sim.roles import roles_of
from volition.sim.scene import Goal
from volition.sim.sight import Sight
from volition.sim.stage import Stage
from volition.sim.tasks.go_to import KINDS, TURNING
from volition.types import RobotState

FARTHEST = 0.8  # m: so far to each side of where the run began it steps along a table; ...
RIGHT = 0.3  # ... who is farther than this to the left of it goes to the right first, others to the left
LOOKING = "looking for it"


class Search:
    """Of one goal, from when it is told."""

    def __init__(self, stage: Stage, goal: Goal, begun: tuple[float, float, float]) -> None:
        """`begun`: x, y and heading of the robot when the run began."""
        thing, _ = roles_of(stage.scene, goal)
        self._thing, self._sight, self._camera = thing, Sight(stage), stage.spec.cameras[0].name
        self._turns = bool(thing) and stage.scene.thing(thing).kind in KINDS
        self._begun, self._seen = begun, not thing
        self._left: bool | None = None

    def decide(self, state: RobotState) -> Intent | None:
        self._seen = self._seen or self._sees()
        if self._seen:
            return None
        if self._turns:
            return Intent(base=np.array([0.0, 0.0, TURNING]), note=LOOKING)
        forward, left, turn = base_error(state, *self._begun)
        if self._left is None:
            self._left = bool(-left < RIGHT)
        if abs(left) > FARTHEST:
            self._left = bool(left > 0)
        most = np.array(WALK)
        base = np.clip(WALK_GAIN * np.array([forward, 0.0, turn]), -most, most)
        base[1] = most[1] if self._left else -most[1]
        return Intent(base=base, note=LOOKING)

    def _sees(self) -> bool:
        _, inside = self._sight.spots(self._sight.place(self._thing)[None], self._camera)
        return bool(inside[0])
