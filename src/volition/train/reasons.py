"""What there is to say before acting: which thing, where it is, what comes next. For models that reason in words.

    goal, scene, truth, where the hands are -> "the red can is left and near; grasp it"

It is made from the simulator's truth, so that it is right; a model has to find the same in its pictures.
"""

from __future__ import annotations

import numpy as np

from volition.sim.roles import roles_of
from volition.sim.scene import TABLE, Goal, Scene

ASIDE, AHEAD = 0.06, 0.33  # m: further out is left or right, further ahead is far
CLOSE = 0.09  # m: a hand this near has reached a thing
LIFTED = 0.03  # m
OVER = 0.08  # m: what is so near to its place has been taken there
_VERBS = {
    "press_button": "press it",
    "open_drawer": "pull it",
    "wipe_surface": "grasp it",
    "pick_and_place": "grasp it",
    "pour": "grasp it",
    "go_to": "walk to it",
}
_CARRIED = {
    "pick_and_place": "bring it to the {place}",
    "pour": "pour it into the {place}",
    "wipe_surface": "wipe the {place} with it",
}


def reason(goal: Goal, scene: Scene, thing: np.ndarray, place: np.ndarray, hands: np.ndarray, finished: bool) -> str:
    """`thing`, `place` (3,) and `hands` (2, 3) in the pelvis frame, m."""
    if finished:
        return "it is done; wait"
    if not goal.thing:
        return f"no thing is needed; {goal.what.replace('_', ' ')}"
    taken, to = roles_of(scene, goal)
    words = f"the {_called(scene, taken)} is {_where(thing)}"
    if to:
        words += f", the {_called(scene, to)} {_where(place)}"
    near = float(np.min(np.linalg.norm(hands - thing, axis=-1))) < CLOSE
    over = float(np.linalg.norm((thing - place)[:2])) < OVER
    if goal.skill in _CARRIED and near and (over or _lifted(scene, taken, thing, place)):
        return f"{words}; {_CARRIED[goal.skill].format(place=_called(scene, to))}"
    if near or goal.skill == "go_to":
        return f"{words}; {_VERBS[goal.skill]}"
    return f"{words}; reach for it with the {'left' if thing[1] > 0 else 'right'} hand"


def examples(goal: Goal, scene: Scene) -> list[str]:
    """What may be said of a goal, with things here and there, for a tokenizer to learn the words from."""
    places = [np.array([x, y, 0.0]) for x in (AHEAD / 2, 2 * AHEAD) for y in (-2 * ASIDE, 0.0, 2 * ASIDE)]
    found: list[str] = []
    for thing, place in zip(places, places[::-1], strict=True):
        for height in (0.0, 1.0):
            there = thing + np.array([0.0, 0.0, height])
            for hands in (there + 2 * CLOSE, there):
                found.append(reason(goal, scene, there, place, np.stack([hands, hands]), False))
    return list(dict.fromkeys(found))


def _called(scene: Scene, name: str) -> str:
    thing = scene.thing(name)
    return f"{thing.colour} {thing.kind}"


def _where(point: np.ndarray) -> str:
    side = "left" if point[1] > ASIDE else "right" if point[1] < -ASIDE else "in the middle"
    return f"{side} and {'far' if point[0] > AHEAD else 'near'}"


def _lifted(scene: Scene, taken: str, thing: np.ndarray, place: np.ndarray) -> bool:
    """Higher over its place than it stood at first. Things' middles stand half their height above what they stand on."""
    stood = scene.thing(taken).position[2] - (scene.table or TABLE)
    return bool(thing[2] - place[2] > stood + LIFTED + 0.03)
