"""What every skill gives: scenes to practise in, goals, a referee that watches physics, and a plan that teaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from volition.sim.expert import Plan
from volition.sim.randomise import Draw
from volition.sim.scene import Goal, Scene
from volition.sim.stage import Stage


@dataclass(frozen=True)
class Verdict:
    """How a goal ended. `why` is one of a few words, so that failures can be counted: "wrong_thing", "dropped" ..."""

    success: bool
    why: str


class Referee(Protocol):
    """Watches one goal, from before it is begun; `watch` is called every control tick."""

    def watch(self) -> Verdict | None: ...


class Skill(Protocol):
    """One file in `tasks/` each."""

    @property
    def name(self) -> str: ...

    @property
    def limit_s(self) -> float:
        """How long one goal may take."""
        ...

    def layout(self, draw: Draw) -> Scene:
        """A scene to practise this skill in; its one goal is of this skill."""
        ...

    def goals(self, scene: Scene) -> tuple[Goal, ...]:
        """All that this skill could be told in a scene, whoever laid it out."""
        ...

    def referee(self, stage: Stage, goal: Goal) -> Referee: ...

    def plan(self, stage: Stage, goal: Goal) -> Plan: ...
