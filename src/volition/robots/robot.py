"""What every robot is, simulated, fake or real: it is read and looked through, and it takes Commands."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from volition.types import Command, RobotSpec, RobotState


class Robot(Protocol):
    """`command` returns at once and returns nothing: the world answers through the next `read` and `look`."""

    @property
    def spec(self) -> RobotSpec: ...

    def read(self) -> RobotState: ...

    def look(self) -> dict[str, np.ndarray]: ...

    def command(self, command: Command) -> None: ...
