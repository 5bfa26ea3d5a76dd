"""TensorBoard event files of scalars, written by hand: records with masked CRC-32C around a few fields of protobuf.

    journal -> events/events.out.tfevents.<seconds>.volition -> tensorboard --logdir OUT

The format: TFRecord (length, its CRC, data, its CRC) of `Event {1: double wall_time, 2: int64 step, 3: string
file_version, 5: Summary {1: Value {1: string tag, 2: float simple_value}}}`; tensorflow/core/util/event.proto.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

import numpy as np

VERSION = "brain.Event:2"


def header(wall_time: float) -> bytes:
    """The first record of a file."""
    return record(_double(1, wall_time) + _bytes(3, VERSION.encode()))


def scalars(wall_time: float, step: int, figures: Mapping[str, float]) -> bytes:
    """One record with some figures of a step."""
    values = (_bytes(1, tag.encode()) + _float(2, figure) for tag, figure in figures.items())
    summary = b"".join(_bytes(1, value) for value in values)
    return record(_double(1, wall_time) + _key(2, 0) + _varint(step) + _bytes(5, summary))


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(crc32c(length))) + data + struct.pack("<I", masked(crc32c(data)))


def records(stream: bytes) -> Iterator[bytes]:
    """What is inside; ValueError where a checksum is wrong or the end is missing."""
    place = 0
    while place < len(stream):
        if place + 12 > len(stream):
            raise ValueError(f"the stream ends inside a record at byte {place}")
        (length, of_length) = struct.unpack_from("<QI", stream, place)
        data = stream[place + 12 : place + 12 + length]
        if masked(crc32c(stream[place : place + 8])) != of_length or place + 16 + length > len(stream):
            raise ValueError(f"the record at byte {place} has no right length")
        if masked(crc32c(data)) != struct.unpack_from("<I", stream, place + 12 + length)[0]:
            raise ValueError(f"the record at byte {place} has a wrong checksum")
        yield data
        place += 16 + length


def masked(crc: int) -> int:
    """So that the checksum of data which holds checksums is still a good one."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """Castagnoli's polynomial, reflected."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _row(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_TABLE = tuple(_row(byte) for byte in range(256))


def _key(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _double(field: int, value: float) -> bytes:
    return _key(field, 1) + struct.pack("<d", value)


def _float(field: int, value: float) -> bytes:
    with np.errstate(over="ignore"):  # too large is infinite
        return _key(field, 5) + np.float32(value).tobytes()


def _bytes(field: int, value: bytes) -> bytes:
    return _key(field, 2) + _varint(len(value)) + value
