"""What only the simulator knows of a frame, for auxiliary losses: where the thing and its goal are, and whether it is done.

World -> truth_of -> column `truth`; a loader reads it when it is asked for by name, as a target, never as an input
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from volition.benchmarks.metaworld.world import World
from volition.data.feature import TRUTH, Feature, vector_feature
from volition.sim.sight import ROLES


def truth_feature(cameras: Sequence[str]) -> Feature:
    """As of our own scenes, with positions in the suite's world (m), and without the cells that a thing covers."""
    where = [f"{role}.{part}" for role in ROLES for part in ("present", "x", "y", "z")]
    points = [f"{camera}.{role}.{part}" for role in ROLES for camera in cameras for part in ("u", "v", "inside")]
    return vector_feature(TRUTH, ["step", "finished", *where, *points])


def truth_of(world: World, cameras: Sequence[str], *, finished: bool) -> np.ndarray:
    placed = world.truth
    values = [0.0, float(finished)]
    for point in (placed.thing, placed.place):
        values += [1.0, *point]
    for point in (placed.thing, placed.place):
        for camera in cameras:
            place, inside = world.project(camera, point)
            values += [*(place if inside else (0.5, 0.5)), float(inside)]
    return np.array(values)
