"""What the shield does not learn from the robot's spec: ages, distances, shares; checked when it is built."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from volition.errors import ContractError
from volition.safety.collision import REACH, SIDES
from volition.types import RobotSpec

Corner = tuple[float, float, float]
_POSITIVE = ("ramp_s", "hand_force", "effort_share", "balance_margin", "thing_slow", "person_slow", "person_slow_base")


@dataclass(frozen=True, kw_only=True)
class ShieldConfig:
    """Seconds, metres, newtons. A limit that is None is off; obstacles count whenever somebody tells of them."""

    stale_after: float = 0.5  # s: age of the observation behind a command or a chunk; of the command itself
    state_stale_after: float = 0.25  # s: age of the measured state
    future: float = 0.05  # s: how far ahead of the clock a stamp may be
    collision_margin: float = 0.01  # m: nearer than this an arm may only move away
    collision_release: float = 0.005  # m beyond the margin, before an arm that was held may come nearer again
    thing_margin: float = 0.02  # m: nearer than this to an obstacle an arm may only move away
    thing_slow: float = 0.12  # m: from here on an arm is the slower the nearer it is
    person_margin: float = 0.10  # m
    person_slow: float = 0.60  # m
    base_margin: float = 0.05  # m: where the walking robot stops before a thing
    person_margin_base: float = 0.50  # m: ... before a person
    person_slow_base: float = 2.0  # m: from here on it walks the slower the nearer a person is
    surroundings_stale_after: float = 0.5  # s: age of what is known of the obstacles
    ramp_s: float | None = None  # s: how long the start, and the start after an emergency stop, is slowed
    workspace: Mapping[str, tuple[Corner, Corner]] | None = None  # side -> low and high corner, m, pelvis frame
    effort_share: float | None = None  # of each joint's effort limit
    hand_force: float | None = None  # N on a hand
    balance_margin: float | None = None  # m: how far inside the feet the centre of mass has to stay

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if name == "workspace" or value is None:
                continue
            if not math.isfinite(value) or value < 0 or (value == 0 and name in _POSITIVE):
                raise ContractError(f"ShieldConfig.{name} is {value}; it must be a finite number, at least 0.")
        if self.collision_margin + self.collision_release > REACH:
            raise ContractError(
                f"ShieldConfig.collision_margin + collision_release is "
                f"{self.collision_margin + self.collision_release} m; the collision model sees {REACH} m."
            )
        for near, far in (
            ("thing_margin", "thing_slow"),
            ("person_margin", "person_slow"),
            ("person_margin_base", "person_slow_base"),
        ):
            if getattr(self, near) >= getattr(self, far):
                raise ContractError(f"ShieldConfig.{near} must be below {far}, where slowing begins.")
        for side, (low, high) in (self.workspace or {}).items():
            if side not in SIDES or not all(one < other for one, other in zip(low, high, strict=True)):
                raise ContractError(
                    f"ShieldConfig.workspace[{side!r}] is {low} to {high}; sides are left and right, low below high."
                )


def workspace_of(robot: RobotSpec) -> dict[str, tuple[Corner, Corner]]:
    """The boxes that the robot's own `ee` action space declares for its hands."""
    spec = robot.action("ee")
    found: dict[str, tuple[Corner, Corner]] = {}
    for side in SIDES:
        first = spec.index(f"{side}.x")
        low, high = spec.low[first : first + 3].tolist(), spec.high[first : first + 3].tolist()
        found[side] = (low[0], low[1], low[2]), (high[0], high[1], high[2])
    return found


def careful(robot: RobotSpec) -> ShieldConfig:
    """Every limit on: where a robot meets a policy, or people, for the first time."""
    return ShieldConfig(
        ramp_s=2.0, workspace=workspace_of(robot), effort_share=0.98, hand_force=80.0, balance_margin=0.015
    )
