"""Puts the goals of a scene into words: `say(scene, goals, random)` -> Instruction.

    goals --template each, mentions--> steps --Join--> one text --Manner--> politeness --> Instruction

The text depends on the generator alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from volition.errors import ContractError
from volition.sim.language.manners import joins, manners
from volition.sim.language.mention import Mention, mention
from volition.sim.language.reference import Reference
from volition.sim.language.templates import MOVEMENTS, SLOTS, Template, preposition, templates
from volition.sim.language.words import MOST_STEPS, check_split, pick
from volition.sim.scene import Goal, Scene, Thing


@dataclass(frozen=True, kw_only=True)
class Instruction:
    text: str
    goals: tuple[Goal, ...]
    mentions: tuple[Mention, ...]  # goal by goal: its thing, then its place if it has one
    templates: tuple[str, ...]  # one a goal
    join: str  # "" for one step
    manner: str
    split: str

    @property
    def references(self) -> tuple[Reference, ...]:
        return tuple(mention.reference for mention in self.mentions)

    def to_json(self) -> dict[str, Any]:
        mentions = [{"thing": m.thing, "words": m.words, "reference": m.reference.to_json()} for m in self.mentions]
        return {**asdict(self), "mentions": mentions}


def say(
    scene: Scene, goals: Sequence[Goal], random: np.random.Generator, split: str = "train", *, evenly: bool = False
) -> Instruction:
    """One way to say these goals. `split` "phrasings": with held-out sentences, joins and manners only; `evenly`: see `mention`."""
    check_split(split)
    if not 1 <= len(goals) <= MOST_STEPS:
        raise ContractError(f"An instruction has 1 to {MOST_STEPS} steps, not {len(goals)}.")
    steps: list[str] = []
    chosen: list[Template] = []
    mentions: list[Mention] = []
    for goal in goals:
        known = _slots(scene, goal)
        template = pick(templates(goal.skill, split, what=goal.what, commands=len(goals) > 1), random)
        said = [
            mention(scene, thing, SLOTS[goal.skill][slot], random, split, evenly=evenly)
            for slot, thing in known.items()
        ]
        text = preposition(template.text, known["place"].kind if "place" in known else "")
        steps.append(text.format(**{slot: one.words for slot, one in zip(known, said, strict=True)}))
        chosen.append(template)
        mentions += said
    join = pick(joins(split, len(goals)), random) if len(goals) > 1 else None
    text = join.put(steps) if join else steps[0]
    manner = pick(manners(split, join, command=chosen[0].command), random)
    text = manner.text.format(text)
    if random.random() < 0.3:  # as people write, or as they type
        text = text[0].upper() + text[1:] + ("" if manner.question else ".")
    return Instruction(
        text=text,
        goals=tuple(goals),
        mentions=tuple(mentions),
        templates=tuple(template.id for template in chosen),
        join=join.id if join else "",
        manner=manner.id,
        split=split,
    )


def variants(scene: Scene, goals: Sequence[Goal], split: str, count: int) -> tuple[Instruction, ...]:
    """Up to `count` instructions with different texts, always the same ones; fewer only if hardly more can be said."""
    random = np.random.default_rng(scene.seed)
    found: dict[str, Instruction] = {}
    for _ in range(20 * count):
        if len(found) == count:
            break
        instruction = say(scene, goals, random, split)
        found.setdefault(instruction.text.lower().rstrip("."), instruction)
    return tuple(found.values())


def _slots(scene: Scene, goal: Goal) -> dict[str, Thing]:
    """What fills the slots of a goal's skill, checked."""
    if goal.skill not in SLOTS:
        raise ContractError(f"There are no words for the skill {goal.skill!r}; there are some for {', '.join(SLOTS)}.")
    filled = {slot: name for slot, name in (("thing", goal.thing), ("place", goal.place)) if name}
    needs, movements = SLOTS[goal.skill], MOVEMENTS.get(goal.skill, ("",))
    if set(filled) != set(needs):
        wants, has = (" and ".join(slots) or "no thing" for slots in (needs, filled))
        raise ContractError(f"{goal.skill} needs {wants}; the goal has {has}.")
    if goal.what not in movements:
        known = ", ".join(movements) or "none"
        raise ContractError(f"{goal.skill} has no words for the movement {goal.what!r}; it has some for {known}.")
    things = {slot: scene.thing(name) for slot, name in filled.items()}
    for slot, thing in things.items():
        if thing.kind not in needs[slot]:
            raise ContractError(
                f"{goal.skill} takes as {slot} {' or '.join(needs[slot])}, not the {thing.kind} {thing.name!r}."
            )
    return things
