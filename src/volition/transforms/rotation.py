"""Rotations in numpy: unit quaternions (wxyz) and rotation vectors (rad), over any leading dimensions.

Used wherever two rotations are compared, blended or interpolated: the executor, the body, the transforms.
A quaternion and its negative are the same rotation; functions that measure from one rotation to another take
the shorter way unless they say otherwise.

A control tick turns single vectors, and a call of numpy costs as much as fifty of its additions. So a formula is written
of numbers (`_product`, `_exponential` ...) and used as it is for a few rotations; for many, numpy does the same at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray
IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])
IDENTITY.setflags(write=False)

_SMALL = 1e-8  # rad: below this a rotation's sine and cosine are their series to double precision
_FEW = 8  # rotations: up to so many, numbers one by one are faster
_DOUBLE = np.dtype(np.float64)
_BACK = np.array([1.0, -1.0, -1.0, -1.0])


def normalize(quaternion: Array) -> Array:
    """The unit quaternion along a non-zero one. (..., 4) -> (..., 4)"""
    return quaternion / _norm(quaternion)


def multiply(left: Array, right: Array) -> Array:
    """Hamilton's product: `right` is applied first. (..., 4), (..., 4) -> (..., 4)"""
    if _few(left, right):
        return _each(_product, left, right)
    return _joined(_product(_parts(left), _parts(right)))


def cross(left: Array, right: Array) -> Array:
    """As `np.cross`, which is slow for a single vector. (..., 3), (..., 3) -> (..., 3)"""
    if _few(left, right):
        return _each(_cross, left, right)
    return _joined(_cross(_parts(left), _parts(right)))


def conjugate(quaternion: Array) -> Array:
    """The inverse of a unit quaternion. (..., 4) -> (..., 4)"""
    return quaternion * _BACK


def rotate(quaternion: Array, vector: Array) -> Array:
    """The vector turned by the quaternion. (..., 4), (..., 3) -> (..., 3)"""
    if _few(quaternion, vector):
        return _each(_rotated, quaternion, vector)
    return _joined(_rotated(_parts(quaternion), _parts(vector)))


def rotate_inverse(quaternion: Array, vector: Array) -> Array:
    """The vector turned by the quaternion's inverse: world to body for a body's pose. (..., 4), (..., 3) -> (..., 3)"""
    return rotate(conjugate(quaternion), vector)


def yaw(quaternion: Array) -> Array:
    """The heading: the angle about z from x of the world to the turned x axis, seen from above. (..., 4) -> (...)"""
    quaternion = np.asarray(quaternion, dtype=np.float64)
    w, x, y, z = (quaternion[..., index] for index in range(4))
    return np.arctan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


def wrap(angle: float | Array) -> Array:
    """The same angle in [-pi, pi)."""
    return (np.asarray(angle, dtype=np.float64) + np.pi) % (2.0 * np.pi) - np.pi


def from_rotvec(rotvec: Array) -> Array:
    """The exponential map. (..., 3) -> (..., 4)"""
    rotvec = np.asarray(rotvec, dtype=np.float64)
    if _few(rotvec):
        return _each(_exponential, rotvec)
    angle = _norm(rotvec)
    # np.sinc(x) = sin(pi x) / (pi x), exact at 0, so that sin(angle / 2) / angle needs no special case.
    return np.concatenate([np.cos(0.5 * angle), 0.5 * np.sinc(0.5 * angle / np.pi) * rotvec], axis=-1)


def to_rotvec(quaternion: Array) -> Array:
    """The logarithm, the shorter way: its norm is at most pi. (..., 4) -> (..., 3)"""
    quaternion = np.asarray(quaternion, dtype=np.float64)
    if _few(quaternion):
        return _each(_logarithm, quaternion)
    quaternion = np.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    w, vector = quaternion[..., :1], quaternion[..., 1:]
    sine = _norm(vector)  # of half the angle
    # arctan2 is exact near 0 and near pi, where arccos loses half of its digits.
    angle = 2.0 * np.arctan2(sine, w)
    scale = np.where(sine < _SMALL, 2.0, angle / np.maximum(sine, _SMALL))
    return scale * vector


def between(start: Array, end: Array) -> Array:
    """The rotation vector, in the frame of `start`, that leads from `start` to `end`. (..., 4), (..., 4) -> (..., 3)"""
    return to_rotvec(multiply(conjugate(start), end))


def slerp(start: Array, end: Array, fraction: float | Array) -> Array:
    """Constant rate along the shorter way from `start` (0) to `end` (1). (..., 4), (..., 4) -> (..., 4)"""
    fraction = np.asarray(fraction, dtype=np.float64)[..., None]
    return normalize(multiply(start, from_rotvec(fraction * between(start, end))))


def jacobian_inverse(rotvec: Array, rate: Array) -> Array:
    """How fast a rotation vector changes when its rotation turns at `rate` (rad/s, in the rotated frame).

    The inverse right Jacobian of SO(3) (Sola et al., "A micro Lie theory", eq. 144), with (1 + cos) / sin
    written as cot(angle / 2), which stays finite at pi. (..., 3), (..., 3) -> (..., 3)
    """
    angle = _norm(rotvec)
    safe = np.maximum(angle, 1e-4)  # below it the series 1/12 is exact to double precision
    factor = np.where(angle < 1e-4, 1.0 / 12.0, 1.0 / safe**2 - 0.5 / (safe * np.tan(0.5 * safe)))
    once = cross(rotvec, rate)
    return rate + 0.5 * once + factor * cross(rotvec, once)


def tilt(quaternion: Array) -> Array:
    """The angle between a frame's z axis and the vertical, rad. (..., 4) -> (...)"""
    quaternion = np.asarray(quaternion)
    x, y = quaternion[..., 1], quaternion[..., 2]
    return np.arccos(np.clip(1.0 - 2.0 * (x * x + y * y), -1.0, 1.0))


# The formulae, of numbers or of arrays of numbers.


def _product(left: Sequence[Any], right: Sequence[Any]) -> tuple[Any, ...]:
    aw, ax, ay, az = left
    bw, bx, by, bz = right
    return (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )


def _cross(left: Sequence[Any], right: Sequence[Any]) -> tuple[Any, ...]:
    ax, ay, az = left
    bx, by, bz = right
    return ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx


def _rotated(quaternion: Sequence[Any], vector: Sequence[Any]) -> tuple[Any, ...]:
    w, *axis = quaternion
    x, y, z = _cross(axis, vector)
    x, y, z = 2.0 * x, 2.0 * y, 2.0 * z
    p, q, r = _cross(axis, (x, y, z))
    return vector[0] + w * x + p, vector[1] + w * y + q, vector[2] + w * z + r


def _exponential(rotvec: Sequence[float]) -> tuple[float, ...]:
    x, y, z = rotvec
    angle = math.sqrt(x * x + y * y + z * z)
    if not math.isfinite(angle):
        return (math.nan,) * 4
    scale = math.sin(0.5 * angle) / angle if angle > 0 else 0.5
    return math.cos(0.5 * angle), scale * x, scale * y, scale * z


def _logarithm(quaternion: Sequence[float]) -> tuple[float, ...]:
    w, x, y, z = quaternion
    sine = math.sqrt(x * x + y * y + z * z)
    sign = -1.0 if w < 0 else 1.0
    scale = sign * (2.0 if sine < _SMALL else 2.0 * math.atan2(sine, sign * w) / sine)
    return scale * x, scale * y, scale * z


# From arrays to numbers and back.


def _few(*arrays: Array) -> bool:
    """Whether they are as many rotations each, and few."""
    rotations = arrays[0].shape[:-1]
    if not 0 < math.prod(rotations) <= _FEW:
        return False
    for array in arrays:  # noqa: SIM110 - `all` takes twice as long
        if array.dtype != _DOUBLE or array.shape[:-1] != rotations:
            return False
    return True


def _each(formula: Callable[..., tuple[float, ...]], *arrays: Array) -> Array:
    """The formula of each rotation's numbers."""
    if arrays[0].ndim == 1:
        return np.array(formula(*[array.tolist() for array in arrays]))
    rows = [array.reshape(-1, array.shape[-1]).tolist() for array in arrays]
    results = [formula(*numbers) for numbers in zip(*rows, strict=True)]
    return np.array(results).reshape(*arrays[0].shape[:-1], -1)


def _parts(array: Array) -> list[Array]:
    """(..., N) -> N arrays (...)"""
    return [array[..., index] for index in range(array.shape[-1])]


def _joined(parts: Sequence[Array]) -> Array:
    """The inverse of `_parts`; faster than `np.stack`."""
    array = np.empty((*parts[0].shape, len(parts)), parts[0].dtype)
    for index, part in enumerate(parts):
        array[..., index] = part
    return array


def _norm(vector: Array) -> Array:
    """As `np.linalg.norm` along the last dimension, which is kept. (..., N) -> (..., 1)"""
    return np.sqrt(np.add.reduce(vector * vector, axis=-1, keepdims=True))
