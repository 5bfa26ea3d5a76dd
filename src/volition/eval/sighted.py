"""Whose fault is a failure, the eyes' or the hands'? A policy whose hands go by places is told the true ones.

    the trial's Stage --where the thing and the place are, once its first camera has had them in its picture--> SpotsFusion.feel
        --> the policy's own head --> ActionChunk

What it then still fails at, its hands cannot do; the rest its eyes do not find. For models with `fusion.hands`; never a score.
"""

from __future__ import annotations

import numpy as np
import torch

from volition.errors import ContractError
from volition.model.checkpoint import Checkpoint
from volition.model.fusion.spots import SpotsFusion
from volition.model.inputs import Context, Inputs
from volition.model.policy import LearnedPolicy
from volition.sim.roles import roles_of
from volition.sim.scene import Goal
from volition.sim.sight import Sight
from volition.sim.stage import Stage
from volition.types import RobotSpec


class Sighted(LearnedPolicy):
    """Call `look` before each trial."""

    def __init__(self, checkpoint: Checkpoint, robot: RobotSpec) -> None:
        if not checkpoint.model.feels or not isinstance(checkpoint.model.fusion, SpotsFusion):
            raise ContractError(
                "The hands of this policy do not go by places, so nobody can tell them the true ones; train with --set "
                "fusion.places=true fusion.hands=true."
            )
        super().__init__(checkpoint, robot)
        self._fusion = checkpoint.model.fusion
        self._stage: Stage | None = None

    def look(self, stage: Stage, goal: Goal) -> None:
        """The trial that is tried next, and the one goal that is asked for."""
        self._stage, self._sight = stage, Sight(stage)
        self._names = roles_of(stage.scene, goal)
        self._seen = np.zeros(len(self._names), dtype=bool)

    def _context(self, inputs: Inputs) -> Context:
        if self._stage is None:
            raise ContractError("Nobody has shown this policy a trial; call look(stage, goal) first.")
        thought = self._model.think(inputs)
        points = np.array([self._sight.place(name) if name else np.zeros(3) for name in self._names])
        _, inside = self._sight.spots(points, self._stage.spec.cameras[0].name)
        self._seen |= inside & np.array([bool(name) for name in self._names])
        places = torch.tensor(self._stage.in_pelvis(points), dtype=torch.float32, device=inputs.state.device)
        present = torch.tensor(self._seen[None], dtype=torch.float32, device=inputs.state.device)
        return self._fusion.feel(
            places[None], present, self._fusion.told(thought.words), thought.state, inputs.state[:, -1], inputs.course
        )
