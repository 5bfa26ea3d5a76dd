"""The vocabulary: nouns, colours, sizes, places and relations, each with the ways to say it.

    words -> referring.phrase (says them)        words -> noun_phrase.parse (reads them)

A place or size is a pattern around its noun: "left {}" stands before it, "{} on the left" after it. The first way of
each is the plain one, used in questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from volition.errors import ContractError
from volition.sim.things import COLOURS

SPLITS = ("train", "phrasings")
MOST_STEPS = 5
ONE = "one"  # the noun that stands for whatever its verb can take: "press the red one"

Item = TypeVar("Item")


def pick(items: Sequence[Item], random: np.random.Generator) -> Item:
    return items[int(random.integers(len(items)))]


@dataclass(frozen=True)
class Ways:
    """Ways to say the same: those of training, those held out, and those that are only understood."""

    train: tuple[str, ...]
    held: tuple[str, ...] = ()
    heard: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return self.train + self.held + self.heard

    def draw(self, split: str, random: np.random.Generator) -> str:
        """One of training's; for "phrasings" every other time one that is held out, where there is any."""
        held = split != "train" and self.held and random.random() < 0.5
        return pick(self.held if held else self.train, random)


# A noun is a kind of thing, or a shape of box: `SHAPES` says of which kind.
NOUNS: dict[str, tuple[str, ...]] = {
    "button": ("button", "push button"),
    "drawer": ("drawer",),
    "can": ("can", "cylinder", "tin"),
    "box": ("box", "block"),
    "cube": ("cube",),
    "carton": ("carton",),
    "plate": ("plate", "dish"),
    "tray": ("tray",),
    "cup": ("cup", "mug"),
    "bowl": ("bowl",),
    "wiper": ("wiper", "sponge"),
    "patch": ("patch", "spot", "stain"),
    "pillar": ("pillar", "column"),
    "crate": ("crate", "chest"),
    "cone": ("cone", "traffic cone"),
    "chair": ("chair", "seat"),
    "person": ("person", "human"),
    ONE: ("one", "thing", "object"),
}
SHAPES = {"cube": "box", "carton": "box"}
FOREIGN_COLOURS = ("pink", "brown", "grey", "gray", "silver", "golden", "turquoise")  # understood, and never there
COLOUR_WORDS = (*COLOURS, *FOREIGN_COLOURS)

SIZES: dict[str, Ways] = {
    "small": Ways(("small {}", "smallest {}", "smaller {}", "tiny {}"), ("little {}",), ("littlest {}",)),
    "large": Ways(("big {}", "large {}", "biggest {}", "bigger {}", "larger {}"), ("largest {}",)),
    "tall": Ways(("tall {}", "tallest {}", "taller {}"), ("high {}",)),
    "short": Ways(("short {}", "shortest {}", "shorter {}"), ("low {}",)),
}

PLACES: dict[str, Ways] = {
    "left": Ways(
        ("{} on the left", "left {}", "leftmost {}", "{} on your left", "{} on the left side"),
        ("left-hand {}", "{} furthest to the left"),
        ("{} to the left",),
    ),
    "right": Ways(
        ("{} on the right", "right {}", "rightmost {}", "{} on your right", "{} on the right side"),
        ("right-hand {}", "{} furthest to the right"),
        ("{} to the right",),
    ),
    "middle": Ways(("{} in the middle", "middle {}", "centre {}"), ("central {}", "{} in the centre")),
    "upper": Ways(("upper {}", "top {}", "{} at the top", "topmost {}", "highest {}"), ("uppermost {}",)),
    "lower": Ways(("lower {}", "bottom {}", "{} at the bottom", "lowest {}"), ("lowermost {}",)),
    "near": Ways(("nearest {}", "{} closest to you", "{} nearest to you", "closest {}", "near {}"), ("front {}", "{} at the front")),
    "far": Ways(("farthest {}", "{} farthest from you", "furthest {}", "far {}", "{} furthest from you"), ("back {}", "{} at the back")),
    **{
        f"{row} {side}": Ways(
            (f"{edge} {side} {{}}", f"{row} {side} {{}}", f"{{}} at the {edge} {side}"),
            (f"{{}} in the {edge} {side} corner",),
            (f"{{}} in the {row} {side} corner", f"{{}} on the {edge} {side}"),
        )
        for row, edge in (("upper", "top"), ("lower", "bottom"))
        for side in ("left", "right")
    },
}  # fmt: skip

RELATIONS: dict[str, Ways] = {
    "beside": Ways(("next to", "beside", "alongside"), ("right beside",)),
    "near": Ways(("near", "by"), ("close to",)),
    "nearest": Ways(("nearest to", "closest to", "closest"), ("nearest",)),
    "left of": Ways(("to the left of", "left of", "on the left of"), ("on the left side of",)),
    "right of": Ways(("to the right of", "right of", "on the right of"), ("on the right side of",)),
    "above": Ways(("above", "further up than"), ("higher up than",)),
    "below": Ways(("below", "under", "underneath", "further down than"), ("lower down than",)),
}

COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ORDINALS = ("zeroth", "first", "second", "third", "fourth", "fifth")


def check_split(split: str) -> None:
    if split not in SPLITS:
        raise ContractError(f"There is no split {split!r} of phrasings; there are {', '.join(SPLITS)}.")
