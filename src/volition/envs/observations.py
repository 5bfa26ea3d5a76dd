"""What a policy sees, as Gymnasium has it: pictures, the robot's own numbers and the instruction. From Observation."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict

from volition.body.proprioception import Proprioception
from volition.envs.instruction import Instruction
from volition.types import Observation, RobotSpec

MOST = 1000.0  # no number of a state is larger: rad, m, m/s, rad/s


class Eyes:
    """Turns an observation as the robot measures it into an element of `space`. The state is the `observation.state`
    of recorded episodes, its numbers named by `names`."""

    def __init__(self, robot: RobotSpec, *, cameras: bool) -> None:
        self._proprioception = Proprioception(robot)
        self._cameras = robot.cameras if cameras else ()
        self.names = self._proprioception.names
        spaces: dict[str, Any] = {
            "state": Box(-MOST, MOST, (len(self.names),), dtype=np.float32),
            "instruction": Instruction(),
        }
        if cameras:
            pictures: dict[str, Any] = {c.name: Box(0, 255, (c.height, c.width, 3), np.uint8) for c in self._cameras}
            spaces["images"] = Dict(pictures)
        self.space = Dict(spaces)

    def see(self, observation: Observation) -> dict[str, Any]:
        state = self._proprioception.vector(observation.state).astype(np.float32)
        seen: dict[str, Any] = {"state": np.clip(state, -MOST, MOST), "instruction": observation.instruction}
        if self._cameras:
            seen["images"] = {camera.name: observation.images[camera.name].copy() for camera in self._cameras}
        return seen
