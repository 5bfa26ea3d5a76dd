"""What every policy is, local or remote, learned or scripted: Observation in, ActionChunk out. numpy only."""

from __future__ import annotations

from typing import Protocol

from volition.types import ActionChunk, ActionSpec, Observation


class Policy(Protocol):
    """A policy is told its task with `reset` and then asked with `infer` at the robot's policy rate."""

    @property
    def action_spec(self) -> ActionSpec: ...

    def reset(self, instruction: str) -> None: ...

    def infer(self, observation: Observation) -> ActionChunk: ...
