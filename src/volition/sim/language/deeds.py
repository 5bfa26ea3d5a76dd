"""The sentences of encounters, where the picture decides: "turn to {x}" is turn_left or turn_right. Add phrasings here.

A deed names for each zone the primitive that is right if its subject stands there. Held-out sentences are put together
otherwise than any sentence of training, of words that training knows: encoders that are trained here know no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from volition.sim.encounters import Zone
from volition.sim.language.movements import COMMANDS

Texts = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Deed:
    """`subject`: what is mentioned: anything, a person; or "somebody", who is not told apart and may be nobody.

    `placed`: words may say where the subject is, because the answer does not depend on it."""

    name: str
    answers: Mapping[Zone, str]
    train: Texts
    held: Texts
    subject: Literal["any", "person", "somebody"] = "any"
    placed: bool = False

    def texts(self, split: str) -> Texts:
        return self.train if split == "train" else self.held


def _all(primitive: str) -> Mapping[Zone, str]:
    return {"left": primitive, "ahead": primitive, "right": primitive}


DEEDS: tuple[Deed, ...] = (
    Deed(
        name="turn_to",
        answers={"left": "turn_left", "ahead": "stop", "right": "turn_right"},
        train=(
            "turn to {x}",
            "turn towards {x}",
            "turn until you face {x}",
            "turn your body to {x}",
            "face {x}",
            "look at {x}",
            "look towards {x}",
            "turn and look at {x}",
            "turn on the spot until you see {x} straight ahead",
            "turn so that {x} is in front of you",
        ),
        held=(
            "turn on the spot to face {x}",
            "turn to look at {x}",
            "turn until {x} is in front of you",
            "face towards {x}",
        ),
    ),
    Deed(
        name="turn_away",
        answers={"left": "turn_right", "right": "turn_left"},
        train=(
            "turn away from {x}",
            "look away from {x}",
            "turn your body away from {x}",
            "turn until you no longer see {x}",
            "turn so that you do not face {x} any more",
            "turn your back to {x}",
        ),
        held=("turn so that you look away from {x}", "face away from {x}", "turn on the spot away from {x}"),
    ),
    Deed(
        name="go_to",  # whoever walks somewhere turns there first
        answers={"left": "turn_left", "ahead": "move_forward", "right": "turn_right"},
        train=(
            "go to {x}",
            "walk to {x}",
            "walk over to {x}",
            "head for {x}",
            "make your way to {x}",
            "set off for {x}",
            "go and stand at {x}",
            "go and stand by {x}",
        ),
        held=("go over to {x}", "go and walk to {x}", "set off and go to {x}", "walk and stand at {x}"),
    ),
    Deed(
        name="approach",
        answers={"ahead": "move_forward"},
        placed=True,
        train=(
            "walk up to {x}",
            "walk straight up to {x}",
            "go forward to {x}",
            "walk ahead to {x}",
            "move forward to {x}",
            "come closer to {x}",
            "walk closer to {x}",
            "go straight ahead until you reach {x}",
        ),
        held=("move closer to {x}", "go straight up to {x}", "walk forward until you reach {x}"),
    ),
    Deed(
        name="step_away",
        answers={"left": "step_right", "right": "step_left"},
        train=(
            "step away from {x}",
            "step aside from {x}",
            "step aside for {x}",
            "make room for {x}",
            "make way for {x}",
            "take a step away from {x}",
            "move sideways away from {x}",
            "step out of the way of {x}",
            "keep clear of {x}",
            "stay clear of {x}",
        ),
        held=(
            "step aside and make room for {x}",
            "take a step sideways away from {x}",
            "move out of the way of {x}",
            "step aside and keep clear of {x}",
        ),
    ),
    Deed(
        name="step_to",
        answers={"left": "step_left", "right": "step_right"},
        train=(
            "step to the side of {x}",
            "step over to {x}",
            "step sideways to {x}",
            "step sideways towards {x}",
            "take a step sideways to {x}",
            "move sideways towards {x}",
            "walk sideways to {x}",
            "take a step to the side where {x} is",
        ),
        held=("step sideways over to {x}", "take a step sideways towards {x}", "move to the side where {x} is"),
    ),
    Deed(
        name="raise",
        answers={"left": "raise_left_arm", "right": "raise_right_arm"},
        train=(
            "raise the arm on the side of {x}",
            "lift the arm on the side of {x}",
            "raise the hand on the side of {x}",
            "raise the arm that is nearer to {x}",
            "lift the hand that is nearer to {x}",
            "put up the hand next to {x}",
            "put up the arm nearest to {x}",
            "raise your arm on the side where {x} is",
            "lift your hand on the side where {x} stands",
            "bring up the arm nearest to {x}",
        ),
        held=(
            "put up the arm on the side of {x}",
            "lift the arm nearest to {x}",
            "raise the hand on the side where {x} stands",
            "bring up the hand that is nearer to {x}",
        ),
    ),
    Deed(
        name="wave",
        answers=_all("wave"),
        subject="person",
        placed=True,
        train=(
            "wave to {x}",
            "wave at {x}",
            "wave hello to {x}",
            "say hello to {x}",
            "greet {x}",
            "give {x} a wave",
            "wave your hand at {x}",
            "say goodbye to {x} with your hand",
            "raise your hand and wave to {x}",
        ),
        held=("say hello to {x} with a wave", "greet {x} with your hand", "wave goodbye to {x}"),
    ),
    Deed(
        name="back_away",
        answers=_all("move_backward"),
        placed=True,
        train=(
            "back away from {x}",
            "step back from {x}",
            "move back from {x}",
            "walk backwards away from {x}",
            "take a few steps back from {x}",
            "back up, {x} is too close",
            "go back a little, {x} is too close",
            "you are too close to {x}, move backwards",
            "go backwards, away from {x}",
        ),
        held=("move backwards away from {x}", "walk back from {x}", "step back, you are too close to {x}"),
    ),
    Deed(
        name="stop_for",
        answers=_all("stop"),
        subject="person",
        placed=True,
        train=(
            "stop for {x}",
            "wait for {x}",
            "stand still for {x}",
            "stop, i am talking to {x}",
            "stay where you are, {x} is coming",
            "wait until {x} has gone",
            "do not move, i am talking to {x}",
            "stop and let {x} pass",
        ),
        held=("stand still until {x} has gone", "stay where you are for {x}", "stop, {x} is coming"),
    ),
    Deed(
        name="stop_before",
        answers=_all("stop"),
        placed=True,
        train=(
            "stop before you touch {x}",
            "stop and look at {x}",
            "stop, {x} is too close",
            "stand still, you are too close to {x}",
            "do not move, {x} is too close",
            "do not walk into {x}",
            "stay where you are and look at {x}",
            "wait, you are too close to {x}",
        ),
        held=("stand still before you touch {x}", "stop, you are too close to {x}", "wait, {x} is too close"),
    ),
    Deed(
        name="unless",
        answers={"left": "move_forward", "ahead": "stop", "right": "move_forward"},
        train=(
            "walk on unless {x} is in the way",
            "go forward unless {x} is in front of you",
            "walk forward if {x} is not in the way",
            "move forward if {x} is not in front of you",
            "stop if {x} is in the way, else walk on",
            "stand still if {x} is in front of you, otherwise go on",
            "if {x} is in front of you stop, if not walk forward",
            "do not walk on if {x} is in the way, otherwise do",
        ),
        held=(
            "go forward unless {x} is in the way",
            "stop if {x} is in front of you, otherwise walk on",
            "if {x} is in the way stop, if not go on",
        ),
    ),
    Deed(
        name="unless_somebody",
        answers={"ahead": "stop", "": "move_forward"},
        subject="somebody",
        train=(
            "walk on unless somebody is in the way",
            "go forward unless a person is in front of you",
            "walk forward if nobody is in the way",
            "move forward if nobody is in front of you",
            "stop if somebody is in the way, else walk on",
            "stand still if a person is in front of you, otherwise go on",
            "if someone is in front of you stop, if not walk forward",
            "do not walk on if someone is in the way, otherwise do",
        ),
        held=(
            "go forward unless somebody is in the way",
            "stop if someone is in front of you, otherwise walk on",
            "walk on if nobody is in front of you",
        ),
    ),
    Deed(
        name="stop_somebody",
        answers={"ahead": "stop"},
        subject="somebody",
        train=(
            "stop, somebody is in the way",
            "stop, there is somebody in front of you",
            "wait, someone is in the way",
            "stand still, a person is in front of you",
            "do not walk into the person in front of you",
            "watch out, somebody is in the way",
            "stay where you are, someone is in front of you",
            "do not move, there is a person in the way",
        ),
        held=("stand still, somebody is in the way", "wait, there is a person in front of you", "watch out and stop, there is someone in front of you"),
    ),
)  # fmt: skip

# Without a subject: training's sentences of the skill `move`, and these.
PLAIN_HELD: dict[str, Texts] = {
    "stop": ("stand where you are", "stop for a moment", "do not move, stay where you are"),
    "move_forward": ("walk a few steps ahead", "go one metre forward", "move a metre straight ahead"),
    "move_backward": ("walk a few steps back", "move a metre backwards", "go back one metre"),
    **{
        f"turn_{side}": (f"turn your body ninety degrees {side}", f"make a turn to your {side}", f"turn on the spot to your {side}")
        for side in ("left", "right")
    },
    **{
        f"raise_{side}_arm": (f"lift up your {side} hand", f"put your {side} arm in the air", f"bring up your {side} hand")
        for side in ("left", "right")
    },
    "wave": ("wave hello with your hand", "raise your arm and wave it", "wave your arm at me"),
    **{
        f"step_{side}": (f"take a step sideways to the {side}", f"step over to your {side}", f"go a bit to the {side}")
        for side in ("left", "right")
    },
}  # fmt: skip


def plain(primitive: str, split: str) -> Texts:
    return COMMANDS[primitive]["train"] if split == "train" else PLAIN_HELD[primitive]
