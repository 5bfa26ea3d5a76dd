"""What training never sees, fixed for good: colour-object pairs and layouts. Phrasings are in `sentences.py`.

    split_of(scene) -> "train", "pairs" or "layouts": a training set takes only the scenes of "train"

A change here makes every trained policy's results on these sets worthless; a test holds the checksums.
"""

from __future__ import annotations

from collections.abc import Iterable

from volition.sim.scene import Scene, Thing

# Sixteen of the 112 pairs of these kinds and the colours: each kind once or twice, each colour once or twice.
PAIRED_KINDS = (
    "button", "drawer", "can", "box", "cup", "plate", "tray", "bowl", "patch", "pillar", "crate", "cone", "chair",
    "person",
)  # fmt: skip
HELD_OUT_PAIRS: frozenset[tuple[str, str]] = frozenset(
    {
        ("button", "purple"),
        ("drawer", "green"),
        ("can", "blue"),
        ("can", "white"),
        ("box", "yellow"),
        ("cup", "red"),
        ("plate", "orange"),
        ("tray", "purple"),
        ("bowl", "black"),
        ("patch", "blue"),
        ("pillar", "yellow"),
        ("pillar", "orange"),
        ("crate", "red"),
        ("cone", "green"),
        ("chair", "white"),
        ("person", "black"),
    }
)

_CELL = 40_000  # micrometres: 4 cm
# Along x, y and z, every line of 13 cells has 2 held out, 5 to 8, 6 to 7 and 4 to 9 cells apart. The two were chosen so
# that the layouts of the skills, which leave things little room, have 13 to 19 % held out each.
_STEPS, _MODULUS, _HELD = (9, 1, 5), 13, (5, 12)


def is_held_out_pair(kind: str, colour: str) -> bool:
    return (kind, colour) in HELD_OUT_PAIRS


def is_held_out_cell(thing: Thing) -> bool:
    """Whether a thing stands in one of the 15 % of cells, spread like a checkerboard's, that training never uses."""
    cells = (round(value * 1e6) // _CELL for value in thing.position)  # whole numbers: no cell depends on rounding
    return sum(step * cell for step, cell in zip(_STEPS, cells, strict=True)) % _MODULUS in _HELD


def is_held_out_layout(things: Iterable[Thing]) -> bool:
    """Whether any of these, the things that goals are about (not their places), stands in such a cell."""
    return any(is_held_out_cell(thing) for thing in things)


def split_of(scene: Scene) -> str:
    """Where a scene belongs, by its goals: "pairs" for a held-out thing or place, else "layouts", else "train".

    Movements need no thing: they are always "train".
    """
    names = {name for goal in scene.goals for name in (goal.thing, goal.place) if name}
    if any(is_held_out_pair(thing.kind, thing.colour) for thing in scene.things if thing.name in names):
        return "pairs"
    things = [scene.thing(goal.thing) for goal in scene.goals if goal.thing]
    return "layouts" if is_held_out_layout(things) else "train"
