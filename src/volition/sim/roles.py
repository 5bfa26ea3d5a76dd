"""What a hand goes by: the thing that it takes, presses or pulls, and the place where that goes.

    scene, goal --roles_of--> names of the thing and the place
    scene, goal, what was said --calls_of--> how each is called, and the thing by which one is told from others

Mostly these are what the words name. Who is to wipe a stain takes a wiper, though nobody speaks of it: the one nearest to the
stain is the thing, and the stain is the place where it goes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from volition.sim.language.reference import Reference
from volition.sim.scene import Goal, Scene
from volition.sim.tasks.wipe_surface import WipeSurface

Calls = tuple[Reference | None, Reference | None, Reference | None]


def roles_of(scene: Scene, goal: Goal) -> tuple[str, str]:
    """By name; empty where there is none."""
    if goal.skill != WipeSurface.name:
        return goal.thing, goal.place
    stain = scene.thing(goal.thing).position
    wipers = [thing for thing in scene.things if thing.kind == "wiper"]
    return min(wipers, key=lambda wiper: math.dist(wiper.position, stain)).name, goal.thing


def calls_of(scene: Scene, goal: Goal, said: Sequence[Reference]) -> Calls:
    """`said`: what a sentence says of this one goal, in order. What it does not speak of is the nearest of its kind to what it does."""
    named = dict(zip([name for name in (goal.thing, goal.place) if name], said, strict=False))
    thing, place = (named.get(name) or _unspoken(scene, name, said) for name in roles_of(scene, goal))
    landmarks = [one.landmark for one in (*said, thing, place) if one is not None and one.landmark is not None]
    return thing, place, landmarks[0] if landmarks else None


def _unspoken(scene: Scene, name: str, said: Sequence[Reference]) -> Reference | None:
    if not name:
        return None
    kind = scene.thing(name).kind
    return Reference(kinds=(kind,), noun=kind, relation="nearest" if said else "", landmark=said[0] if said else None)
