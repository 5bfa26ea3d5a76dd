"""Frames: what goes in comes out, and nothing that is not a frame does any harm."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from volition.serve.protocol import ProtocolError, pack, shown, unpack

ARRAY = {b"__ndarray__": True, b"data": b"12345678", b"dtype": "<f8", b"shape": [1]}
NUMBER = {b"__npgeneric__": True, b"data": 3, b"dtype": "<i4"}
KINDS = arrays.boolean_dtypes() | arrays.integer_dtypes() | arrays.unsigned_integer_dtypes() | arrays.floating_dtypes(sizes=(16, 32, 64))  # fmt: skip
VALUES = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=30)
    | arrays.arrays(KINDS, arrays.array_shapes(min_dims=0, max_dims=3, max_side=4))
)  # fmt: skip


@given(st.dictionaries(st.text(max_size=9), VALUES | st.lists(VALUES, max_size=3), max_size=5))
@settings(max_examples=50, deadline=None)
def test_what_is_packed_comes_out_the_same(message: dict) -> None:
    found = unpack(pack(message))
    assert list(found) == list(message)
    for name, value in message.items():
        same(found[name], value)


def same(one: object, other: object) -> None:
    if isinstance(other, list):
        assert isinstance(one, list)
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            same(a, b)
    elif isinstance(other, np.ndarray):
        assert isinstance(one, np.ndarray)
        assert one.dtype == other.dtype.newbyteorder("<")
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other or (one != one and other != other)


def test_numpy_numbers_and_slices_of_arrays_pass() -> None:
    every = np.arange(12, dtype=np.int16).reshape(3, 4)
    found = unpack(pack({"a": np.float32(1.5), "b": every[:, ::2], "c": np.array([2], ">i4")}))
    assert (found["a"], type(found["a"])) == (1.5, np.float32)
    assert found["b"].tolist() == [[0, 2], [4, 6], [8, 10]]
    assert found["c"].tolist() == [2]
    assert not found["b"].flags.writeable


def test_truth_values_are_truth_values_whatever_their_bytes() -> None:
    found = unpack(msgpack.packb({"a": ARRAY | {b"dtype": "|b1", b"data": b"\x02\x00", b"shape": [2]}}))
    assert found["a"].tobytes() == b"\x01\x00"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (ARRAY | {b"dtype": "|O"}, "dtype other than"),
        (ARRAY | {b"dtype": "<M8[s]"}, "dtype other than"),
        (ARRAY | {b"dtype": "<U2"}, "dtype other than"),
        (ARRAY | {b"dtype": "<c8"}, "dtype other than"),
        (ARRAY | {b"dtype": "|V8"}, "dtype other than"),
        (ARRAY | {b"dtype": [["a", "<f8"]]}, "dtype other than"),
        (ARRAY | {b"dtype": "<f8,<f8"}, "dtype other than"),
        (ARRAY | {b"shape": [2]}, "has 8 bytes; float64 of shape .2,. has 16"),
        (ARRAY | {b"shape": [-1]}, "shape or data"),
        (ARRAY | {b"shape": [True]}, "shape or data"),
        (ARRAY | {b"shape": [1, 1, 1, 1, 1, 1]}, "shape or data"),
        (ARRAY | {b"shape": [2**30, 2**30, 2**30]}, "has 8 bytes"),
        (ARRAY | {b"data": "12345678"}, "shape or data"),
        (ARRAY | {b"more": 1}, "other parts"),
        ({b"__ndarray__": True}, "other parts"),
        (NUMBER | {b"data": 2**40}, "does not fit"),
        (NUMBER | {b"data": "3"}, "other parts"),
        (msgpack.ExtType(1, b"cos"), "not whole msgpack"),
        (msgpack.ExtType(1, b""), "kind ExtType"),
        (msgpack.Timestamp(1, 1), "not whole msgpack"),
        (b"raw", "raw bytes"),
        ("x" * 20_000, "at most 16384"),
        ([[[[[[[[[1]]]]]]]]], "nested deeper"),
        ({b"key": 1}, "key that is not text"),
        ({"k" * 300: 1}, "key that is not text"),
        ([[] for _ in range(500)], "lists and maps"),
        ([[0] * 500] * 6, "elements"),
    ],
)
def test_what_is_not_allowed_is_named(value: object, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        unpack(msgpack.packb({"a": value}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not whole"),
        (b"\xc1", "not whole"),
        (b"\x93\x01", "not whole"),
        (b"\xc0", "it must hold a map"),
        (b"\x90", "a list; it must hold a map"),
        (pack({"a": 1}) + b"\x00", "not whole"),
        (b"\x82\xa1a\x01\xa1a\x02", "the same key twice"),
        (b"\x81\x01\x01", "keys that are not text"),
        (b"\x81\x91\x01\x01", "keys that are not text"),
        (b"\x81\xa1a\xa1\xff", "not UTF-8"),
        (b"\x91" * 100_000 + b"\xc0", "not whole"),
        (b"\xdd\xff\xff\xff\xff", "not whole"),
        (b"\xc6\xff\xff\xff\xff", "not whole"),
    ],
)
def test_frames_that_are_none(data: bytes, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        unpack(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\xdd" + struct.pack(">I", 2**20) + b"\x90" * 2**20,
        b"\xdc\x04\x00" + (b"\xdc\x04\x00" + b"\x90" * 1024) * 1024,
        b"\xdc\x04\x00" + (b"\xdc\x04\x00" + b"\xa2xy" * 1024) * 1024,
        b"\xdc\x04\x00" * 2**18,
        b"\xdd\x00\x00\x04\x00" * 500,
        b"\xde\x04\x00" * 2**18,
    ],
    ids=["one list of lists", "lists of lists", "lists of words", "deep lists", "deep and wide", "deep maps"],
)
def test_a_frame_costs_no_more_memory_than_a_few_times_its_length(data: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(ProtocolError):
        unpack(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 2**20


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_noise_is_refused_or_read(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):  # and nothing else
        assert isinstance(unpack(data), dict)


@pytest.mark.parametrize("value", [np.array([None]), np.array(["a"]), np.array([1j]), object(), {1, 2}])
def test_only_numbers_and_words_are_sent(value: object) -> None:
    with pytest.raises(ProtocolError, match="cannot be sent"):
        pack({"a": value})


def test_words_of_others_are_shown_on_one_short_line() -> None:
    assert shown("a\nb\x1b[31m\x00c\u202e") == "a b [31m c"
    assert len(shown("x" * 1000)) == 60
