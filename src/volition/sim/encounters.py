"""Scenes for the ten primitives: people and things that stand before the robot, where what is asked depends on who is where.

    Draw -> encounter -> Scene (no goals) --zones--> language/asks.py: something is said, and a primitive is right

The head camera looks 48 degrees down: of somebody 2 m away it sees legs and lower body, and nothing beyond 38 degrees
aside. So people wear one colour from head to foot, and all that can be asked about stands within that.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Literal

import numpy as np

from volition.sim.language.held_out import is_held_out_cell, is_held_out_pair
from volition.sim.randomise import Draw
from volition.sim.scene import Scene, Thing
from volition.sim.things import COLOURS
from volition.transforms.rotation import wrap

Zone = Literal["left", "ahead", "right", ""]

PERSON = "person"
SIZES: Mapping[str, tuple[float, float]] = {
    "person": (0.44, 1.70),
    "pillar": (0.13, 1.10),
    "crate": (0.42, 0.45),
    "cone": (0.20, 0.62),
    "chair": (0.42, 0.86),
}
# Degrees to the left (or, mirrored, to the right) and metres away: who stands nearer stands farther aside, and hides nobody.
NEAR, FAR, AHEAD = ((27.0, 36.0), (1.3, 1.8)), ((17.0, 22.0), (1.9, 2.6)), ((-2.0, 2.0), (1.1, 2.0))
STRAIGHT, ASIDE = math.radians(9.0), math.radians(11.0)  # to less than this is ahead, to more than that is aside
SEEN = math.radians(44.0)  # and farther aside is out of the picture


def encounter(draw: Draw) -> Scene:
    """Three or four of them, no two of one colour: one to three people, and no two other things of one kind."""
    spots = [(1, NEAR), (1, FAR), (-1, NEAR), (-1, FAR), (1, AHEAD)]
    count = min(1 + draw.extra(), len(spots))
    people = min(draw.pick((1, 2, 2, 3)), count)
    kinds = [PERSON] * people + draw.shuffle([kind for kind in SIZES if kind != PERSON])
    colours, heading = draw.shuffle(sorted(COLOURS)), draw.place(-math.pi, math.pi, of=".start")
    things = [
        _thing(draw, kind, colour, side, spot, heading)
        for kind, colour, (side, spot) in zip(kinds[:count], colours[:count], draw.shuffle(spots)[:count], strict=True)
    ]
    return draw.scene(things, (), table=None, heading=heading)


def _thing(
    draw: Draw, kind: str, colour: str, side: int, spot: tuple[tuple[float, float], tuple[float, float]], heading: float
) -> Thing:
    angle, away = heading + side * math.radians(draw.place(*spot[0])), draw.place(*spot[1])
    width, height = SIZES[kind]
    return Thing(
        name=f"{colour}_{kind}",
        kind=kind,
        colour=colour,
        rgb=draw.rgb(colour),
        position=(away * math.cos(angle), away * math.sin(angle), 0.0),
        heading=draw.place(-math.pi, math.pi),
        size=(draw.size(width), draw.size(height)),
    )


def zones(scene: Scene, position: np.ndarray, heading: float) -> dict[str, Zone]:
    """Where each thing is for a robot that stands here and looks there; empty: not clearly anywhere."""
    found: dict[str, Zone] = {}
    for thing in scene.things:
        away = np.array(thing.position[:2]) - np.asarray(position)[:2]
        found[thing.name] = zone(float(wrap(math.atan2(away[1], away[0]) - heading)))
    return found


def zone(bearing: float) -> Zone:
    if abs(bearing) < STRAIGHT:
        return "ahead"
    if not ASIDE < abs(bearing) < SEEN:
        return ""
    return "left" if bearing > 0 else "right"


def unseen(scene: Scene, split: str) -> tuple[str, ...]:
    """Which of the things training never sees so: "pairs", a held-out kind in a held-out colour, wherever it stands;
    "layouts", any other thing in a held-out cell of the floor before the robot."""
    pairs = {thing.name for thing in scene.things if is_held_out_pair(thing.kind, thing.colour)}
    if split == "pairs":
        return tuple(pairs)
    return tuple(t.name for t in scene.things if t.name not in pairs and is_held_out_cell(_as_seen(scene, t)))


def split_of(scene: Scene) -> str:
    """ "pairs" or "layouts" if there is such a thing, else "train"."""
    return "pairs" if unseen(scene, "pairs") else "layouts" if unseen(scene, "layouts") else "train"


def _as_seen(scene: Scene, thing: Thing) -> Thing:
    """Where a thing stands before a robot at the room's middle that looks along x: cells are the robot's, not the room's."""
    (x, y, z), turn = thing.position, scene.start.heading
    ahead, left = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    return dataclasses.replace(thing, position=(ahead, left, z))
