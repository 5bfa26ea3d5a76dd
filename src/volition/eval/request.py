"""A person's command, read against a scene before anything moves: its steps with their goals, or why not.

    command --split--> sentences --understand, one at a time--> Request | InstructionError: a question or what is wrong

A learned policy is told the sentences and sees the scene with its own eyes; the goals are for the referee, and to refuse
what cannot be done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from volition.errors import InstructionError
from volition.model.steps.split import split
from volition.sim.chain import AT_TABLE, STATIONS, chain
from volition.sim.choices import CHAIN, layout
from volition.sim.language.noun_phrase import lift, normalise
from volition.sim.language.say import say
from volition.sim.language.skeleton import readings
from volition.sim.language.understand import Status, understand
from volition.sim.randomise import Draw
from volition.sim.scene import Goal, Scene
from volition.sim.skills import SKILLS

FIRST = 80_000_000  # the scene of --scene-seed 0: no data set and no report comes so far
TRIED = 300  # scenes that are laid out to find one that has what a command names
FLOOR = ("go_to", "move")
_WORDS = {"press_button": "press buttons", "open_drawer": "open drawers", "pick_and_place": "put cans and boxes on plates, "
          "trays and into bowls", "pour": "pour cups into bowls", "wipe_surface": "wipe stains away",
          "go_to": "go to things on the floor", "move": "walk, turn, step aside, raise an arm, wave"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Request:
    text: str
    sentences: tuple[str, ...]
    goals: tuple[Goal, ...]  # one a sentence


class Refusal(InstructionError):
    """Why a command is not carried out in a scene."""

    def __init__(self, message: str, status: Status = "unfit") -> None:
        super().__init__(message)
        self.status = status


def read(scene: Scene, text: str, skills: Sequence[str] = tuple(SKILLS)) -> Request:
    """`skills`: those that the policy was taught. Half of a wish is never carried out: any step refuses all of them."""
    sentences = split(text)
    goals: list[Goal] = []
    for sentence in sentences:
        where = f"“{sentence}”: " if len(sentences) > 1 else ""
        meaning = understand(scene, sentence)
        if meaning.status == "unknown":
            raise Refusal(f"{meaning.message} This policy can {listed(skills)}.", "unknown")
        if meaning.status != "clear":
            raise Refusal(where + meaning.message, meaning.status)
        goal, *more = meaning.goals
        if more:
            raise Refusal(f"“{sentence}” is more than one step. Say them with a comma or “then” between.")
        if goal.skill not in skills:
            raise Refusal(f"{where}This policy was not taught that. It can {listed(skills)}.", "unknown")
        if goal not in SKILLS[goal.skill].goals(scene):
            raise Refusal(f"{where}That cannot be done here: {_why(goal, scene)}.", "absent")
        goals.append(goal)
    return Request(text=text, sentences=sentences, goals=tuple(goals))


def _why(goal: Goal, scene: Scene) -> str:
    if goal.skill == "move":
        return "there is a table before the robot"
    return "the robot only goes to things on the floor" if goal.skill == "go_to" else "something for it is missing"


def listed(skills: Sequence[str]) -> str:
    return ", ".join(_WORDS.get(skill, skill) for skill in skills)


def named(text: str) -> tuple[str, ...]:
    """The skills that a command's words name, wherever it is said; none for steps that are not understood."""
    found = [step.skill for one in split(text) for steps in readings(lift(normalise(one))[0])[:1] for step in steps]
    return tuple(dict.fromkeys(found))


def scene_for(text: str, seed: int | None, skills: Sequence[str] = tuple(SKILLS)) -> Scene:
    """A scene for a command: the one of `seed`, or the first one in which it is clear, else in which it may mean several
    things. "": any."""
    wanted = [name for name in named(text) if name in skills]
    if seed is not None or not text:
        return _scene(wanted, seed or 0, skills)
    doubtful: Scene | None = None
    for number in range(TRIED):
        scene = _scene(wanted, number, skills)
        try:
            read(scene, text, skills)
        except Refusal as refusal:
            if refusal.status not in ("absent", "ambiguous"):
                return scene  # no other one would help
            if refusal.status == "ambiguous":
                doubtful = doubtful or scene
        else:
            return scene
    return doubtful or _scene(wanted, 0, skills)


def _scene(wanted: Sequence[str], seed: int, skills: Sequence[str]) -> Scene:
    """On the floor if only walking is asked for, else a table with stations of what is wanted and of other skills."""
    table = [name for name in wanted if name in AT_TABLE]
    draw = Draw(FIRST + seed)
    taught = [name for name in AT_TABLE if name in skills]
    if not table and (wanted or not taught):
        return layout("go_to" if "go_to" in (wanted or skills) else "move", draw)
    if len(taught) == 1:
        return layout(taught[0], draw)
    others = np.random.default_rng([FIRST, seed]).permutation([name for name in taught if name not in table])
    return chain(draw, len(STATIONS), tuple([*table, *(str(name) for name in others)][: len(STATIONS)]))


def taught(tasks: Sequence[str]) -> tuple[str, ...]:
    """The skills behind a checkpoint's tasks: chains are of the skills at the table; none said: all."""
    known = {name for task in tasks for name in (AT_TABLE if task == CHAIN else (task,))}
    return tuple(name for name in SKILLS if name in known) or tuple(SKILLS)


def suggestion(scene: Scene) -> str:
    """What the scene itself was laid out for, in words."""
    return say(scene, scene.goals, np.random.default_rng([scene.seed, 1])).text


def inventory(scene: Scene) -> str:
    """ "a red and a blue button, two white cans" """
    counts = Counter((thing.colour, thing.kind) for thing in scene.things if thing.kind != "wiper")
    return ", ".join(
        f"{colour} {kind}" + (f" ({count})" if count > 1 else "")
        for (colour, kind), count in sorted(counts.items(), key=lambda one: one[0][::-1])
    )
