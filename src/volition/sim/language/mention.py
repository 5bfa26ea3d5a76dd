"""How a thing is mentioned in an instruction: which of its references is said, and how often each sort is.

scene, thing -> referring.references --WEIGHTS--> one of them --phrase--> Mention        shares.py measures it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from volition.errors import ContractError
from volition.sim.language.held_out import is_held_out_pair
from volition.sim.language.reference import Reference
from volition.sim.language.referring import phrase, references
from volition.sim.language.words import ONE
from volition.sim.scene import Scene, Thing

Item = TypeVar("Item")

# How often each is said, to each other, of what tells the thing apart in its scene. First whether it has no noun of its
# own ("the red one" to "the red button"), then by what it goes. People go by colours; a puzzle such as "the one nearest
# to the can" shall not be what most of the training consists of.
NOUN_WEIGHTS = {False: 4, True: 1}
WEIGHTS = {"colour": 6, "shape": 3, "size": 2, "place": 2, "bare": 2, "neighbour": 1}


@dataclass(frozen=True, kw_only=True)
class Mention:
    """One noun phrase of an instruction: what it says and which thing it means."""

    thing: str
    words: str
    reference: Reference


def mention(scene: Scene, thing: Thing, kinds: tuple[str, ...], random: np.random.Generator, split: str) -> Mention:
    """One way to call a thing where its verb takes these kinds, in words of a split; it depends on the generator alone."""
    found = [r for r in references(scene, thing, kinds) if split != "train" or not _held_out_landmark(r)]
    if not found:
        raise ContractError(f"No words tell {thing.name!r} of scene {scene.seed} from the other things clearly.")
    ones = {reference.noun == ONE for reference in found}
    one = _weighted({one: weight for one, weight in NOUN_WEIGHTS.items() if one in ones}, random)
    found = [reference for reference in found if (reference.noun == ONE) == one]
    tags = {reference.tag for reference in found}
    tag = _weighted({tag: weight for tag, weight in WEIGHTS.items() if tag in tags}, random)
    reference = pick([reference for reference in found if reference.tag == tag], random)
    return Mention(thing=thing.name, words=phrase(reference, random, split), reference=reference)


def _held_out_landmark(reference: Reference) -> bool:
    """Training does not even mention a colour-object pair that is held out."""
    landmark = reference.landmark
    return landmark is not None and is_held_out_pair(landmark.kinds[0], landmark.colour)


def pick(items: Sequence[Item], random: np.random.Generator) -> Item:
    return items[int(random.integers(len(items)))]


def _weighted(weights: dict[Item, int], random: np.random.Generator) -> Item:
    return pick([item for item, weight in weights.items() for _ in range(weight)], random)
