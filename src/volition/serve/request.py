"""One observation as it came over the wire, checked against the schema, as our Observation; and a chunk as the answer.

{key: array, text, number} --Request.read--> Observation, new task or not        ActionChunk --answer--> {"actions": (K, A), ...}
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np

from volition.safety.calibration import Calibration, calibration_from_json
from volition.serve.protocol import ProtocolError, shown
from volition.serve.schema import Schema
from volition.serve.state import measured
from volition.types import ActionChunk, Ahead, Observation, RobotSpec

LONGEST = 1000  # characters of a prompt
DOUBTS = 32  # signals of doubt with an answer, at most
STEPS = 1024  # of a chunk, or of what is ahead


@dataclass(frozen=True, kw_only=True)
class Request:
    observation: Observation
    reset: bool  # forget what was seen before


def read(message: Mapping[str, Any], schema: Schema, robot: RobotSpec, now: float) -> Request:
    """`now` is the stamp where the message has none. Raises a ProtocolError that says all that is missing or unknown."""
    _names(message, schema)
    prompt = message[schema.prompt]
    if not isinstance(prompt, str) or not prompt.strip() or len(prompt) > LONGEST:
        raise ProtocolError(f"“{schema.prompt}” must be text of 1 to {LONGEST} characters: what the robot shall do.")
    images = {camera: _picture(message[one.key], one.key, (one.height, one.width, 3)) for camera, one in schema.images.items()}  # fmt: skip
    stamp = message.get(schema.stamp or "", now)
    if isinstance(stamp, bool) or not isinstance(stamp, int | float | np.integer | np.floating):
        raise ProtocolError(f"“{schema.stamp}” must be a number: seconds of the robot's clock.")
    if not 0 <= stamp < 1e12:  # NaN too
        raise ProtocolError(f"“{schema.stamp}” is {stamp}; it must be finite seconds of the robot's clock, at least 0.")
    reset = message.get(schema.reset or "", False)
    if not isinstance(reset, bool | np.bool_):
        raise ProtocolError(f"“{schema.reset}” must be true or false.")
    state = measured(robot, _state(message, schema), float(stamp))
    ahead = _ahead(message.get(schema.ahead), schema) if schema.ahead else None
    observation = Observation(stamp=float(stamp), state=state, images=images, instruction=prompt, ahead=ahead)
    return Request(observation=observation, reset=bool(reset))


def _names(message: Mapping[str, Any], schema: Schema) -> None:
    missing = [key for key in schema.keys if key not in message]
    allowed = {*schema.keys, *schema.optional}
    unknown = [key for key in message if key not in allowed]
    if not missing and not unknown:
        return
    found = []
    if missing:
        found.append(f"it lacks {_listed(missing, 12)}")
    if unknown:
        near = get_close_matches(unknown[0], sorted(allowed), 1)
        found.append(f"{_listed(unknown)} is not known here" + (f" (did you mean “{near[0]}”?)" if near else ""))
    optional = _listed(list(schema.optional))
    raise ProtocolError(
        f"The observation does not fit: {', and '.join(found)}. Send {_listed(list(schema.keys), 12)}"
        + (f", and if you like {optional}." if optional else ".")
    )


def _listed(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"“{shown(name)}”" for name in names[:most]) + more


def _picture(value: object, key: str, shape: tuple[int, int, int]) -> np.ndarray:
    if not isinstance(value, np.ndarray):
        raise ProtocolError(f"“{key}” must be a numpy array: a picture of shape {shape}, uint8, RGB.")
    if value.dtype != np.uint8:
        raise ProtocolError(f"“{key}” is {value.dtype}; a picture is uint8, 0 to 255, of shape {shape}.")
    if value.shape != shape:
        turned = value.ndim == 3 and value.shape[0] == 3 and value.shape[2] != 3
        what = "put the colours last" if turned else "resize it (openpi_client.image_tools.resize_with_pad does)"
        raise ProtocolError(f"“{key}” has the shape {value.shape}; this policy looks at {shape}: {what}.")
    return value


def _state(message: Mapping[str, Any], schema: Schema) -> np.ndarray:
    assert schema.state is not None, "a schema of ours has a state"
    key, names, value = schema.state.key, schema.state.names, message[schema.state.key]
    if isinstance(value, list) and all(isinstance(one, int | float) for one in value):
        value = np.array(value, dtype=np.float64)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf" or value.shape != (len(names),):
        given = f"of shape {value.shape}" if isinstance(value, np.ndarray) else "none"
        raise ProtocolError(
            f"“{key}” must be an array of {len(names)} numbers, {names[0]} to {names[-1]} as the metadata frame names "
            f"them; it is {given}."
        )
    values = value.astype(np.float64)
    wrong = [names[at] for at in np.flatnonzero(~(np.abs(values) < 1e6))]
    if wrong:
        raise ProtocolError(
            f"“{key}” has values that no robot measures (not finite or over a million): {_listed(wrong)}."
        )
    return values


def told_ahead(ahead: Ahead | None, schema: Schema, columns: np.ndarray) -> dict[str, Any] | None:
    """What will be done anyway, in the server's order of numbers; None where its policy could not go on from it."""
    fits = ahead is not None and ahead.spec == schema.space and abs(ahead.dt - schema.dt) < 1e-9
    if ahead is None or schema.ahead is None or not fits:
        return None
    return {"actions": ahead.values[:, columns], "fixed": ahead.fixed}


def _ahead(told: object, schema: Schema) -> Ahead | None:
    if told is None:
        return None
    count = len(schema.actions.names)
    parts = told if isinstance(told, dict) and set(told) == {"actions", "fixed"} else {}
    values, fixed = parts.get("actions"), parts.get("fixed")
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf" or values.ndim != 2:
        values = np.zeros((0, 0))
    if not isinstance(fixed, int | np.integer) or isinstance(fixed, bool):
        values, fixed = np.zeros((0, 0)), 0
    if values.shape[1] != count or not 1 <= len(values) <= STEPS:
        raise ProtocolError(
            f"“{schema.ahead}” must be a map of “actions”, an array of (steps, {count}) numbers, and “fixed”, how many of "
            "its first steps will be past when the answer comes."
        )
    if not 0 <= fixed <= len(values) or not (np.abs(values.astype(np.float64)) < 1e6).all():  # NaN too
        raise ProtocolError(
            f"“{schema.ahead}” has {fixed} fixed of {len(values)} steps, or actions that are not finite or over a million."
        )
    return Ahead(values=values, dt=schema.dt, spec=schema.space, fixed=int(fixed))


def answer(chunk: ActionChunk, schema: Schema, *, infer_s: float, wait_s: float) -> dict[str, Any]:
    """Every array is chunk-first: the stock client takes it apart along the first axis."""
    return {
        schema.actions.key: chunk.values,
        "status": chunk.status,
        "note": chunk.note,
        "doubt": dict(chunk.doubt),
        "stamp": chunk.stamp,
        "dt": chunk.dt,
        "server_timing": {"infer_ms": 1000 * infer_s, "wait_ms": 1000 * wait_s},
    }


def chunk_from(told: Mapping[str, Any], schema: Schema, columns: np.ndarray, width: int, stamp: float) -> ActionChunk:
    """What a server answered, in the order of our action space: `columns` says where its numbers go, the rest is 0."""
    values = told.get(schema.actions.key)
    if values is None:
        raise ProtocolError(f"The answer lacks “{schema.actions.key}”; it has {_listed(list(told)) or 'nothing'}.")
    count = len(schema.actions.names)
    numbers = isinstance(values, np.ndarray) and values.dtype.kind in "iuf"
    if not numbers or values.ndim != 2 or values.shape[1] != count or not 1 <= len(values) <= STEPS:
        shape = values.shape if isinstance(values, np.ndarray) else "no array"
        raise ProtocolError(f"The answer's actions are {shape}; they must be (steps, {count}) numbers, chunk first.")
    if not np.isfinite(values).all():
        step, column = np.argwhere(~np.isfinite(values))[0]
        raise ProtocolError(f"The answer's actions are not finite: step {step}, {schema.actions.names[column]}.")
    filled = np.zeros((len(values), width))
    filled[:, columns] = values
    status, note = told.get("status"), told.get("note")
    return ActionChunk(
        stamp=stamp,
        values=filled,
        dt=schema.dt,
        spec=schema.space,
        status=status if status in ("done", "failed") else "running",
        note=shown(note, 120) if isinstance(note, str) else "",
        doubt=_doubt(told.get("doubt")),
    )


def calibration_from(told: object) -> Calibration | None:
    """What a server says its doubt means; its names are shown to people."""
    if told is None:
        return None
    found = calibration_from_json(told, "its calibration")
    if len(found.signals) > DOUBTS or any(shown(one.name, 40) != one.name for one in found.signals):
        raise ProtocolError(f"Its calibration has more than {DOUBTS} signals, or names that are not plain words.")
    return found


def _doubt(told: object) -> dict[str, float]:
    """What a server says of how unsure its policy was; what is no number by a name is left out."""
    if not isinstance(told, Mapping):
        return {}
    numbers = ((name, value) for name, value in told.items() if isinstance(name, str) and isinstance(value, float))
    return {shown(name, 40): value for name, value in list(numbers)[:DOUBTS] if math.isfinite(value)}
