"""A robot behind topics as a Robot: what it measures is what arrived last, and commands are handed to a function that sends.

topics -> Aligner -> TopicRobot.read -> Loop -> Command -> send -> topics
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from volition.ros.align import Aligner
from volition.ros.errors import RosError
from volition.types import Command, RobotSpec, RobotState


class TopicRobot:
    """When nothing more arrives, `read` goes on giving the last state with its old stamp: the shield sees its age."""

    def __init__(self, spec: RobotSpec, aligner: Aligner, send: Callable[[Command], None]) -> None:
        self._spec, self._aligner, self._send = spec, aligner, send

    @property
    def spec(self) -> RobotSpec:
        return self._spec

    def read(self) -> RobotState:
        state = self._aligner.state
        if state is None:
            raise RosError("The robot's state is not known yet; joint states and odometry must come first.")
        return state

    def look(self) -> dict[str, np.ndarray]:
        """Nothing: pictures go to the policy as they arrive (`arrivals.py`)."""
        return {}

    def command(self, command: Command) -> None:
        self._send(command)
