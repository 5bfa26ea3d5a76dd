"""How far, how much, how long: numbers and units in an instruction, read into one Amount a step."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from volition.errors import InstructionError

Kind = Literal["metres", "steps", "radians", "seconds", "number", "small"]


@dataclass(frozen=True)
class Amount:
    """A quantity in SI units; `steps` counts steps, `number` had no unit, `small` is "a bit" (value unused)."""

    kind: Kind
    value: float

    def __str__(self) -> str:
        if self.kind == "radians":
            return f"{math.degrees(self.value):.4g} degrees"
        if self.kind == "small":
            return "a little"
        unit = {"metres": "m", "steps": "steps", "seconds": "s", "number": "(no unit)"}[self.kind]
        return f"{self.value:.4g} {unit}"


_SMALL_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_ROUND_NUMBERS = "twenty thirty forty fifty sixty seventy eighty ninety"
_ONES = {word: value for value, word in enumerate(_SMALL_NUMBERS.split())}
_TENS = {word: 10 * value for value, word in enumerate(_ROUND_NUMBERS.split(), 2)}
_NUMBER_WORD = "|".join([*_ONES, *_TENS, "hundred"])

_UNITS: tuple[tuple[str, Kind, float], ...] = (
    (r"m|meters?|metres?", "metres", 1.0),
    (r"cms?|centimet(?:er|re)s?", "metres", 0.01),
    (r"mm|millimet(?:er|re)s?", "metres", 0.001),
    (r"km|kilomet(?:er|re)s?", "metres", 1000.0),
    (r"ft|foot|feet", "metres", 0.3048),
    (r"inch|inches", "metres", 0.0254),
    (r"yards?", "metres", 0.9144),
    (r"steps?|paces?|strides?|sidesteps?", "steps", 1.0),
    (r"°|deg|degs|degrees?", "radians", math.pi / 180),
    (r"rad|rads|radians?", "radians", 1.0),
    (r"turns?|circles?|rotations?|revolutions?|spins?", "radians", 2 * math.pi),
    (r"s|secs?|seconds?", "seconds", 1.0),
    (r"mins?|minutes?", "seconds", 60.0),
)
_ANY_UNIT = "|".join(unit for unit, _, _ in _UNITS)
_SIZE = r"(?:(?:small|big|little|short|long|quick|slow|single|tiny|large|side|full|whole|complete|more|further|good) )*"
_KEPT = {
    "steps": "steps",
    "radians": "turn",
}  # what stays of "two steps back", "a half turn to the left": the action needs it

_REWRITES = (
    (r"\b(?:around|round) and (?:around|round)\b", "360 degrees"),
    (r"\b(?:turn )?(?:about (?:face|turn)|u turn)\b", "turn 180 degrees"),
    (rf"\bdo (?:a )?(90|180|270|360)\b(?! ?(?:{_ANY_UNIT})\b)", r"turn \1 degrees"),
    (r"\bright angles?\b", "90 degrees"),  # not the side "right"
    (r"\b(?:a|1) (" + _ANY_UNIT + r") and a half\b", r"1.5 \1"),
    (r"\b(\d+) and a half\b", lambda m: f"{m[1]}.5"),
    (r"\b(?:a )?half (?:of )?(?:a |an |1 )?(?=(?:" + _ANY_UNIT + r")\b)", "0.5 "),
    (r"\b(?:3|three) quarters? (?:of )?(?:a |an )?(?=(?:" + _ANY_UNIT + r")\b)", "0.75 "),
    (r"\b(?:a |1 )?quarter (?:of )?(?:a |an )?(?=(?:" + _ANY_UNIT + r")\b)", "0.25 "),
    (r"\b(?:a )?couple (?:of )?", "2 "),
    (r"\b(?:a )?(?:few|some) (?=" + _SIZE + r"(?:" + _ANY_UNIT + r")\b)", "3 "),
    (r"\b(?:full|whole|complete) (?=(?:turn|circle|rotation|revolution|spin)\b)", "1 "),
    (r"\ba 1 (?=(?:turn|circle|rotation|revolution|spin)\b)", "1 "),
    (r"\b(?:an?|another) (?=" + _SIZE + r"(?:step|pace|stride|sidestep|meter|metre|centimetre|centimeter|foot|yard|second|minute|degree)\b)", "1 "),
    (r"\ball the way (?:around|round)\b", "360 degrees"),
    (r"\b(turn|spin|rotate|pivot|swivel)( yourself| your body)? (?:around|round|about)\b", r"\1\2 180 degrees"),
)  # fmt: skip
_SMALL = re.compile(
    r"\b(?:a (?:little|tiny|wee|small|slight) bit|a (?:bit|little|touch|tad|fraction)|slightly|a smidge|somewhat)(?! \w+ (?:step|pace))\b"
)


def digits(text: str) -> str:
    """Number words as digits ("one hundred and twenty" -> 120, "one and a half" -> 1.5) and phrases as plain amounts."""

    def value(match: re.Match[str]) -> str:
        total = 0
        for word in re.findall(r"[a-z]+", match.group()):
            if word == "hundred":
                total = max(total, 1) * 100
            elif word != "and":
                total += _ONES.get(word, _TENS.get(word, 0))
        return str(total)

    # "one" is also a pronoun ("the left one", "one arm"): a number only where a unit, a half or more of the number follows.
    text = re.sub(
        rf"\bone\b(?! (?:hundred|{_NUMBER_WORD})\b)(?! and a half\b)(?! (?:time|full|whole|half|quarter)\b)(?! {_SIZE}(?:{_ANY_UNIT})\b)",
        "ONE",
        text,
    )
    text = re.sub(r"\ba hundred\b", "one hundred", text)
    run = rf"\b(?:{_NUMBER_WORD})(?:(?: hundred and| )+(?:{_NUMBER_WORD}))*\b"
    text = re.sub(run, value, text).replace("ONE", "one")
    for pattern, replacement in _REWRITES:
        text = re.sub(pattern, replacement, text)
    return text


def extract(clause: str) -> tuple[str, Amount | None]:
    """The clause without its amount, and the amount. Two amounts in one step contradict: an InstructionError."""
    found: list[Amount] = []

    def unit(match: re.Match[str]) -> str:
        for pattern, kind, scale in _UNITS:
            if re.fullmatch(pattern, match["unit"]):
                found.append(Amount(kind, float(match["number"]) * scale))
                return f" {_KEPT.get(kind, '') if match['unit'] not in ('°', 'deg', 'degree', 'degrees') else ''} "
        return match.group()

    pattern = rf"(?:\b(?:for|by|of|through|about|approximately|exactly|roughly|another) )*(?<![\w.])(?P<number>\d+(?:\.\d+)?) ?{_SIZE}(?P<unit>{_ANY_UNIT})(?!\w)"
    rest = re.sub(pattern, unit, clause)
    if not found:
        bare = re.search(r"(?<![\w.])(\d+(?:\.\d+)?)(?![\w.])", rest)
        if bare:
            found.append(Amount("number", float(bare[1])))
            rest = rest.replace(bare[0], " ", 1)
        elif _SMALL.search(rest):
            found.append(Amount("small", 1.0))
    rest = re.sub(r"\s+", " ", _SMALL.sub(" ", rest)).strip()
    if len(found) > 1:
        raise InstructionError(f"{clause!r} has more than one amount ({', '.join(map(str, found))}); give one a step.")
    return rest, found[0] if found else None


def repetitions(clause: str) -> tuple[str, int]:
    """The clause without "twice" or "three times", and how often."""
    match = re.search(r"\b(?:(twice)|(thrice)|(\d+) times?)\b", clause)
    if not match:
        return clause, 1
    times = 2 if match[1] else 3 if match[2] else int(match[3])
    if not 1 <= times <= 10:
        raise InstructionError(f"{clause!r} asks for {times} times; 1 to 10 times are allowed.")
    return re.sub(r"\s+", " ", clause[: match.start()] + clause[match.end() :]).strip(), times
