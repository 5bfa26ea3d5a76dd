"""What a text means in a scene: `understand(scene, text)` -> Meaning with goals, a question, or what is wrong.

    text --normalise, lift--> skeleton "press # | then open #" --skeleton.readings--> templates --resolve--> Meaning

It reads what `say` can say, of either split, with other politeness, case or punctuation; it is no free parser.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from volition.sim.language.noun_phrase import lift, normalise, parse
from volition.sim.language.questions import Doubt, absent, ask, doubt, unfit
from volition.sim.language.reference import Reference, resolve
from volition.sim.language.skeleton import Step, readings
from volition.sim.language.templates import SLOTS
from volition.sim.scene import Goal, Scene

LONGEST = 1000  # characters
Status = Literal["clear", "ambiguous", "absent", "unfit", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """Clear: `goals`. Ambiguous: `doubts`, `message` asks. Absent: a thing that is not here. Unfit: a thing of a kind
    that its verb does not take. Unknown: not understood. But for "clear", `message` says it in a sentence.
    """

    status: Status
    goals: tuple[Goal, ...] = ()
    references: tuple[Reference, ...] = ()  # goal by goal: its thing, then its place
    doubts: tuple[Doubt, ...] = ()
    message: str = ""


_ORDER: tuple[Status, ...] = ("clear", "ambiguous", "absent", "unfit", "unknown")


def understand(scene: Scene, text: str) -> Meaning:
    unknown = Meaning(
        status="unknown", message=f"I do not understand {text[:100]!r}. Say it more simply, like: press the red button."
    )
    if len(text) > LONGEST:
        return unknown
    skeleton, phrases = lift(normalise(text))
    meanings = [_meaning(scene, reading, phrases) for reading in readings(skeleton)]
    best = min((meaning.status for meaning in meanings), key=_ORDER.index, default="unknown")
    found = {meaning.goals or meaning.message: meaning for meaning in meanings if meaning.status == best}
    if best == "clear" and len(found) > 1:
        return Meaning(status="ambiguous", message=f"{text!r} can be read in {len(found)} ways. Say it step by step.")
    return next(iter(found.values()), unknown)


def _meaning(scene: Scene, steps: tuple[Step, ...], phrases: list[str]) -> Meaning:
    goals: list[Goal] = []
    references: list[Reference] = []
    doubts: list[Doubt] = []
    missing: list[str] = []
    for number, step in enumerate(steps):
        filled: dict[str, str] = {}
        for slot, kinds in SLOTS[step.skill].items():
            words = phrases[step.phrases[slot]]
            reference = parse(words, kinds)
            if reference is None:
                return Meaning(status="unknown", message=f"I do not understand {words!r}: it contradicts itself.")
            if not set(reference.kinds) & set(kinds):
                return Meaning(status="unfit", message=unfit(step.skill, words, kinds))
            meant = resolve(scene, reference)
            references.append(reference)
            for thing in meant:
                filled[slot] = thing.name
            if not meant:
                missing.append(absent(scene, words, reference))
            elif len(meant) > 1:
                doubts.append(doubt(scene, words, meant, step=number, slot=slot))
        goals.append(
            Goal(skill=step.skill, thing=filled.get("thing", ""), place=filled.get("place", ""), what=step.what)
        )
    if missing:
        return Meaning(status="absent", references=tuple(references), message=" ".join(dict.fromkeys(missing)))
    if doubts:
        return Meaning(status="ambiguous", references=tuple(references), doubts=tuple(doubts), message=ask(doubts))
    return Meaning(status="clear", goals=tuple(goals), references=tuple(references))
