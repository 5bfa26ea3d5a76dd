"""One column of a data set: its name, kind, type, shape and the names of its numbers. The smallest noun of `data/`.

Feature -> EpisodeData (episode.py) -> DatasetWriter (writer.py) / Dataset (store.py) -> loader
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from volition.data.errors import DataError

Kind = Literal["image", "state", "action", "text", "scalar"]

NUMBERS = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "bool")
IMAGES = "observation.images."
STATE = "observation.state"
ACTION = "action"  # the data set's main action space; others are `action.<name of the ActionSpec>`
TRUTH = "truth"  # what only a simulator knows: for losses, never for a policy
TRUTH_CELLS = "truth.cells"
TRUTH_THINGS = "truth.things"
LOOK = "look"  # in the info of an episode: its pictures are to be looked at, nothing is done in it
# What every frame has in LeRobot's format and the store fills in itself: never a feature of an episode.
RESERVED = ("timestamp", "frame_index", "episode_index", "index", "task_index")
_NAME = re.compile(r"[^\W_][^/\\\x00-\x1f]*")  # it becomes a folder's name


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One thing recorded at every frame. `shape` is that of one frame; `names` name the last axis's numbers.

    image:  dtype uint8, shape (H, W, 3), RGB. state, action, scalar: a number type. text: dtype "string", shape (1,).
    """

    name: str
    kind: Kind
    dtype: str
    shape: tuple[int, ...]
    names: tuple[str, ...] | None = None
    unit: str = ""  # for people; "" where the numbers' units differ or nobody knows

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(size) for size in self.shape))
        if self.names is not None:
            object.__setattr__(self, "names", tuple(str(name) for name in self.names))
        if not _NAME.fullmatch(self.name) or ".." in self.name:
            raise DataError(
                f"Feature name {self.name!r} is not allowed; it begins with a letter and has no '/' or '..'."
            )
        if self.name in RESERVED:
            raise DataError(f"Feature {self.name} is filled in by the store; features may not be named {RESERVED}.")
        if self.kind not in get_args(Kind):
            raise DataError(f"Feature {self.name}: kind is {self.kind!r}; it must be one of {get_args(Kind)}.")
        if any(size < 1 for size in self.shape) or not self.shape:
            raise DataError(f"Feature {self.name}: shape is {self.shape}; it needs one or more sizes, each at least 1.")
        if self.kind == "image":
            if self.dtype != "uint8" or len(self.shape) != 3 or self.shape[2] != 3:
                raise DataError(f"Feature {self.name} is {self.dtype} {self.shape}; an image is uint8 (H, W, 3).")
        elif self.kind == "text":
            if self.dtype != "string" or self.shape != (1,):
                raise DataError(f"Feature {self.name} is {self.dtype} {self.shape}; a text is string (1,).")
        elif self.dtype not in NUMBERS:
            raise DataError(f"Feature {self.name}: dtype is {self.dtype!r}; numbers are one of {', '.join(NUMBERS)}.")
        if self.names is not None and self.kind != "image" and len(self.names) != self.shape[-1]:
            raise DataError(
                f"Feature {self.name} has {len(self.names)} names for {self.shape[-1]} numbers; give each its own name."
            )

    @property
    def camera(self) -> str:
        """The camera's name of an image feature: `head` of `observation.images.head`."""
        return self.name.removeprefix(IMAGES)

    def check(self, values: object, *, frames: int | None, owner: str) -> np.ndarray:
        """`values` as an array (T, *shape) of this dtype, or (*shape) if `frames` is None; else a DataError.

        A number type is changed only where no value changes by more than float rounding: a float that is put
        into an integer feature must be whole, and nothing may overflow. NaN and infinity are refused, since one
        of them silently ruins every statistic and every batch it is in.
        """
        wanted = self.shape if frames is None else (frames, *self.shape)
        if self.kind == "text":
            return self._texts(values, wanted, owner)
        try:
            given = np.asarray(values)
        except ValueError as error:
            raise DataError(f"{owner}: {self.name} is ragged; it must be an array of shape {wanted}.") from error
        if given.dtype.kind not in "fiub":
            raise DataError(f"{owner}: {self.name} holds {given.dtype}; it must be numbers ({self.dtype}).")
        if given.shape != wanted and wanted[-1] == 1 and given.shape == wanted[:-1]:
            given = given.reshape(wanted)
        if given.shape != wanted:
            raise DataError(f"{owner}: {self.name} has shape {given.shape}; it must be {wanted}.")
        if self.kind == "image" and given.dtype != np.uint8:
            raise DataError(f"{owner}: {self.name} is {given.dtype}; an image must be uint8, 0 to 255.")
        return self._numbers(given, owner)

    def _numbers(self, given: np.ndarray, owner: str) -> np.ndarray:
        if given.dtype.kind == "f" and not np.isfinite(given).all():
            where = np.argwhere(~np.isfinite(given))[0].tolist()
            raise DataError(f"{owner}: {self.name} is {given[tuple(where)]} at {where}; it must be finite.")
        if given.dtype == self.dtype:
            return given
        with np.errstate(over="ignore", invalid="ignore"):
            result = given.astype(self.dtype)
            same = np.allclose(result, given, rtol=1e-3, atol=1e-6) if self.dtype == "float16" else None
            if same is None:
                same = np.isfinite(result).all() if result.dtype.kind == "f" else bool((result == given).all())
        if not same:
            raise DataError(f"{owner}: {self.name} holds {given.dtype} values that {self.dtype} cannot hold.")
        return result

    def _texts(self, values: object, wanted: tuple[int, ...], owner: str) -> np.ndarray:
        given = np.asarray(values, dtype=object)
        if given.size == 0 or given.size != int(np.prod(wanted)):
            raise DataError(f"{owner}: {self.name} has shape {given.shape}; it must be {wanted} texts.")
        for value in given.ravel():
            if not isinstance(value, str):
                raise DataError(f"{owner}: {self.name} holds {value!r}; it must be text.")
        return given.reshape(wanted)


def kind_of(name: str, dtype: str, shape: tuple[int, ...] = ()) -> Kind:
    """The kind of a column by LeRobot's naming; for readers of formats that have no kinds."""
    if dtype in ("image", "video"):
        return "image"
    if dtype == "string":
        return "text"
    if name == ACTION or name.startswith(ACTION + "."):
        return "action"
    if name.startswith("observation."):
        return "state"
    return "scalar"


def image_feature(camera: str, height: int, width: int) -> Feature:
    return Feature(name=IMAGES + camera, kind="image", dtype="uint8", shape=(height, width, 3))


def vector_feature(name: str, names: Iterable[str], *, dtype: str = "float32", unit: str = "") -> Feature:
    """A state or action (by its name) whose numbers are named."""
    names = tuple(names)
    return Feature(name=name, kind=kind_of(name, dtype), dtype=dtype, shape=(len(names),), names=names, unit=unit)


def by_name(features: Iterable[Feature]) -> Mapping[str, Feature]:
    """The features by their names, each of which must be its own."""
    found: dict[str, Feature] = {}
    for feature in features:
        if feature.name in found:
            raise DataError(f"Feature {feature.name} is given twice; every name must be its own.")
        found[feature.name] = feature
    if not found:
        raise DataError("There are no features; a data set needs at least one.")
    return found
