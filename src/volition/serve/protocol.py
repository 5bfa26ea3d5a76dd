"""Frames of the openpi websocket protocol: msgpack with arrays in it, read strictly. Nothing that arrives is ever run.

    {key: text, number, array, list or map} --pack--> bytes --unpack--> the same, or a ProtocolError

An array is a map with the bytes keys `__ndarray__`, `data`, `dtype` and `shape`, a numpy number one with `__npgeneric__`,
`data` and `dtype`, as `openpi-client` writes them. Whatever else a frame may claim, reading it costs no more memory than
a few times its length: how many lists, maps and elements it may have is bounded, and only numbers and truth values are arrays.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import msgpack
import numpy as np

from volition.errors import VolitionError

DEPTH, CONTAINERS, ELEMENTS, TEXT = 8, 128, 512, 16_384  # a metadata frame needs 5, about 20, 64 and 64
_DTYPE = re.compile(r"[<|](?:b1|[ui][1248]|f[248])")


class ProtocolError(VolitionError):
    """A frame is not one of this protocol's, or not the one that was agreed on."""


def pack(message: Mapping[str, Any]) -> bytes:
    return bytes(msgpack.packb(message, default=as_map) or b"")


def unpack(data: bytes) -> dict[str, Any]:
    """Arrays come out read-only, and without a copy but for truth values."""
    reader = _Reader()
    try:
        value = msgpack.unpackb(
            data,
            object_pairs_hook=reader.map,
            list_hook=reader.list,
            strict_map_key=False,
            max_array_len=ELEMENTS,
            max_map_len=ELEMENTS,
            max_ext_len=0,
        )
    except ProtocolError:
        raise
    except UnicodeDecodeError:
        raise ProtocolError("The frame has text that is not UTF-8.") from None
    except (ValueError, TypeError, msgpack.UnpackException, RecursionError, MemoryError, OverflowError):
        raise ProtocolError("The frame is not whole msgpack; send one observation in each binary frame.") from None
    if not isinstance(value, dict):
        raise ProtocolError(f"The frame holds {_called(value)}; it must hold a map.")
    _check(value, "", 1)
    return value


class _Reader:
    """Called for each list and map as it is complete; counts them, so that a small frame cannot become a large thing."""

    def __init__(self) -> None:
        self._containers = self._elements = 0

    def list(self, values: list[Any]) -> list[Any]:
        self._count(len(values))
        return values

    def map(self, pairs: list[tuple[Any, Any]]) -> Any:
        self._count(len(pairs))
        if any(not isinstance(key, str | bytes) for key, _ in pairs):
            raise ProtocolError("The frame has a map with keys that are not text.")
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ProtocolError("The frame has a map with the same key twice.")
        if b"__ndarray__" in found:
            return _array(found)
        return _number(found) if b"__npgeneric__" in found else found

    def _count(self, elements: int) -> None:
        self._containers += 1
        self._elements += elements
        if self._containers > CONTAINERS or self._elements > 4 * ELEMENTS:
            raise ProtocolError(
                f"The frame has more than {CONTAINERS} lists and maps, or more than {4 * ELEMENTS} elements in them; "
                "send pictures and vectors as numpy arrays."
            )


def _array(found: dict[Any, Any]) -> np.ndarray:
    if set(found) != {b"__ndarray__", b"data", b"dtype", b"shape"}:
        raise ProtocolError("An array in the frame has other parts than __ndarray__, data, dtype and shape.")
    kind, shape, data = _dtype(found[b"dtype"]), found[b"shape"], found[b"data"]
    whole = isinstance(shape, list) and len(shape) <= 5 and all(type(n) is int and 0 <= n <= 2**31 for n in shape)
    if not whole or not isinstance(data, bytes):
        raise ProtocolError("An array in the frame has a shape or data that cannot be read.")
    if math.prod(shape) * kind.itemsize != len(data):
        raise ProtocolError(
            f"An array in the frame has {len(data)} bytes; {kind.name} of shape {tuple(shape)} has "
            f"{math.prod(shape) * kind.itemsize}."
        )
    if kind.kind == "b":  # any byte but 0 and 1 would be a truth value that is neither
        return (np.frombuffer(data, np.uint8) != 0).reshape(shape)
    return np.frombuffer(data, kind).reshape(shape)


def _number(found: dict[Any, Any]) -> Any:
    if set(found) != {b"__npgeneric__", b"data", b"dtype"} or not isinstance(found[b"data"], bool | int | float):
        raise ProtocolError("A number in the frame has other parts than __npgeneric__, data and dtype.")
    try:
        return _dtype(found[b"dtype"]).type(found[b"data"])
    except (OverflowError, ValueError):
        raise ProtocolError("A number in the frame does not fit its dtype.") from None


def _dtype(name: object) -> np.dtype:
    if not isinstance(name, str) or not _DTYPE.fullmatch(name):
        raise ProtocolError("An array in the frame has a dtype other than bool, integer or float, little-endian.")
    return np.dtype(name)


def _check(value: object, where: str, depth: int) -> None:
    if depth > DEPTH:
        raise ProtocolError(f"The frame is nested deeper than {DEPTH}.")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str) or len(key) > 256:
                raise ProtocolError("The frame has a key that is not text of at most 256 characters.")
            _check(item, key, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, where, depth + 1)
    elif isinstance(value, str):
        if len(value) > TEXT:
            raise ProtocolError(f"“{shown(where)}” has {len(value)} characters; at most {TEXT} are allowed.")
    elif value is not None and not isinstance(value, bool | int | float | np.ndarray | np.generic):
        raise ProtocolError(f"“{shown(where)}” is {_called(value)}; numbers, text and arrays are allowed.")


def shown(text: object, most: int = 60) -> str:
    """Words of somebody else's for an error or a log: printable, on one line, not long."""
    line = "".join(letter if letter.isprintable() else " " for letter in str(text)[: 4 * most])
    line = " ".join(line.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _called(value: object) -> str:
    names = {list: "a list", bytes: "raw bytes", str: "text", type(None): "nothing"}
    return names.get(type(value), f"a value of the kind {type(value).__name__}")


def as_map(value: object) -> Any:
    """An array or a number of numpy's, as it goes into a frame."""
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind not in "buif":
        raise ProtocolError(f"An array of {value.dtype} cannot be sent; only numbers and truth values can.")
    if isinstance(value, np.ndarray):
        little = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
        return {
            b"__ndarray__": True,
            b"data": little.tobytes(),
            b"dtype": little.dtype.str,
            b"shape": list(value.shape),
        }
    if isinstance(value, np.generic):
        return {b"__npgeneric__": True, b"data": value.item(), b"dtype": value.dtype.newbyteorder("<").str}
    raise ProtocolError(f"A value of the kind {type(value).__name__} cannot be sent.")
