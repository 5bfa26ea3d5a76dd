"""From a sentence to a skill, and with what was seen, to its thing and place.

    text --told--> Told: skill, references --pick--> Goal among the things that were found

Words are read by the suite's own grammar, which knows no scene; a reference is looked up among detections. Where it fits
none of them, because a kind was taken for another, the colour decides; where it fits several, the first of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from volition.errors import InstructionError
from volition.sim.language.noun_phrase import lift, normalise, parse
from volition.sim.language.reference import Reference, resolve
from volition.sim.language.skeleton import readings
from volition.sim.language.templates import SLOTS
from volition.sim.scene import Goal, Scene, Thing


@dataclass(frozen=True)
class Told:
    """One step of an instruction: what is to be done, and how thing and place are described."""

    skill: str
    slots: dict[str, Reference]


def told(text: str) -> tuple[Told, ...]:
    """The steps of a sentence. Raises InstructionError if it is not understood."""
    skeleton, phrases = lift(normalise(text))
    for steps in readings(skeleton):
        found: list[Told] = []
        for step in steps:
            slots = {slot: parse(phrases[step.phrases[slot]], kinds) for slot, kinds in SLOTS[step.skill].items()}
            clear = {slot: reference for slot, reference in slots.items() if reference is not None}
            if len(clear) == len(slots):
                found.append(Told(step.skill, clear))
        if len(found) == len(steps) > 0:
            return tuple(found)
    raise InstructionError(f"I do not understand {text[:100]!r}. Say it more simply, like: press the red button.")


def pick(scene: Scene, step: Told) -> Goal | None:
    """The goal that is meant among what was seen; None if nothing comes near."""
    chosen: dict[str, str] = {}
    for slot, reference in step.slots.items():
        things = candidates(scene, reference, SLOTS[step.skill][slot])
        things = [thing for thing in things if thing.name not in chosen.values()]
        if not things:
            return None
        chosen[slot] = things[0].name
    return Goal(skill=step.skill, thing=chosen.get("thing", ""), place=chosen.get("place", ""))


def candidates(scene: Scene, reference: Reference, kinds: Sequence[str]) -> list[Thing]:
    """What a reference may mean, as strictly as anything fits: as it is said; of any kind that the verb takes; without
    its place and neighbour; by its colour alone."""
    wide = replace(reference, kinds=tuple(kinds), noun="one")
    plain = replace(wide, place="", relation="", landmark=None, size="")
    for attempt in (reference, wide, plain):
        found = [thing for thing in resolve(scene, attempt) if thing.kind in kinds]
        if found:
            return found
    same = [thing for thing in scene.things if thing.colour == reference.colour]
    return same
