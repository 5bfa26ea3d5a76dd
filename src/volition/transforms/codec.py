"""What stands between a robot's numbers and a model's: one object for training, evaluation and serving.

    observation.state --Codec.state--> model;  action chunk --Codec.encode--> model --Codec.decode--> action chunk

Two ways to say where a hand is to go. `absolute`: in the pelvis frame, as the ActionSpec has it. `relative`: how far
from where the hand was measured when the picture was taken (position in the pelvis frame, rotation in the hand's own);
what a camera at the wrist sees then asks for the same numbers wherever the hand is. The rest is absolute in both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

from volition.errors import ContractError
from volition.transforms.rotation import conjugate, from_rotvec, multiply, to_rotvec
from volition.transforms.scale import Scale, scale_from_json
from volition.types import ActionSpec

Frame = Literal["absolute", "relative"]


@dataclass(frozen=True, kw_only=True)
class Hands:
    """Makes hand poses relative to the measured ones, and back. Indices into actions (A) and states (S)."""

    positions: tuple[tuple[int, int], ...]  # first of three in the action, first of three in the state
    rotations: tuple[tuple[int, int], ...]

    def relative(self, actions: np.ndarray, state: np.ndarray) -> np.ndarray:
        """(..., K, A), (..., S) -> (..., K, A)"""
        actions = np.array(actions, dtype=np.float64)
        for act, felt in self.positions:
            actions[..., act : act + 3] -= state[..., None, felt : felt + 3]
        for act, felt in self.rotations:
            here = conjugate(from_rotvec(state[..., None, felt : felt + 3]))
            actions[..., act : act + 3] = to_rotvec(multiply(here, from_rotvec(actions[..., act : act + 3])))
        return actions

    def absolute(self, actions: np.ndarray, state: np.ndarray) -> np.ndarray:
        """The inverse of `relative`."""
        actions = np.array(actions, dtype=np.float64)
        for act, felt in self.positions:
            actions[..., act : act + 3] += state[..., None, felt : felt + 3]
        for act, felt in self.rotations:
            here = from_rotvec(state[..., None, felt : felt + 3])
            actions[..., act : act + 3] = to_rotvec(multiply(here, from_rotvec(actions[..., act : act + 3])))
        return actions


def hands_of(spec: ActionSpec, states: Sequence[str], frame: Frame) -> Hands:
    """The hand poses of the action, found in the state by name; none if the frame is absolute."""
    if frame not in get_args(Frame):
        raise ContractError(f"The frame of actions is {frame!r}; it is {' or '.join(get_args(Frame))}.")
    known = list(states)
    positions, rotations = [], []
    for name in spec.names if frame == "relative" else ():
        side, _, part = name.rpartition(".")
        if side and part in ("x", "rx"):
            first, three = spec.index(name), tuple(f"{side}.{part[:-1]}{axis}" for axis in "xyz")
            felt = known.index(name) if name in known else len(known)
            if spec.names[first : first + 3] != three or tuple(known[felt : felt + 3]) != three:
                raise ContractError(
                    f"Actions relative to the hand need {', '.join(three)} one after the other in the action and in the "
                    f"state, which has {', '.join(known)}; use the absolute frame."
                )
            (positions if part == "x" else rotations).append((first, felt))
    return Hands(positions=tuple(positions), rotations=tuple(rotations))


@dataclass(frozen=True, kw_only=True)
class Codec:
    spec: ActionSpec
    frame: Frame
    states: Scale
    actions: Scale

    def __post_init__(self) -> None:
        if self.actions.names != self.spec.names:
            raise ContractError(
                f"The statistics of actions are of {', '.join(self.actions.names)}; "
                f"{self.spec.name} has {', '.join(self.spec.names)}."
            )
        hands_of(self.spec, self.states.names, self.frame)  # refuses a wrong frame, or one this state does not allow

    @cached_property
    def hands(self) -> Hands:
        return hands_of(self.spec, self.states.names, self.frame)

    def state(self, values: np.ndarray) -> np.ndarray:
        """(..., S) in units -> (..., S) in the model's scale."""
        return self.states.forward(values)

    def encode(self, actions: np.ndarray, state: np.ndarray) -> np.ndarray:
        """A chunk (..., K, A) in units, and the state (..., S) it starts from -> the model's scale."""
        return self.actions.forward(self.hands.relative(actions, state))

    def decode(self, values: np.ndarray, state: np.ndarray) -> np.ndarray:
        """The model's chunk in units, within the spec's bounds; discrete numbers are whole."""
        actions = self.hands.absolute(self.actions.inverse(values), state)
        actions = np.clip(actions, self.spec.low, self.spec.high)
        return np.where(self.spec.discrete, np.round(actions), actions)

    def to_json(self) -> dict[str, Any]:
        return {
            "action": self.spec.name,
            "frame": self.frame,
            "states": self.states.to_json(),
            "actions": self.actions.to_json(),
        }


def codec_from_json(values: Mapping[str, Any], spec: ActionSpec) -> Codec:
    try:
        if values["action"] != spec.name:
            raise ContractError(f"The statistics are of the action space {values['action']!r}, not {spec.name!r}.")
        return Codec(
            spec=spec,
            frame=values["frame"],
            states=scale_from_json(values["states"]),
            actions=scale_from_json(values["actions"]),
        )
    except (KeyError, TypeError) as error:
        raise ContractError(f"These are not a codec's values: {type(error).__name__}: {error}.") from error
