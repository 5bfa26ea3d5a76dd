"""What is said in an encounter: `ask(scene, zones, random)` -> Ask, a text and the primitive that is right.

scene, zones (who is where) --a deed, its subject--> sentence, --mention, manner--> Ask(text, primitive)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from volition.robots.primitives import NAMES
from volition.sim.encounters import PERSON, Zone
from volition.sim.language.deeds import DEEDS, Deed, Texts, plain
from volition.sim.language.manners import manners
from volition.sim.language.words import NOUNS, check_split, pick
from volition.sim.scene import Scene, Thing

PLAIN = 0.12  # share of instructions that mention nobody and nothing: "turn left"
BARE = 0.25  # how often "the cone" is said instead of "the red cone" where there is one cone
PLACED = 0.4  # how often "the person on the left", where that gives nothing away

COLOURED: dict[str, Texts] = {
    "train": ("the person in {c}", "the {c} person", "the person wearing {c}", "the person dressed in {c}"),
    "phrasings": ("the one in {c}", "the person in {c} clothes", "the one dressed in {c}"),
}
PLACES: dict[Zone, Texts] = {
    "left": ("{} on the left", "{} on your left", "{} to your left"),
    "ahead": ("{} in front of you", "{} straight ahead of you", "{} right in front of you"),
    "right": ("{} on the right", "{} on your right", "{} to your right"),
}


@dataclass(frozen=True, kw_only=True)
class Ask:
    text: str
    primitive: str
    deed: str
    thing: str = ""  # its subject's name
    decided: Literal["picture", "words"]  # whether the same words can mean another primitive in another picture


def ask(
    scene: Scene,
    zones: Mapping[str, Zone],
    random: np.random.Generator,
    split: str = "train",
    *,
    about: tuple[str, ...] | None = None,
) -> Ask:
    """One instruction for a robot for which things are in these zones; every primitive that can be right is as likely.

    `about`: the only things that may be asked about. It depends on the generator alone."""
    check_split(split)
    options: dict[str, list[tuple[Deed, Thing | None]]] = {}
    for deed in DEEDS:
        for primitive, subject in _answers(deed, scene, zones, about):
            options.setdefault(primitive, []).append((deed, subject))
    if not options or random.random() < PLAIN:
        primitive = pick(NAMES, random)
        text = pick(plain(primitive, split), random)
        return Ask(text=_mannered(text, random, split), primitive=primitive, deed="plain", decided="words")
    primitive = pick([name for name in NAMES if name in options], random)
    found = options[primitive]
    name = pick(list(dict.fromkeys(deed.name for deed, _ in found)), random)
    deed, subject = pick([one for one in found if one[0].name == name], random)
    text = pick(deed.texts(split), random)
    if subject is not None and deed.subject != "somebody":
        text = text.format(x=mention(scene, subject, zones, random, split, placed=deed.placed))
    return Ask(
        text=_mannered(text, random, split),
        primitive=primitive,
        deed=deed.name,
        thing="" if subject is None else subject.name,
        decided="picture" if len(set(deed.answers.values())) > 1 else "words",
    )


def _answers(
    deed: Deed, scene: Scene, zones: Mapping[str, Zone], about: tuple[str, ...] | None
) -> list[tuple[str, Thing | None]]:
    """The primitives that can be right, each with the subject that makes it so."""
    asked = [thing for thing in scene.things if about is None or thing.name in about]
    if deed.subject == "somebody":
        before = [thing for thing in scene.things if thing.kind == PERSON and zones[thing.name] in ("ahead", "")]
        if not before:
            return [(deed.answers[""], None)] if "" in deed.answers else []
        return [(deed.answers["ahead"], one) for one in before if zones[one.name] == "ahead" and one in asked]
    return [
        (deed.answers[where], thing)
        for thing in asked
        if (where := zones[thing.name]) and where in deed.answers and (deed.subject == "any" or thing.kind == PERSON)
    ]


def mention(
    scene: Scene, thing: Thing, zones: Mapping[str, Zone], random: np.random.Generator, split: str, *, placed: bool
) -> str:
    """Words that mean this thing and no other; where it is only if `placed`."""
    like = [one for one in scene.things if one.kind == thing.kind]
    there = [one for one in like if zones[one.name] in (zones[thing.name], "")]
    noun = PERSON if thing.kind == PERSON else pick(NOUNS[thing.kind], random)
    if placed and len(there) == 1 and random.random() < PLACED:
        return pick(PLACES[zones[thing.name]], random).format(f"the {noun}")
    if len(like) == 1 and random.random() < BARE:
        return f"the {noun}"
    if thing.kind == PERSON:
        return pick(COLOURED[split], random).format(c=thing.colour)
    return f"the {thing.colour} {noun}"


def _mannered(text: str, random: np.random.Generator, split: str) -> str:
    """With politeness, and as people write or as they type."""
    manner = pick(manners(split, None, command="," not in text and not text.startswith(("if ", "you "))), random)
    text = manner.text.format(text)
    if random.random() < 0.3:
        text = text[0].upper() + text[1:] + ("" if manner.question else ".")
    return text
