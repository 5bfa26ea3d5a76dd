"""Several pictures' detections as one list of things: what was seen most of the time, at its median place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from volition.rival.table import Found
from volition.sim.scene import Thing
from volition.sim.things import COLOURS

SAME = 0.05  # m: detections of one colour nearer than this are one thing
SHARE = 0.5  # of the pictures it must be in


def things_of(pictures: Sequence[Sequence[Found]]) -> list[Thing]:
    groups: list[list[Found]] = []
    for picture in pictures:
        for found in picture:
            near = [
                group
                for group in groups
                if group[0].colour == found.colour and np.linalg.norm(group[0].position - found.position) < SAME
            ]
            (near[0] if near else groups.append([]) or groups[-1]).append(found)
    kept = [group for group in groups if len(group) >= SHARE * len(pictures)]
    things: list[Thing] = []
    for group in kept:
        kind, size = Counter((found.kind, found.size) for found in group).most_common(1)[0][0]
        position = np.median([found.position for found in group], axis=0)
        colour, number = group[0].colour, sum(thing.colour == group[0].colour for thing in things)
        things.append(
            Thing(
                name=f"{colour}_{kind}{number or ''}",
                kind=kind,
                colour=colour,
                rgb=COLOURS[colour],
                position=(float(position[0]), float(position[1]), float(position[2])),
                size=size,
            )
        )
    return things
