"""A Reference says which thing is meant; `resolve` looks in a scene for all that it may mean.

    text --noun_phrase.parse--> Reference --resolve(scene)--> things        references(scene, thing) --> phrase --> text

A Reference is a value that goes to JSON and back. It means something only in a scene: "the left button" is another
button elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from volition.errors import ContractError
from volition.sim.language.geometry import Things, by_place, by_relation, by_shape, by_size
from volition.sim.language.words import NOUNS, PLACES, RELATIONS, SHAPES, SIZES
from volition.sim.scene import Scene, Thing


@dataclass(frozen=True, kw_only=True)
class Reference:
    kinds: tuple[str, ...]  # what it may be: one kind, or for the noun "one" all that the verb can take
    noun: str  # a kind, "cube", "carton" or "one"
    colour: str = ""
    size: str = ""  # of words.SIZES
    place: str = ""  # of words.PLACES: its place among its like
    relation: str = ""  # of words.RELATIONS: how it stands to the landmark
    landmark: Reference | None = None

    def __post_init__(self) -> None:
        for what, value, known in (
            ("noun", self.noun, NOUNS),
            ("size", self.size, SIZES),
            ("place", self.place, PLACES),
            ("relation", self.relation, RELATIONS),
        ):
            if value and value not in known:
                raise ContractError(f"A reference has the {what} {value!r}; there are {', '.join(known)}.")
        if bool(self.relation) != (self.landmark is not None):
            raise ContractError("A reference has a relation and a landmark, or neither.")

    @property
    def tag(self) -> str:
        """What it goes by, foremost: "neighbour", "place", "size", "colour", "shape" or "bare"."""
        if self.relation:
            return "neighbour"
        for tag in ("place", "size", "colour"):
            if getattr(self, tag):
                return tag
        return "shape" if self.noun in SHAPES else "bare"

    @property
    def stands(self) -> tuple[str, ...]:
        """By which size, shape, places and relation it is told from others: "upper left" is two places."""
        shape = self.noun if self.noun in SHAPES else ""
        place = "near you" if self.place == "near" else self.place  # not the relation
        places = (place,) if place == "near you" else place.split()
        return tuple(word for word in (self.size, shape, *places, self.relation) if word)

    def to_json(self) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"tag": self.tag, **values, "landmark": self.landmark.to_json() if self.landmark else None}


def reference_from_json(values: Mapping[str, Any]) -> Reference:
    try:
        rest = {name: value for name, value in values.items() if name not in ("tag", "kinds", "landmark")}
        landmark = values["landmark"]
        return Reference(
            kinds=tuple(values["kinds"]), landmark=reference_from_json(landmark) if landmark else None, **rest
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ContractError(f"This is not a reference: {type(error).__name__}: {error}.") from error


def named(scene: Scene, reference: Reference) -> Things:
    """All that its noun alone may mean."""
    things = [thing for thing in scene.things if thing.kind in reference.kinds]
    return by_shape(things, reference.noun) if reference.noun in SHAPES else things


def resolve(scene: Scene, reference: Reference) -> tuple[Thing, ...]:
    """All things that it may mean: one if it is clear, several if it is ambiguous, none if there is no such thing."""
    like = named(scene, reference)
    meant = [thing for thing in like if reference.colour in ("", thing.colour)]
    if reference.size:
        meant = _narrow(meant, like, lambda things: by_size(things, reference.size))
    if reference.place:
        meant = _narrow(meant, like, lambda things: by_place(scene, things, reference.place))
    if reference.landmark is not None:
        near = {
            thing.name
            for landmark in resolve(scene, reference.landmark)
            for thing in by_relation(scene, meant, reference.relation, landmark)
        }
        meant = [thing for thing in meant if thing.name in near]
    return tuple(meant)


def _narrow(meant: Things, like: Things, rule: Callable[[Things], Things]) -> Things:
    """ "The left red one" is the left one of several red ones; of a single red one it is said among all of its like."""
    if len(meant) > 1:
        return rule(meant)
    return [thing for thing in rule(like) if thing in meant] if len(like) > 1 else meant
