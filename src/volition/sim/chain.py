"""Scenes for several steps: stations of different skills along one long table, and goals that can follow one another.

No reset between steps: each begins where the last one ended, so nothing is used up twice (a cup is poured once, a thing
is put away once, and nothing is put where something stands already).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from volition.errors import ContractError
from volition.sim.randomise import Draw
from volition.sim.scene import Goal, Scene, Thing
from volition.sim.skills import SKILLS

AT_TABLE = ("press_button", "pick_and_place", "open_drawer", "pour", "wipe_surface")
STATIONS = (-0.68, 0.0, 0.68)  # m along the table
MOST = 5  # steps
_TRIES = 50


def chain(draw: Draw, steps: int, skills: tuple[str, ...] = AT_TABLE) -> Scene:
    """A scene with `steps` goals, of at least two skills where it has two steps."""
    if not 1 <= steps <= MOST:
        raise ContractError(f"A chain has 1 to {MOST} steps, not {steps}.")
    chosen = draw.shuffle([name for name in skills if name in SKILLS])[: len(STATIONS)]
    for attempt in range(_TRIES):
        stations = [
            _station(name, middle, draw, 10 * attempt + number)
            for number, (name, middle) in enumerate(zip(chosen, draw.shuffle(STATIONS), strict=False))
        ]
        goals = _goals(draw, stations, steps)
        names = [thing.name for station in stations for thing in station.things]
        if len(set(names)) == len(names) and goals is not None:
            things = tuple(thing for station in stations for thing in station.things)
            return draw.scene(
                things,
                goals,
            )
    raise ContractError(f"No chain of {steps} steps was found for seed {draw.seed} in {_TRIES} tries.")


def _station(skill: str, middle: float, draw: Draw, number: int) -> Scene:
    """What a skill would lay out for itself, moved along the table."""
    own = SKILLS[skill].layout(Draw(int(np.random.SeedSequence([draw.seed, number]).generate_state(1)[0]), draw.axes))
    return replace(own, things=tuple(_moved(thing, middle) for thing in own.things))


def _moved(thing: Thing, by: float) -> Thing:
    x, y, z = thing.position
    return replace(thing, position=(x, y + by, z))


def _goals(draw: Draw, stations: list[Scene], steps: int) -> tuple[Goal, ...] | None:
    """Goals from all stations in any order, none of which uses what another one uses; None if there are too few."""
    pools = [draw.shuffle(SKILLS[scene.goals[0].skill].goals(scene)) for scene in stations]
    chosen: list[Goal] = []
    used: set[str] = set()
    order = [draw.pick(range(len(pools))) for _ in range(8 * steps)]
    if steps > 1:  # two different skills to begin with, so that the rest may be anything
        order[:2] = draw.shuffle(range(len(pools)))[:2]
    for number in order:
        goal = next((goal for goal in pools[number] if not {goal.thing, goal.place} & used), None)
        if goal is not None and len(chosen) < steps:
            chosen.append(goal)
            used |= {goal.thing, goal.place} - {""}
    return tuple(chosen) if len(chosen) == steps else None
