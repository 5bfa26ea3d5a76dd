"""A head a robot's action space, with as many actions as it has: one trunk learns from several robots.

    Context + "unitree_g1/ee" --the head of that name--> (B, K, 17)

A batch is of one robot. A robot added later leaves the weights of the others, and what they do, as they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from volition.errors import ContractError
from volition.model.heads.named import add, named
from volition.model.inputs import Context, Targets
from volition.types import ActionSpec, RobotSpec


@dataclass(frozen=True, kw_only=True)
class Space:
    """How large an action space is. `classes`: it is one discrete dimension of so many ids, for `classes.py`."""

    actions: int
    classes: int | None = None


HUMANOIDS: dict[str, Space] = {
    "bimanual_manipulation": Space(actions=20),
    "locomotion": Space(actions=12),
    "whole_body": Space(actions=32),
}


def spaces(*robots: RobotSpec) -> dict[str, Space]:
    """The humanoids' three spaces, and each action space of each robot as "robot/action"."""
    return HUMANOIDS | {f"{robot.name}/{action.name}": _space(action) for robot in robots for action in robot.actions}


def _space(action: ActionSpec) -> Space:
    if len(action.dimensions) == 1 and action.discrete[0]:
        return Space(actions=1, classes=int(action.high[0]) + 1)
    return Space(actions=len(action.dimensions))


class PerRobot(nn.Module):
    """What a head takes besides (task) is passed on to it."""

    def __init__(self, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.heads = named("PerRobot", heads)

    def add(self, robot: str, head: nn.Module) -> None:
        """One more robot. The optimiser must be told of the head's parameters."""
        add("PerRobot", self.heads, robot, head)

    def head(self, robot: str | None) -> Any:
        """The head of a robot; None will do while there is one only."""
        if robot is None and len(self.heads) == 1:
            return next(iter(self.heads.values()))
        if robot is None or robot not in self.heads:
            raise ContractError(f"PerRobot has no head for robot {robot!r}; it has {', '.join(self.heads)}.")
        return self.heads[robot]

    def loss(
        self,
        context: Context,
        targets: Targets,
        *,
        rng: torch.Generator | None = None,
        robot: str | None = None,
        **choice: Any,
    ) -> dict[str, Tensor]:
        return self.head(robot).loss(context, targets, rng=rng, **choice)

    def act(
        self, context: Context, *, rng: torch.Generator | None = None, robot: str | None = None, **choice: Any
    ) -> Tensor:
        return self.head(robot).act(context, rng=rng, **choice)
