"""What to answer when a text is not clear: which thing was meant, that there is none, or that it is of a wrong kind."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from volition.sim.language.reference import Reference
from volition.sim.language.referring import phrase, references
from volition.sim.language.words import COUNTS, NOUNS, ONE, SHAPES
from volition.sim.scene import Scene, Thing


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """Words that may mean several things, and what would settle it."""

    words: str
    step: int  # the goal, from 0
    slot: str  # "thing" or "place"
    candidates: tuple[str, ...]  # names of things
    settle: tuple[Reference | None, ...]  # for each candidate the shortest that means it alone; None if no words do
    question: str


def doubt(scene: Scene, words: str, meant: Sequence[Thing], *, step: int, slot: str) -> Doubt:
    alike = len({thing.kind for thing in meant}) == 1
    settle = tuple(_shortest(scene, thing, alike) for thing in meant)
    noun = _noun(words, meant[0].kind) if alike else ONE
    calls = [phrase(reference) for reference in settle if reference is not None]
    if len(calls) == len(meant):
        question = f"Which {noun}: {_listed(calls, 'or')}?"
    else:
        question = f"Which {noun}? I see {_count(len(meant))} and cannot tell all of them apart in words."
    return Doubt(
        words=words, step=step, slot=slot, candidates=tuple(thing.name for thing in meant), settle=settle,
        question=question,
    )  # fmt: skip


def ask(doubts: Sequence[Doubt]) -> str:
    return " ".join(dict.fromkeys(doubt.question for doubt in doubts))


def _shortest(scene: Scene, thing: Thing, alike: bool) -> Reference | None:
    """Among things of one kind it is "the red one"; otherwise its noun is said."""
    kinds = (thing.kind,)
    found = references(scene, thing, kinds, neighbours=False) or references(scene, thing, kinds)
    fitting = [reference for reference in found if (reference.noun == ONE) == alike]
    return min(fitting or found, key=_effort, default=None)


def _effort(reference: Reference) -> tuple[int, int]:
    """How much there is to look for, then how many words."""
    marks = sum(map(bool, (reference.colour, reference.size))) + len(reference.place.split())
    if reference.landmark is not None:
        marks += 2 + _effort(reference.landmark)[0]
    return marks, len(phrase(reference).split())


def absent(scene: Scene, words: str, reference: Reference) -> str:
    """ "There is no purple button here; there are a red and a blue one." """
    kinds = [SHAPES[reference.noun]] if reference.noun in SHAPES else reference.kinds
    like = [thing for thing in scene.things if thing.kind in kinds]
    missing = _without_article(words)
    if reference.noun == ONE and len(reference.kinds) == 1:  # "the purple one" -> "no purple button"
        missing = re.sub(rf"\b({'|'.join(NOUNS[ONE])})\b", NOUNS[reference.kinds[0]][0], missing, count=1)
    if not like:
        return f"There is no {missing} here."
    colours = Counter(thing.colour for thing in like)
    if len(reference.kinds) > 1:
        there = _listed([f"{_article(t.colour)} {t.colour} {NOUNS[t.kind][0]}" for t in like], "and")
    elif max(colours.values()) == 1:
        there = f"{_listed([f'{_article(colour)} {colour}' for colour in colours], 'and')} one"
    else:
        parts = [
            f"{_article(colour)} {colour} one" if many == 1 else f"{_count(many)} {colour} ones"
            for colour, many in colours.items()
        ]
        there = _listed(parts, "and")
    noun = " box" if reference.noun in SHAPES else ""
    there = there.removesuffix(" one") + noun if noun and max(colours.values()) == 1 else there
    return f"There is no {missing} here; there {'is' if len(like) == 1 else 'are'} {there}."


def unfit(skill: str, words: str, kinds: Sequence[str]) -> str:
    nouns = [f"{_article(kind)} {kind}" for kind in kinds]
    return f"That cannot be done with {words!r}: {skill.replace('_', ' ')} takes {_listed(nouns, 'or')}."


def _noun(words: str, kind: str) -> str:
    """The noun that was said for a kind, or its plain one: "Which spot ...?" to "wipe the spot"."""
    said = [noun for noun in (*NOUNS[kind], *SHAPES) if noun in words.split()]
    return said[0] if said and words.split().index(said[0]) <= 4 else NOUNS[kind][0]


def _without_article(words: str) -> str:
    first, _, rest = words.partition(" ")
    return rest if first in ("the", "a", "an", "that", "this", "your") else words


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def _count(number: int) -> str:
    return COUNTS[number] if number < len(COUNTS) else str(number)


def _listed(items: Sequence[str], word: str) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {word} {items[-1]}"
