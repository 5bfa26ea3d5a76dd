"""What the simulator knows beside every frame, for auxiliary losses: which step, where the thing and the place are.

    Stage, thing, place --TruthLabels.label--> {truth: (N,), truth.cells: (M,), truth.things: (K,)}

No policy may be given any of it: a loader reads it only when it is asked for by name, as a target.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from volition.data.feature import TRUTH, TRUTH_CELLS, TRUTH_THINGS, Feature, vector_feature
from volition.sim.errand import Errand
from volition.sim.roles import roles_of
from volition.sim.sight import CELLS, MANY, ROLES, Sight, pack
from volition.sim.stage import Stage
from volition.types import RobotSpec


class TruthLabels:
    """`truth`: the step under way and whether all is done; of thing and place whether there is one, where it is in the
    pelvis frame (m; `Sight.place`), and in each picture its point and whether that is inside. `truth.cells`: the cells it covers in
    each picture, a row of the picture a number, whose lowest bit is the leftmost cell (`sight.unpack`). `truth.things`: of every thing
    of the scene, in its order, what `truth` has of the one that is meant, so that other words can be learned from it too."""

    def __init__(self, robot: RobotSpec) -> None:
        self._cameras = [camera.name for camera in robot.cameras]
        where = [f"{role}.{part}" for role in ROLES for part in ("present", "x", "y", "z")]
        points = [f"{c}.{role}.{part}" for role in ROLES for c in self._cameras for part in ("u", "v", "inside")]
        self._nothing = np.array([0.0, 0.0, 0.0, *(0.5, 0.5, 0.0) * len(self._cameras)])
        rows = [f"{c}.{role}.{row}" for role in ROLES for c in self._cameras for row in range(CELLS)]
        self.features: tuple[Feature, ...] = (
            vector_feature(TRUTH, ["step", "finished", *where, *points]),
            vector_feature(TRUTH_CELLS, rows, dtype="int32"),
            vector_feature(TRUTH_THINGS, thing_names(self._cameras)),
        )

    def of_errand(self, errand: Errand, sight: Sight) -> dict[str, np.ndarray]:
        """What the words mean that are under way."""
        goal = errand.current or errand.goals[-1 if errand.succeeded else errand.done]
        step = min(errand.done, len(errand.goals) - 1)
        thing, place = roles_of(errand.stage.scene, goal)
        return self.label(errand.stage, sight, thing, place, step=step, finished=errand.over)

    def label(
        self, stage: Stage, sight: Sight, thing: str, place: str = "", *, step: int = 0, finished: bool = False
    ) -> dict[str, np.ndarray]:
        """`thing` and `place` by name; empty: none is meant."""
        names = [one.name for one in stage.scene.things]
        places = np.array([sight.place(name) for name in names]).reshape(-1, 3)
        known = np.hstack([stage.in_pelvis(places), *(_seen(sight, places, camera) for camera in self._cameras)])
        where: list[float] = []
        spots: list[float] = []
        cells = np.zeros((len(ROLES), len(self._cameras), CELLS, CELLS), dtype=bool)
        for role, name in enumerate((thing, place)):
            row = known[names.index(name)] if name else self._nothing
            where += [float(bool(name)), *row[:3]]
            spots += [*row[3:]]
            if name:
                points = sight.points(name)
                cells[role] = [sight.cells(points, camera) for camera in self._cameras]
        things = np.zeros((MANY, known.shape[1]))
        things[: len(known)] = known[:MANY]
        values = [step, float(finished), *where, *spots]
        return {TRUTH: np.array(values), TRUTH_CELLS: pack(cells).ravel(), TRUTH_THINGS: things.ravel()}


def thing_names(cameras: Sequence[str]) -> list[str]:
    """Of the numbers of `truth.things`."""
    points = [f"{camera}.{part}" for camera in cameras for part in ("u", "v", "inside")]
    return [f"{number}.{name}" for number in range(MANY) for name in ("x", "y", "z", *points)]


def _seen(sight: Sight, points: np.ndarray, camera: str) -> np.ndarray:
    """u, v and inside of points in a picture, (N, 3)"""
    return np.column_stack(sight.spots(points, camera))
