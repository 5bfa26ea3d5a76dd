"""The ten primitives: the discrete action space of the first slice, each with a defined meaning in metres and radians."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from volition.errors import ContractError
from volition.types import ActionDimension, ActionSpec

STEP_LENGTH = 0.25  # m: what "a step" means when somebody says "two steps forward"

Gesture = Literal["rest", "raise_left", "raise_right", "wave", "keep"]


@dataclass(frozen=True, kw_only=True)
class Primitive:
    """What one primitive does while it runs: a base velocity and what the arms do.

    `rest` lowers both arms, `keep` leaves a raised arm up and lowers a waving one, so that "raise your left
    arm, then take two steps back" walks with the arm up.
    """

    name: str
    meaning: str
    base_velocity: tuple[float, float, float]  # forward m/s, left m/s, turn rad/s
    gesture: Gesture
    default_duration: float  # s, when the instruction gives no amount

    @property
    def moves(self) -> bool:
        return any(self.base_velocity)


PRIMITIVES: tuple[Primitive, ...] = (
    Primitive(
        name="stop",
        meaning="stand still and let both arms down",
        base_velocity=(0, 0, 0),
        gesture="rest",
        default_duration=1.5,
    ),
    Primitive(
        name="move_forward",
        meaning="walk forward at 0.5 m/s",
        base_velocity=(0.5, 0, 0),
        gesture="keep",
        default_duration=2.0,
    ),
    Primitive(
        name="move_backward",
        meaning="walk backward at 0.5 m/s",
        base_velocity=(-0.5, 0, 0),
        gesture="keep",
        default_duration=2.0,
    ),
    Primitive(
        name="turn_left",
        meaning="turn left on the spot at 0.5 rad/s",
        base_velocity=(0, 0, 0.5),
        gesture="keep",
        default_duration=math.pi,
    ),
    Primitive(
        name="turn_right",
        meaning="turn right on the spot at 0.5 rad/s",
        base_velocity=(0, 0, -0.5),
        gesture="keep",
        default_duration=math.pi,
    ),
    Primitive(
        name="raise_left_arm",
        meaning="raise the left arm above the shoulder and keep it there",
        base_velocity=(0, 0, 0),
        gesture="raise_left",
        default_duration=2.0,
    ),
    Primitive(
        name="raise_right_arm",
        meaning="raise the right arm above the shoulder and keep it there",
        base_velocity=(0, 0, 0),
        gesture="raise_right",
        default_duration=2.0,
    ),
    Primitive(
        name="wave",
        meaning="raise the right hand and wave it, as a greeting",
        base_velocity=(0, 0, 0),
        gesture="wave",
        default_duration=4.0,
    ),
    Primitive(
        name="step_left",
        meaning="step sideways to the left at 0.3 m/s",
        base_velocity=(0, 0.3, 0),
        gesture="keep",
        default_duration=2.0,
    ),
    Primitive(
        name="step_right",
        meaning="step sideways to the right at 0.3 m/s",
        base_velocity=(0, -0.3, 0),
        gesture="keep",
        default_duration=2.0,
    ),
)

NAMES = tuple(primitive.name for primitive in PRIMITIVES)

PRIMITIVE_ACTION = ActionSpec(
    name="primitive",
    dimensions=(ActionDimension(name="primitive", unit="id", meaning="discrete", low=0, high=len(PRIMITIVES) - 1),),
)


def primitive(name: str) -> Primitive:
    if name not in NAMES:
        raise ContractError(f"There is no primitive {name!r}; the primitives are {', '.join(NAMES)}.")
    return PRIMITIVES[NAMES.index(name)]
