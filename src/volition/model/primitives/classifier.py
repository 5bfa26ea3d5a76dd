"""One step of an instruction to one of the ten primitives, or a refusal that says why.

Two kinds of evidence, because each fails alone. The sentence encoder generalises over wording but blurs opposites:
MiniLM puts "turn left" and "turn right" at a cosine above 0.9. Words are exact but never complete. So words decide
what must be exact (side, forward or back, up or down, negation, objects), which leaves the kinds of action that
are possible, and the encoder picks among those by the nearest phrase of the bank, or none of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from volition.errors import InstructionError
from volition.model.primitives.instructions import Step
from volition.model.primitives.phrases import NONE_OF_THESE, PHRASES
from volition.model.primitives.vocabulary import (
    ARMS,
    BACKWARD,
    DETERMINERS,
    DOWN,
    FILLERS,
    FORWARD,
    LEFT,
    MODIFIERS,
    NEGATIONS,
    NOUNS,
    OTHER_MOTIONS,
    QUESTIONS,
    RIGHT,
    SIDEWAYS,
    STOPS,
    TURNS,
    UP,
    VERBS,
    WAVES,
)
from volition.robots.primitives import NAMES

KINDS = tuple(PHRASES)
_KNOWN = VERBS | WAVES | TURNS | ARMS | STOPS | SIDEWAYS
_OPENERS = _KNOWN | FILLERS | LEFT | RIGHT | FORWARD | BACKWARD | UP | DOWN | {"slowly", "quickly", "both"}
_VAGUE = frozenset({"move", "steps", "shift", "scoot", "slide", "yourself"})  # alone these give no direction
_PRIMITIVE = {"stop": "stop", "forward": "move_forward", "backward": "move_backward", "wave": "wave"}
_SIDED = {"turn": "turn_{}", "raise": "raise_{}_arm", "side": "step_{}"}
_CAN = f"This policy can do: {', '.join(NAMES)}."

# Chosen on the `dev` third of the held-out set; see docs/language.md.
NEAR_ENOUGH = 0.45  # cosine to the nearest phrase when the step begins with a word that is known
NEAR_UNKNOWN = 0.62  # ... and when it begins with an unknown word, likely the verb, or has no known one at all
CLOSE_CALL = 0.02  # two kinds nearer to each other than this: ask


class Encoder(Protocol):
    """What encodes texts to unit vectors (N, D) and knows which words exist; `sentence.SentenceEncoder` does."""

    def encode(self, texts: Sequence[str]) -> np.ndarray: ...

    def is_word(self, word: str) -> bool: ...


class AmbiguousInstruction(InstructionError):
    """The instruction fits more than one thing to do; `choices` are the primitives to choose from."""

    def __init__(self, message: str, choices: tuple[str, ...]) -> None:
        super().__init__(message)
        self.choices = choices


@dataclass(frozen=True)
class Match:
    """The primitive a step was understood as and the cosine to the nearest phrase of its kind."""

    primitive: str
    confidence: float


def refuse(step: Step, why: str) -> InstructionError:
    return InstructionError(f"Not understood: {step.text!r} ({why}). {_CAN}")


class PrimitiveClassifier:
    """Nearest phrase by cosine within what the words allow."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._bank = {kind: encoder.encode(phrases) for kind, phrases in PHRASES.items()}
        self._none = encoder.encode(NONE_OF_THESE)

    def classify(self, step: Step) -> Match:
        """The primitive meant. Raises AmbiguousInstruction to ask, InstructionError to refuse."""
        action = re.sub(r"\bwithout\b.*", "", step.action).strip()
        words = re.findall(r"[a-z]+", action)
        present = set(words)
        if not present:
            raise refuse(step, "it names no action")
        if re.match(
            r"^(?:do not|never|no) (?:move|budge|stir|go|moving)\b(?! \w*(?:left|right|forward|back|arm|hand))", action
        ):
            action, words, present = "do not move", ["stop"], {"stop"}
        elif negation := next((word for word in words if word in NEGATIONS), None):
            raise refuse(step, f"{negation!r}: say what to do instead of what not to do")
        if (
            words[0] in STOPS
            and present <= (_OPENERS | {"motion", "movement", "all", "everything", "immediately", "what", "are"})
            and step.amount is None
        ):
            return Match("stop", 1.0)  # "stop", "stop moving your arms": to stop needs no second opinion
        if words[0] in QUESTIONS:
            raise refuse(step, "it is a question")
        if motions := [word for word in words if word in OTHER_MOTIONS]:
            raise refuse(step, f"{motions[0]!r} is a motion this policy does not have")
        side = self._side(step, present)
        if things := _objects(words):
            raise refuse(step, f"{things[0]!r} is a thing this policy can neither see nor handle")
        possible = _possible(step, words, present, side)
        if not possible:
            raise refuse(step, "its words contradict each other or its amount")
        if present <= _VAGUE:
            raise _ask(step, None, "forward", "backward", "side")
        if side and present <= (LEFT | RIGHT | {"to", "the", "your", "go", "a", "take"}) and len(possible) > 1:
            raise _ask(step, side, "turn", "side")
        kind, score = self._nearest(step, mirrored(action), side, present, possible)
        return Match(self._primitive(step, kind, side, present), score)

    def scores(self, action: str) -> dict[str, float]:
        """Cosine of a (mirrored) action to the nearest phrase of each kind and to the nearest of "none"."""
        vector = self._encoder.encode([action])[0]
        found = {kind: float((bank @ vector).max()) for kind, bank in self._bank.items()}
        return {**found, "none": float((self._none @ vector).max())}

    def _nearest(
        self, step: Step, action: str, side: str | None, present: set[str], possible: set[str]
    ) -> tuple[str, float]:
        scores = self.scores(action)
        ranked = sorted(possible, key=lambda kind: -scores[kind])
        best = ranked[0]
        known = action.split()[0] in _OPENERS and present & _KNOWN
        floor = NEAR_ENOUGH if known else NEAR_UNKNOWN
        if scores[best] < max(floor, scores["none"]):
            raise refuse(step, "it is not near any of the primitives")
        if len(ranked) > 1 and scores[best] - scores[ranked[1]] < CLOSE_CALL:
            raise _ask(step, side, *ranked[:2])
        return best, scores[best]

    @staticmethod
    def _side(step: Step, present: set[str]) -> str | None:
        left, right = bool(present & LEFT), bool(present & RIGHT)
        if left and right:
            raise AmbiguousInstruction(f"Unclear: {step.text!r} says both left and right. Which do you mean?", ())
        return "left" if left else "right" if right else None

    @staticmethod
    def _primitive(step: Step, kind: str, side: str | None, present: set[str]) -> str:
        if kind == "wave" and side == "left":
            raise refuse(step, "waving is done with the right hand only")
        if kind in ("forward", "backward") and side:
            raise _ask(step, side, kind, "side")
        if kind not in _SIDED:
            return _PRIMITIVE[kind]
        if (
            side is None
            and kind == "turn"
            and step.amount
            and step.amount.kind == "radians"
            and abs(math.remainder(step.amount.value, math.pi)) < 0.01
        ):
            side = "left"  # half and whole turns end alike either way
        if side is None or (kind == "raise" and "both" in present):
            raise _ask(step, None, kind)
        return _SIDED[kind].format(side)


def _ask(step: Step, side: str | None, *kinds: str) -> AmbiguousInstruction:
    """The question which primitive of these kinds (on this side, if it was said) is meant."""
    sides = (side,) if side else ("left", "right")
    choices = tuple(dict.fromkeys(_SIDED[k].format(s) if k in _SIDED else _PRIMITIVE[k] for k in kinds for s in sides))
    question = " or ".join(choice.replace("_", " ") for choice in choices)
    return AmbiguousInstruction(f"Unclear: {step.text!r}. Which do you mean: {question}?", choices)


def mirrored(action: str) -> str:
    """The action said for the left side, which is how the bank is written: both sides get the same vector."""
    text = re.sub(r"\b(?:counterclockwise|anticlockwise|clockwise)\b", "to the left", action)
    return re.sub(r"\bright(wards?)?\b|\bleft(wards?)\b", "left", text)


def _objects(words: list[str]) -> list[str]:
    """Nouns after "the", "a", "my" ... that are no part of the primitives' world: their request is about a thing."""
    found = []
    greeting = any(word in WAVES for word in words)  # one can greet anybody, seen or not
    for at, word in enumerate(words[:-1]):
        if word not in DETERMINERS:
            continue
        if greeting and not (at and words[at - 1] in ("wave", "raise", "lift")):
            continue
        rest = words[at + 1 :]
        while (
            len(rest) > 1
            and (rest[0] in MODIFIERS or rest[0] in LEFT | RIGHT)
            and rest[1] not in ("of", "to", "with", "on")
        ):
            rest = rest[1:]
        noun = rest[0]
        measure = at and words[at - 1] in (
            "above",
            "over",
            "behind",
            "beside",
            "below",
        )  # "above your head" is a height
        if (
            noun not in NOUNS
            and noun not in MODIFIERS
            and not measure
            and not (noun in VERBS and word in ("that", "this"))
        ):
            found.append(noun)
    return found


def _possible(step: Step, words: list[str], present: set[str], side: str | None) -> set[str]:
    """The kinds of action that a step's exact words and its amount leave possible."""
    possible = set(KINDS)
    arm = bool(present & ARMS)
    if words[0] in STOPS:
        return {"stop"} if step.amount is None or step.amount.kind == "seconds" else set()
    if arm:
        possible &= {"stop"} if present & DOWN and not present & UP else {"raise", "wave", "stop"}
        possible -= {"stop"} if present & UP else {"raise"}  # up has to be said, like back
    else:
        possible -= {"raise"}
    forward, backward = bool(present & FORWARD), bool(present & BACKWARD)
    if backward and not forward:
        possible -= {"forward"}
    if not backward:
        possible -= {"backward"}  # going back has to be said; the encoder alone would take "move up" for it
    if not side and not present & SIDEWAYS:
        possible -= {"side"}
    if not arm and side:
        possible -= {"stop"} | (set() if forward else {"forward"}) | (set() if backward else {"backward"})
        if words[0] in TURNS:
            possible -= {"side"}
        elif words[0] in ("step", "sidestep", "strafe", "shuffle", "slide", "shift", "scoot", "sidle"):
            possible -= {"turn"}
    if "circle" in present:
        possible &= {"turn"}
    if present & SIDEWAYS and not arm and "turn" not in present:
        possible -= {"forward", "backward"}
    allowed = {
        "metres": {"forward", "backward", "side"},
        "steps": {"forward", "backward", "side"},
        "radians": {"turn"},
        "number": {"turn"},
        "seconds": set(KINDS),
        "small": {"forward", "backward", "side", "turn"},
    }
    return possible & allowed[step.amount.kind] if step.amount else possible
