"""A frame is written down: what a policy would have seen, what the expert says to it, and what is true.

Observation (true), the expert's action -> Notes.write -> EpisodeStage
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from volition.data.feature import ACTION, IMAGES, STATE
from volition.data.stage import EpisodeStage
from volition.runtime.report import Tick
from volition.sim.errand import Errand
from volition.sim.senses import Senses
from volition.sim.sight import Sight
from volition.teach.errors import TeachError
from volition.types import Observation

if TYPE_CHECKING:
    from volition.teach.demonstrate import Teacher

JOINT = f"{ACTION}.joint"


class Notes:
    """Of one episode. `guard` wraps a policy's `infer`: the loop takes an exception for the policy's failure and goes on."""

    def __init__(self, errand: Errand, teacher: Teacher, stage: EpisodeStage) -> None:
        self.senses = Senses(errand.stage.scene)
        self._errand, self._teacher, self._stage = errand, teacher, stage
        self._sight = Sight(errand.stage)
        self._last: float | None = None
        self.fault: Exception | None = None

    def confess(self, tick: Tick) -> None:
        """Raise what went wrong while writing."""
        if self.fault is not None:
            raise self.fault

    def write(self, true: Observation, seen: Observation, action: np.ndarray) -> None:
        teacher, period = self._teacher, 1.0 / self._teacher.robot.policy_rate_hz
        if self._last is not None and abs(true.stamp - self._last - period) > 1e-6:
            raise TeachError(f"A frame came {true.stamp - self._last:.3f} s after the one before, not {period:g} s.")
        self._last = true.stamp
        values: dict[str, Any] = {IMAGES + name: image for name, image in seen.images.items()}
        values[STATE] = teacher.proprioception.vector(seen.state)
        values[ACTION] = action
        values[JOINT] = teacher.labels.label(true.state, action)  # the label is the expert's, who knows the truth
        values |= teacher.truth.of_errand(self._errand, self._sight)
        self._stage.add_frame(values, true.instruction)
