"""Where things stand to each other, with margins: what "left", "small" or "next to" leaves of several things.

    reference.resolve --> by_shape, by_size, by_place, by_relation (things -> those that may be meant)

Every rule keeps all that could be meant: whatever comes within the margin of the best stays. So a word that does not
tell things apart clearly leaves several, and is not used to tell them apart.

Frame: for things on table and wall the world's, since the robot works there facing +x (x away from it, y to its
left). For what stands on the floor, the robot's own where it starts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from volition.sim.scene import Scene, Thing

MARGIN, FLOOR_MARGIN = 0.05, 0.30  # m, nearer than this two places are not told apart
BESIDE, FLOOR_BESIDE = (
    0.25,
    1.00,
)  # m, what is next to something is not farther than this, what is near it than twice this
OVER = 0.15  # m, sideways: what is above or below something is not farther off than this
CLEAR = 1.2  # one size is told from another from this ratio on
CUBE = 1.25  # the longest side by the shortest, at most
CARTON = 1.3  # the height by the larger side of its foot, at least
SLACK = 1.1  # what misses CUBE or CARTON by no more than this could still be called so

WALL_KINDS = ("button", "drawer")
FLOOR_KINDS = ("pillar", "crate", "cone", "chair", "person")
TALL_KINDS = ("can", "box", "cup", "bowl", *FLOOR_KINDS)  # the last of whose sizes is a height to speak of

Things = list[Thing]


def on_floor(things: Sequence[Thing]) -> bool:
    return all(thing.kind in FLOOR_KINDS for thing in things)


def _seen(scene: Scene, thing: Thing, floor: bool) -> tuple[float, float, float]:
    """How far ahead, to the left and up."""
    x, y, z = thing.position
    if not floor:
        return x, y, z
    (from_x, from_y), turn = scene.start.position, scene.start.heading
    x, y = x - from_x, y - from_y
    return x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn), z


def by_shape(things: Things, shape: str) -> Things:
    """The boxes that are a "cube" or a "carton"; none if none is one clearly."""
    amount: Callable[[Thing], float]
    if shape == "cube":
        amount = lambda box: CUBE / (max(box.size) / min(box.size))  # noqa: E731
    else:
        amount = lambda box: box.size[2] / max(box.size[:2]) / CARTON  # noqa: E731
    amounts = [(amount(thing) if len(thing.size) == 3 else 0.0, thing) for thing in things]
    clear = any(value > 1.0 for value, _ in amounts)
    return [thing for value, thing in amounts if clear and value > 1.0 / SLACK]


def by_size(things: Things, size: str) -> Things:
    """The smallest, largest, tallest or shortest, with all that are not clearly different from it."""
    if not all(_measure(thing, size) for thing in things):
        return things  # some have no such size: it tells nothing apart
    values = [_measure(thing, size) for thing in things]
    if size in ("small", "short"):
        return [thing for thing, value in zip(things, values, strict=True) if value < min(values) * CLEAR]
    return [thing for thing, value in zip(things, values, strict=True) if value > max(values) / CLEAR]


def _measure(thing: Thing, size: str) -> float:
    """A length to compare, m: the height, or the mean of all sizes; 0 if it has none."""
    if size in ("tall", "short"):
        return thing.size[-1] if thing.kind in TALL_KINDS and thing.size else 0.0
    return math.prod(thing.size) ** (1 / len(thing.size)) if thing.size else 0.0


def by_place(scene: Scene, things: Things, place: str) -> Things:
    """Those at a place among their like: "left", "upper left", "middle", "near" ..."""
    floor = on_floor(things)
    margin = FLOOR_MARGIN if floor else MARGIN
    seen = [_seen(scene, thing, floor) for thing in things]

    def most(amount: Callable[[tuple[float, float, float]], float], among: set[int]) -> set[int]:
        best = max((amount(seen[index]) for index in among), default=0.0)
        return {index for index in among if amount(seen[index]) > best - margin}

    amounts: dict[str, Callable[[tuple[float, float, float]], float]] = {
        "left": lambda at: at[1],
        "right": lambda at: -at[1],
        "upper": lambda at: at[2],
        "lower": lambda at: -at[2],
    }
    everyone = set(range(len(things)))
    if place in amounts:
        chosen = most(amounts[place], everyone)
    elif place == "near":  # nearest to the robot and nearest to the table's edge are not always the same
        chosen = most(lambda at: -at[0], everyone) | most(lambda at: -math.hypot(*at[:2]), everyone)
    elif place == "far":
        chosen = most(lambda at: at[0], everyone) | most(lambda at: math.hypot(*at[:2]), everyone)
    elif place == "middle":
        chosen = _middle([at[1] for at in seen], margin) | _middle([at[2] for at in seen], margin)
    else:  # a corner: of both the row and the column; if no thing is, the end of either
        row, side = (amounts[word] for word in place.split())
        rows, sides = most(row, everyone), most(side, everyone)
        chosen = (rows & sides) or (most(side, rows) | most(row, sides))
        if everyone in (rows, sides):  # a single row or column has no corners
            chosen = everyone
    return [thing for index, thing in enumerate(things) if index in chosen]


def _middle(values: list[float], margin: float) -> set[int]:
    """Who is in the middle along a line: one of an odd number, two of an even one, nobody where all stand together."""
    order = sorted(values)
    if len(values) < 3 or order[-1] - order[0] < margin:
        return set()
    middles = {order[(len(order) - 1) // 2], order[len(order) // 2]}
    return {index for index, value in enumerate(values) if any(abs(value - middle) < margin for middle in middles)}


def by_relation(scene: Scene, things: Things, relation: str, landmark: Thing) -> Things:
    """Those that stand so to the landmark; none if none does clearly."""
    return by_relations(scene, things, landmark)[relation]


def by_relations(scene: Scene, things: Things, landmark: Thing) -> dict[str, Things]:
    """The same for every relation at once."""
    things = [thing for thing in things if thing.name != landmark.name]
    floor = on_floor([*things, landmark])
    margin, beside = (FLOOR_MARGIN, FLOOR_BESIDE) if floor else (MARGIN, BESIDE)
    far = [math.dist(thing.position, landmark.position) for thing in things]
    closest = min(far, default=math.inf)

    def within(limit: float) -> Things:
        return [thing for thing, d in zip(things, far, strict=True) if closest <= limit and d < limit + margin]

    def beyond(amounts: list[float]) -> Things:
        clear = max(amounts, default=0.0) >= margin
        return [thing for thing, amount in zip(things, amounts, strict=True) if clear and amount > 0]

    at = _seen(scene, landmark, floor)
    off = [[a - b for a, b in zip(_seen(scene, thing, floor), at, strict=True)] for thing in things]
    rises = [
        up if {thing.kind, landmark.kind} <= set(WALL_KINDS) and abs(left) < OVER else 0.0
        for thing, (_, left, up) in zip(things, off, strict=True)
    ]
    return {
        "beside": within(beside),
        "near": within(closest if beside < closest <= 2 * beside else beside),
        "nearest": within(closest),
        "left of": beyond([left for _, left, _ in off]),
        "right of": beyond([-left for _, left, _ in off]),
        "above": beyond(rises),
        "below": beyond([-rise for rise in rises]),
    }
