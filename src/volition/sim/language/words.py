"""The vocabulary: nouns, colours, sizes, places and relations, each with the ways to say it.

    words -> referring.phrase (says them)        words -> noun_phrase.parse (reads them)

A place or size is a pattern around its noun: "left {}" stands before it, "{} on the left" after it. The first way of
each is the plain one, used in questions.
"""

from __future__ import annotations

from dataclasses import dataclass

from volition.errors import ContractError
from volition.sim.things import COLOURS

SPLITS = ("train", "phrasings")
MOST_STEPS = 5
ONE = "one"  # the noun that stands for whatever its verb can take: "press the red one"


@dataclass(frozen=True)
class Ways:
    """Ways to say the same: those of training, those held out, and those that are only understood."""

    train: tuple[str, ...]
    held: tuple[str, ...] = ()
    heard: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return self.train + self.held + self.heard

    def of(self, split: str) -> tuple[str, ...]:
        return self.train if split == "train" else self.train + self.held


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
    "small": Ways(("small {}", "smallest {}"), ("little {}",), ("smaller {}", "tiny {}", "littlest {}")),
    "large": Ways(("big {}", "large {}", "biggest {}"), ("largest {}",), ("bigger {}", "larger {}")),
    "tall": Ways(("tall {}", "tallest {}"), ("high {}",), ("taller {}",)),
    "short": Ways(("short {}", "shortest {}"), ("low {}",), ("shorter {}",)),
}

PLACES: dict[str, Ways] = {
    "left": Ways(
        ("{} on the left", "left {}", "leftmost {}"),
        ("left-hand {}", "{} furthest to the left"),
        ("{} on your left", "{} to the left", "{} on the left side"),
    ),
    "right": Ways(
        ("{} on the right", "right {}", "rightmost {}"),
        ("right-hand {}", "{} furthest to the right"),
        ("{} on your right", "{} to the right", "{} on the right side"),
    ),
    "middle": Ways(("{} in the middle", "middle {}"), ("central {}", "{} in the centre"), ("centre {}",)),
    "upper": Ways(("upper {}", "top {}", "{} at the top"), ("uppermost {}",), ("topmost {}", "highest {}")),
    "lower": Ways(("lower {}", "bottom {}", "{} at the bottom"), ("lowermost {}",), ("lowest {}",)),
    "near": Ways(("nearest {}", "{} closest to you", "{} nearest to you"), ("front {}", "{} at the front"), ("closest {}", "near {}")),
    "far": Ways(("farthest {}", "{} farthest from you"), ("back {}", "{} at the back"), ("furthest {}", "far {}", "{} furthest from you")),
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
    "beside": Ways(("next to", "beside"), ("right beside",), ("alongside",)),
    "near": Ways(("near",), ("close to",), ("by",)),
    "nearest": Ways(("nearest to", "closest to"), ("nearest",), ("closest",)),
    "left of": Ways(("to the left of", "left of"), ("on the left side of",)),
    "right of": Ways(("to the right of", "right of"), ("on the right side of",)),
    "above": Ways(("above",), ("higher up than",)),
    "below": Ways(("below",), ("lower down than",), ("under", "underneath")),
}

COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ORDINALS = ("zeroth", "first", "second", "third", "fourth", "fifth")


def check_split(split: str) -> None:
    if split not in SPLITS:
        raise ContractError(f"There is no split {split!r} of phrasings; there are {', '.join(SPLITS)}.")
