"""What a policy server is given and gives back, by name: the agreement between the two sides of the wire.

    checkpoint -> Schema --to_wire--> metadata frame or a JSON file --from_wire--> Schema -> what a client must send

A server of somebody else's, which sends no schema, gets one from a file: `volition run --schema FILE`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from volition.errors import ContractError
from volition.serve.protocol import shown
from volition.types import ActionSpec, RobotSpec

IMAGES, STATE, PROMPT, STAMP, RESET, AHEAD, ACTIONS = (
    "observation/images/",
    "observation/state",
    "prompt",
    "observation/stamp",
    "reset",
    "observation/ahead",
    "actions",
)
_MOST = 1024  # numbers of a state or an action, and steps of a chunk


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Where a camera's picture goes, and its size."""

    key: str
    height: int
    width: int


@dataclass(frozen=True, kw_only=True)
class Vector:
    """Where a vector of named numbers goes; `units` is for people."""

    key: str
    names: tuple[str, ...]
    units: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Schema:
    """`state`, `stamp`, `reset` and `ahead` None: that server takes none. `rate_hz` None: it does not say how often to
    ask. `ahead`: where what will be done anyway goes, of a policy that goes on from it."""

    robot: str
    images: Mapping[str, Picture]  # by camera
    state: Vector | None
    actions: Vector
    space: str  # name of the action space
    dt: float  # s, between two steps of a chunk
    chunk: int | None = None  # K
    rate_hz: float | None = None
    prompt: str = PROMPT
    stamp: str | None = None
    reset: str | None = None
    ahead: str | None = None
    meanings: tuple[str, ...] = field(default=())  # of the actions' numbers

    def __post_init__(self) -> None:
        keys = [picture.key for picture in self.images.values()]
        keys += [self.prompt, *self.optional] + ([] if self.state is None else [self.state.key])
        if len(set(keys)) < len(keys):
            raise ContractError("Schema uses a key twice; every part of an observation needs its own.")
        for vector in (self.state, self.actions):
            if vector is not None and (len(set(vector.names)) < len(vector.names) or not 0 < len(vector.names) < _MOST):
                raise ContractError(f"Schema names {shown(vector.key)} with {len(vector.names)} names, or one twice.")
        if not math.isfinite(self.dt) or not 0.001 <= self.dt <= 10:
            raise ContractError(f"Schema.dt is {self.dt}; it must be seconds a step, 0.001 to 10.")

    @property
    def keys(self) -> tuple[str, ...]:
        """Those that an observation must have."""
        vector = () if self.state is None else (self.state.key,)
        return (*(picture.key for picture in self.images.values()), *vector, self.prompt)

    @property
    def optional(self) -> tuple[str, ...]:
        """Those that it may have."""
        return tuple(key for key in (self.stamp, self.reset, self.ahead) if key)

    def to_wire(self) -> dict[str, Any]:
        images = {
            camera: {"key": one.key, "dtype": "uint8", "shape": [one.height, one.width, 3]}
            for camera, one in self.images.items()
        }
        return {
            "robot": self.robot,
            "images": images,
            "state": None if self.state is None else _vector(self.state),
            "prompt": self.prompt,
            "stamp": self.stamp,
            "reset": self.reset,
            "ahead": self.ahead,
            "actions": _vector(self.actions) | {"space": self.space, "meanings": list(self.meanings)},
            "chunk": self.chunk,
            "dt": self.dt,
            "rate_hz": self.rate_hz,
        }


def _vector(vector: Vector) -> dict[str, Any]:
    return {"key": vector.key, "names": list(vector.names), "units": list(vector.units)}


def schema_for(
    robot: RobotSpec,
    action: ActionSpec,
    *,
    cameras: tuple[str, ...],
    state: Vector,
    chunk: int,
    dt: float,
    continues: bool = False,
) -> Schema:
    """Of a server of ours. `continues`: its policy goes on from what will be done anyway."""
    sizes = {name: robot.camera(name) for name in cameras}
    units = tuple(dimension.unit for dimension in action.dimensions)
    return Schema(
        robot=robot.name,
        images={name: Picture(key=IMAGES + name, height=c.height, width=c.width) for name, c in sizes.items()},
        state=state,
        actions=Vector(key=ACTIONS, names=action.names, units=units),
        space=action.name,
        dt=dt,
        chunk=chunk,
        rate_hz=robot.policy_rate_hz,
        stamp=STAMP,
        reset=RESET,
        ahead=AHEAD if continues else None,
        meanings=tuple(dimension.meaning for dimension in action.dimensions),
    )


def from_wire(told: object) -> Schema:
    """From a metadata frame or a file; both may be anybody's."""
    try:
        return _from_wire(told)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, ContractError):
            raise
        why = f"it lacks {error}" if isinstance(error, KeyError) else shown(error, 120)
        raise ContractError(f"This is not a schema of a policy server: {why}; docs/servers.md shows one.") from None


def _from_wire(told: Any) -> Schema:
    images = {}
    for camera, one in told["images"].items():
        height, width, colours = (int(value) for value in one["shape"])
        if colours != 3 or not (8 <= height <= 4096 and 8 <= width <= 4096):
            raise ValueError(f"the picture of {camera} has the shape {one['shape']}; it must be (height, width, 3)")
        images[str(camera)] = Picture(key=str(one["key"]), height=height, width=width)
    actions, rate, chunk = told["actions"], told.get("rate_hz"), told.get("chunk")
    return Schema(
        robot=str(told["robot"]),
        images=images,
        state=None if told.get("state") is None else _named(told["state"]),
        actions=_named(actions),
        space=str(actions["space"]),
        dt=float(told["dt"]),
        chunk=None if chunk is None else int(chunk),
        rate_hz=None if rate is None else float(rate),
        prompt=str(told.get("prompt") or PROMPT),
        stamp=_key(told.get("stamp")),
        reset=_key(told.get("reset")),
        ahead=_key(told.get("ahead")),
        meanings=tuple(str(one) for one in actions.get("meanings", ())),
    )


def _named(told: Any) -> Vector:
    names, units = (tuple(str(one) for one in told.get(part, ())) for part in ("names", "units"))
    return Vector(key=str(told["key"]), names=names, units=units)


def _key(value: object) -> str | None:
    return None if value is None else str(value)


def read_schema(path: Path) -> Schema:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ContractError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ContractError(f"{path} is not JSON: {error}.") from error
    return from_wire(told)
