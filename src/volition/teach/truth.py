"""What the simulator knows beside every frame, for auxiliary losses: which step, where the thing and the place are.

    Stage, Errand --TruthLabels.label--> {truth: (N,), truth.cells: (M,)}

No policy may be given any of it: a loader reads it only when it is asked for by name, as a target.
"""

from __future__ import annotations

import numpy as np

from volition.data.feature import TRUTH, TRUTH_CELLS, Feature, vector_feature
from volition.sim.errand import Errand
from volition.sim.sight import CELLS, ROLES, Seen, Sight, pack
from volition.types import RobotSpec


class TruthLabels:
    """`truth`: the step under way and whether all is done; of thing and place whether there is one, where it is in the
    pelvis frame (m), and in each picture its point and whether that is inside. `truth.cells`: the cells it covers in
    each picture, a row of the picture a number, whose lowest bit is the leftmost cell (`sight.unpack`)."""

    def __init__(self, robot: RobotSpec) -> None:
        self._cameras = [camera.name for camera in robot.cameras]
        where = [f"{role}.{part}" for role in ROLES for part in ("present", "x", "y", "z")]
        points = [f"{c}.{role}.{part}" for role in ROLES for c in self._cameras for part in ("u", "v", "inside")]
        rows = [f"{c}.{role}.{row}" for role in ROLES for c in self._cameras for row in range(CELLS)]
        self.features: tuple[Feature, ...] = (
            vector_feature(TRUTH, ["step", "finished", *where, *points]),
            vector_feature(TRUTH_CELLS, rows, dtype="int32"),
        )

    def label(self, errand: Errand, sight: Sight) -> dict[str, np.ndarray]:
        goal = errand.current or errand.goals[-1 if errand.succeeded else errand.done]
        where: list[float] = []
        points: list[float] = []
        rows: list[np.ndarray] = []
        for name in (goal.thing, goal.place):
            middle, seen = sight.look(name, self._cameras) if name else (np.zeros(3), [_NOTHING] * len(self._cameras))
            where += [float(bool(name)), *(errand.stage.in_pelvis(middle) if name else middle)]
            points += [value for one in seen for value in (*one.point, float(one.inside))]
            rows += [pack(one.cells) for one in seen]
        values = [min(errand.done, len(errand.goals) - 1), float(errand.over), *where, *points]
        return {TRUTH: np.array(values), TRUTH_CELLS: np.concatenate(rows)}


_NOTHING = Seen(np.full(2, 0.5), False, np.zeros((CELLS, CELLS), dtype=bool))
