"""How a thing is mentioned in an instruction: which of its references is said, and how often each sort is.

scene, thing -> referring.references --WEIGHTS--> one of them --phrase--> Mention        shares.py measures it
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from volition.errors import ContractError
from volition.sim.language.held_out import is_held_out_pair
from volition.sim.language.reference import Reference
from volition.sim.language.referring import phrase, references
from volition.sim.language.words import ONE, pick
from volition.sim.scene import Scene, Thing

# How often a thing is called by each, to each other, of what tells it apart in its scene. People go by colours; a puzzle
# such as "the one nearest to the can" shall not be what most of the training consists of.
WEIGHTS = {"colour": 6, "shape": 3, "size": 2, "place": 2, "bare": 2, "neighbour": 1}
NOUN = 4  # times as often with its noun, "the red button", as without, "the red one"

_CHANCES = [((one, tag), weight if one else NOUN * weight) for one in (False, True) for tag, weight in WEIGHTS.items()]


@dataclass(frozen=True, kw_only=True)
class Mention:
    """One noun phrase of an instruction: what it says and which thing it means."""

    thing: str
    words: str
    reference: Reference


def mention(
    scene: Scene, thing: Thing, kinds: tuple[str, ...], random: np.random.Generator, split: str, *, evenly: bool = False
) -> Mention:
    """One way to call a thing where its verb takes these kinds, in words of a split; it depends on the generator alone.

    `evenly`: each sort that is possible as often as the others, puzzles too."""
    found = [r for r in references(scene, thing, kinds) if split != "train" or not _held_out_landmark(r)]
    if not found:
        raise ContractError(f"No words tell {thing.name!r} of scene {scene.seed} from the other things clearly.")
    sorts = {(reference.noun == ONE, reference.tag) for reference in found}
    chances = [(sort, weight) for sort, weight in _CHANCES if sort in sorts]
    sort = pick([sort for sort, weight in chances for _ in range(1 if evenly else weight)], random)
    reference = pick([r for r in found if (r.noun == ONE, r.tag) == sort], random)
    return Mention(thing=thing.name, words=phrase(reference, random, split), reference=reference)


def _held_out_landmark(reference: Reference) -> bool:
    """Training does not even mention a colour-object pair that is held out."""
    landmark = reference.landmark
    return landmark is not None and is_held_out_pair(landmark.kinds[0], landmark.colour)
