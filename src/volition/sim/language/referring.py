"""How a thing can be called in its scene, and in which words.

references(scene, thing) -> all References that mean this thing and no other; phrase(reference) -> "the left can"
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from volition.sim.language.geometry import FLOOR_KINDS, Things, by_place, by_relations, by_size
from volition.sim.language.reference import Reference, named
from volition.sim.language.words import NOUNS, ONE, PLACES, RELATIONS, SHAPES, SIZES, Ways
from volition.sim.scene import Scene, Thing


def references(
    scene: Scene, thing: Thing, kinds: Sequence[str] = (), *, neighbours: bool = True
) -> tuple[Reference, ...]:
    """All that mean this thing and no other, plainest first; none if no words tell it apart.

    `kinds` is what the verb can take; with it the thing may also be called "one": "press the red one". A size, place
    or neighbour is named only where it is needed: not "the left red can" where there is one red can. `neighbours`:
    also by what stands beside it, which takes most of the time.
    """
    nouns = [Reference(kinds=(thing.kind,), noun=thing.kind)]
    nouns += [Reference(kinds=(kind,), noun=shape) for shape, kind in SHAPES.items() if kind == thing.kind]
    if kinds:
        nouns.append(Reference(kinds=tuple(kinds), noun=ONE))
    near = landmarks(scene, thing) if neighbours else []
    found = [r for noun in nouns for r in _clear(scene, thing, noun, near, sized=False)]
    found = found or [r for noun in nouns for r in _clear(scene, thing, noun, near, sized=True)]
    return tuple(found)


def _clear(
    scene: Scene, thing: Thing, noun: Reference, near: list[tuple[Thing, list[Reference]]], *, sized: bool
) -> list[Reference]:
    """Those with this noun; `sized`: with a size and another word beside it."""
    like, found = named(scene, noun), []
    if thing not in like:
        return []
    for colour in ("", thing.colour):
        meant = [other for other in like if colour in ("", other.colour)]
        if len(meant) == 1:
            if colour or noun.noun != ONE:  # "the one" says nothing
                found.append(_with(noun, colour=colour))
            continue
        groups: list[tuple[str, Things]] = [("", meant)]
        if len(noun.kinds) == 1:  # sizes are compared within a kind
            sizes = [(size, by_size(meant, size)) for size in SIZES]
            found += [_with(noun, colour=colour, size=size) for size, left in sizes if _only(thing, left)]
            if sized:
                groups += [(size, left) for size, left in sizes if thing in left and 1 < len(left) < len(meant)]
        for size, group in groups:
            found += [
                _with(noun, colour=colour, size=size, place=place)
                for place in PLACES
                if _only(thing, by_place(scene, group, place))
            ]
            found += [
                _with(noun, colour=colour, size=size, relation=relation, landmark=words)
                for landmark, names in near
                for relation, left in by_relations(scene, group, landmark).items()
                if _only(thing, left)
                for words in names
            ]
    return found


def _only(thing: Thing, left: Things) -> bool:
    return len(left) == 1 and left[0].name == thing.name


def _with(
    noun: Reference, *, colour: str, size: str = "", place: str = "", relation: str = "",
    landmark: Reference | None = None,
) -> Reference:  # fmt: skip
    return Reference(
        kinds=noun.kinds, noun=noun.noun, colour=colour, size=size, place=place, relation=relation, landmark=landmark
    )


def landmarks(scene: Scene, thing: Thing) -> list[tuple[Thing, list[Reference]]]:
    """What a thing's place can be told by: all others that a noun, or a colour and a noun, name clearly.

    Things on the floor are told by others on the floor, those on table and wall by others there.
    """
    found = []
    for other in scene.things:
        if other.name == thing.name or (other.kind in FLOOR_KINDS) != (thing.kind in FLOOR_KINDS):
            continue
        like = [one for one in scene.things if one.kind == other.kind]
        noun = Reference(kinds=(other.kind,), noun=other.kind)
        names = [noun] if len(like) == 1 else []
        if sum(one.colour == other.colour for one in like) == 1:
            names.append(_with(noun, colour=other.colour))
        if names:
            found.append((other, names))
    return found


def phrase(reference: Reference, random: np.random.Generator | None = None, split: str = "train") -> str:
    """In words. Without `random` the plainest ones."""

    def one(ways: Ways) -> str:
        return ways.train[0] if random is None else ways.draw(split, random)

    nouns = NOUNS[reference.noun]
    words = one(Ways(nouns if reference.noun != ONE or len(reference.kinds) > 1 else nouns[:1]))
    if reference.colour:
        words = f"{reference.colour} {words}"
    for ways in (SIZES.get(reference.size), PLACES.get(reference.place)):
        if ways is not None:
            words = one(ways).format(words)
    if reference.landmark is not None:
        words = f"{words} {one(RELATIONS[reference.relation])} {phrase(reference.landmark, random, split)}"
    return f"the {words}"
