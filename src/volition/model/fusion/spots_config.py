"""What spots are made of: how many there are, how wide each part is, and which parts there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from volition.errors import ContractError
from volition.model.fusion.hands import ROLES


@dataclass(frozen=True, kw_only=True)
class SpotsConfig:
    """`seen`: numbers of what is seen at a spot; `glance`: of each picture as a whole; `match`: width of the comparison.

    `places`: where spots are in metres, too (`places.py`), in a straight line to the actions beside the MLP; `far`: eyes
    that name things tell how far away they are, too, and what the first camera has found says where the others look.
    `relations` and `rounds`: width and depth of what finds out how things stand to each other in the first camera's
    pictures, which show them all. `hands`: the actions follow from places, words and state alone (`hands.py`), which then
    are learned from moments without pictures too, in which places are known to within `vague` metres; `course`: hands are
    told how things went since the robot was told, too (`body/course.py`). `kinds` and `colours`: how many of them eyes and words tell apart (`named.py`); 0: things have no names.
    """

    width: int = 512
    things: int = 3
    free: int = 6
    match: int = 64
    seen: int = 24
    glance: int = 32
    words: int = 64
    state: int = 64
    places: bool = False
    far: bool = False
    hands: bool = False
    course: bool = False
    vague: float = 0.005
    kinds: int = 0
    colours: int = 0
    relations: int = 32
    rounds: int = 2
    hidden: Sequence[int] = (512,)

    def __post_init__(self) -> None:
        sizes = (self.width, self.match, self.seen, self.glance, self.words, self.state, *self.hidden)
        if min(sizes) < 1 or self.things < 1 or self.free < 0 or (self.kinds < 1) != (self.colours < 1):
            raise ContractError(
                f"{self} cannot be built; every width and `things` is at least 1, `free` at least 0; kinds and colours are both named, or neither."
            )
        if self.hands and (not self.places or self.things < ROLES or self.vague < 0):
            raise ContractError(
                f"{self} cannot be built; `hands` go by `places`, of {ROLES} things at least, vague by 0 m or more."
            )
