"""What the loop knows of the body: it turns actions of one action space into commands."""

from __future__ import annotations

from typing import Protocol

from volition.types import ActionPoint, Command, RobotState


class Body(Protocol):
    """The whole-body controller, or a test's few lines."""

    def reset(self, state: RobotState) -> None: ...

    def resolve(self, point: ActionPoint, state: RobotState) -> Command: ...
