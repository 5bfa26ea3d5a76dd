"""What a learned model is given and what it is taught with: tensors with names. The nouns of `model/` and `train/`.

    images, sentences, state --views, language, state--> tokens --fusion--> Context --head--> actions or losses

Shapes: `B` batch, `T` observation steps, `V` cameras, `H W` picture, `P` tokens a picture, `N` tokens, `L` words,
`D` width, `S` state, `K` action steps, `A` action dimensions, `E` episodes shown, `F` key frames of each. Masks are True where something is real. States and
actions are in the model's own scale (`transforms/`); nothing here is privileged but Truth, which only losses see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

Thing = TypeVar("Thing")


@dataclass(frozen=True, kw_only=True)
class Sentences:
    """Sentences as tokens. `embedded` is what a frozen encoder made of them, computed once a sentence and cached."""

    ids: Tensor  # (B, L) long
    mask: Tensor  # (B, L) bool
    embedded: Tensor | None = None  # (B, L, W)


@dataclass(frozen=True, kw_only=True)
class Words:
    """Sentences as a language encoder gives them. `pooled` is of the real tokens only."""

    tokens: Tensor  # (B, L, W)
    mask: Tensor  # (B, L) bool
    pooled: Tensor  # (B, W)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A few demonstrations of what is asked for, as key frames of one camera, in order."""

    images: Tensor  # (B, E, F, H, W, 3) uint8
    state: Tensor  # (B, E, F, S) float
    actions: Tensor  # (B, E, F, A) float
    mask: Tensor  # (B, E) bool


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """One batch of what a policy sees. Pictures are as cameras give them; each encoder states its own normalisation."""

    # camera -> (B, T, H, W, 3) uint8, RGB; or float (B, T, P, D): what a frozen encoder made of them
    images: Mapping[str, Tensor]
    state: Tensor  # (B, T, S) float
    seen: Tensor  # (B, T) bool: False before the episode began, where the first step is repeated
    sentences: Sentences
    depth: Mapping[str, Tensor] = field(default_factory=dict)  # camera -> (B, T, H, W) float, m
    done: Tensor | None = None  # (B, H, A) float: the actions before, oldest first
    done_mask: Tensor | None = None  # (B, H) bool
    task: Tensor | None = None  # (B,) long: which task it is, -1 where nobody said; None: nobody said at all
    shown: Shown | None = None
    expected: Tensor | None = None  # (B, 2, 6) float: where the thing and the place should be (`body/whereabouts.py`)
    course: Tensor | None = None  # (B, COURSE) float: how things went since it was told (`body/course.py`)

    @property
    def size(self) -> int:
        return self.state.shape[0]


# How words may tell a thing from its like: by its size or its shape, its place among them (two for a corner), or how it stands
# to another.
SIZES = ("small", "large", "tall", "short", "cube", "carton")
PLACES = ("left", "right", "middle", "upper", "lower", "near you", "far")
RELATIONS = ("beside", "near", "nearest", "left of", "right of", "above", "below")
STANDS = (*SIZES, *PLACES, *RELATIONS)
TOLD = 3 + len(STANDS)  # what words may say of a thing: that there is one, its kind, its colour, and how it stands


@dataclass(frozen=True, kw_only=True)
class Scenery:
    """All N things of a scene, whatever is said of them. Kinds and colours are numbers, -1 where there is no such thing."""

    points: Tensor  # (B, V, N, 2) float: where they are in each picture, 0 to 1 right and down
    visible: Tensor  # (B, V, N) bool
    kinds: Tensor  # (B, N) long
    colours: Tensor  # (B, N) long
    positions: Tensor | None = None  # (B, N, 3) float, m, pelvis frame


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What the simulator knows and cameras do not: for auxiliary losses. None where the data set does not have it."""

    positions: Tensor | None = (
        None  # (B, G, 3) float, m, pelvis frame: the thing the words mean, the place, and the thing it is told by ("next to the can")
    )
    points: Tensor | None = None  # (B, V, G, 2) float: where they are in each picture, 0 to 1 right and down
    present: Tensor | None = None  # (B, G) bool: there is such a thing
    kinds: Tensor | None = None  # (B, G) long: what they are, as in Scenery
    colours: Tensor | None = None  # (B, G) long
    told: Tensor | None = None  # (B, G, TOLD) float, 0 or 1: what the words say of each; NaN: unknown
    visible: Tensor | None = None  # (B, V, G) bool: it is inside the picture
    masks: Tensor | None = None  # (B, V, h, w) float, 0 to 1: how much of each cell the thing covers; NaN: unknown
    finished: Tensor | None = None  # (B,) float, 0 or 1: what was asked is done; NaN: unknown
    scenery: Scenery | None = None


@dataclass(frozen=True, kw_only=True)
class Question:
    """Other words for the newest pictures, to learn what is meant and not what to do: (B, Q, ...), Q of each row."""

    sentences: Sentences
    asked: Tensor  # (B, Q) bool: False where nothing else can be asked
    truth: Truth


@dataclass(frozen=True, kw_only=True)
class Felt:
    """Other moments of the same episodes, R of each, without pictures: what was felt there, where things were, what to do.

    The words are those of the batch. For models whose hands go by places (`fusion/hands.py`).
    """

    state: Tensor  # (B, R, S) float
    positions: Tensor  # (B, R, G, 3) float, m, pelvis frame: of the thing and the place
    present: Tensor  # (B, R, G) bool
    actions: Tensor  # (B, R, K, A) float
    real: Tensor  # (B, R, K) bool
    course: Tensor  # (B, R, COURSE) float: as in Inputs


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What should have come out."""

    actions: Tensor  # (B, K, A) float; a discrete dimension holds its id
    real: Tensor  # (B, K) bool: False after the episode's end
    task: Tensor | None = None  # (B,) long, -1 unknown
    reasoning: Sentences | None = None  # what to say before acting
    truth: Truth = field(default_factory=Truth)
    question: Question | None = None
    felt: Felt | None = None


@dataclass(frozen=True, kw_only=True)
class Names:
    """Logits of what something may be."""

    kinds: Tensor  # (..., kinds)
    colours: Tensor  # (..., colours)
    told: Tensor | None = None  # (..., TOLD): of words, what they say of it
    aside: Tensor | None = None  # (..., 2): of cells, how far right and down of the cell's middle it is, in cells


@dataclass(frozen=True, kw_only=True)
class Sightings:
    """What stands in each cell of U pictures, whatever is asked."""

    there: Tensor  # (B, U, P) logits: the middle of a thing is in the cell
    names: Names  # (B, U, P, .): which thing it would be
    far: Tensor | None = None  # (B, U, P) m: how far from the camera it would be
    centres: Tensor | None = None  # (B, V, 3) m, pelvis frame: where the newest pictures' cameras are


@dataclass(frozen=True, kw_only=True)
class Spots:
    """Where a fusion believes the things to be that the words mean, in each picture (U: steps times cameras)."""

    heat: Tensor  # (B, U, G, 1 + P) logits: not in this picture, then each cell
    points: Tensor  # (B, U, G, 2) 0 to 1 right and down
    places: Tensor | None = None  # (B, G, 3) m, pelvis frame: of the newest pictures together
    seen: Sightings | None = None
    meant: Names | None = None  # (B, G, .): what the words mean
    there: Tensor | None = None  # (B, G) 0 to 1: how sure it is that they are in any picture


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a fusion makes of everything seen and told, and all that a head knows."""

    tokens: Tensor  # (B, N, D)
    mask: Tensor  # (B, N) bool
    pooled: Tensor  # (B, D)
    spots: Spots | None = None  # of fusions that look for things
    direct: Tensor | None = (
        None  # (B, F) float32: where hands and things are, which actions may follow in a straight line
    )


def to(value: Thing, device: torch.device | str) -> Thing:
    """The same on another device: tensors in dataclasses, mappings and lists."""
    return _each(value, lambda tensor: tensor.to(device, non_blocking=True))


def rows(value: Thing, which: Tensor | slice) -> Thing:
    """Some rows of a batch."""
    return _each(value, lambda tensor: tensor[which])


def split_rows(value: Thing, count: int) -> Thing:
    """(B * count, ...) as (B, count, ...)."""
    return _each(value, lambda tensor: tensor.unflatten(0, (-1, count)))


def first_rows(value: Thing, count: int) -> Thing:
    """(B, N, ...) as (B, count, ...): the first of each."""
    return _each(value, lambda tensor: tensor[:, :count])


def joined_rows(value: Thing) -> Thing:
    """(B, count, ...) as (B * count, ...)."""
    return _each(value, lambda tensor: tensor.flatten(0, 1))


def _each(value: Any, change: Any) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{one.name: _each(getattr(value, one.name), change) for one in fields(value)})
    if isinstance(value, Mapping):
        return {name: _each(item, change) for name, item in value.items()}
    return value
