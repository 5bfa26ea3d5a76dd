"""Rotations in numpy: unit quaternions (wxyz) and rotation vectors (rad), over any leading dimensions.

Used wherever two rotations are compared, blended or interpolated: the executor, the body, the transforms.
A quaternion and its negative are the same rotation; functions that measure from one rotation to another take
the shorter way unless they say otherwise.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray
IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])
IDENTITY.setflags(write=False)

_SMALL = 1e-8  # rad: below this a rotation's sine and cosine are their series to double precision


def normalize(quaternion: Array) -> Array:
    """The unit quaternion along a non-zero one. (..., 4) -> (..., 4)"""
    return quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True)


def multiply(left: Array, right: Array) -> Array:
    """Hamilton's product: `right` is applied first. (..., 4), (..., 4) -> (..., 4)"""
    aw, ax, ay, az = (left[..., index] for index in range(4))
    bw, bx, by, bz = (right[..., index] for index in range(4))
    w = aw * bw - ax * bx - ay * by - az * bz
    product = np.empty((*w.shape, 4), w.dtype)
    product[..., 0] = w
    product[..., 1] = aw * bx + ax * bw + ay * bz - az * by
    product[..., 2] = aw * by - ax * bz + ay * bw + az * bx
    product[..., 3] = aw * bz + ax * by - ay * bx + az * bw
    return product


def cross(left: Array, right: Array) -> Array:
    """As `np.cross`, which is slow for a single vector. (..., 3), (..., 3) -> (..., 3)"""
    ax, ay, az = (left[..., index] for index in range(3))
    bx, by, bz = (right[..., index] for index in range(3))
    x = ay * bz - az * by
    product = np.empty((*x.shape, 3), x.dtype)
    product[..., 0] = x
    product[..., 1] = az * bx - ax * bz
    product[..., 2] = ax * by - ay * bx
    return product


def conjugate(quaternion: Array) -> Array:
    """The inverse of a unit quaternion. (..., 4) -> (..., 4)"""
    return quaternion * np.array([1.0, -1.0, -1.0, -1.0])


def rotate(quaternion: Array, vector: Array) -> Array:
    """The vector turned by the quaternion. (..., 4), (..., 3) -> (..., 3)"""
    w, axis = quaternion[..., :1], quaternion[..., 1:]
    twice = 2.0 * cross(axis, vector)
    return vector + w * twice + cross(axis, twice)


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
    angle = np.linalg.norm(rotvec, axis=-1, keepdims=True)
    # np.sinc(x) = sin(pi x) / (pi x), exact at 0, so that sin(angle / 2) / angle needs no special case.
    return np.concatenate([np.cos(0.5 * angle), 0.5 * np.sinc(0.5 * angle / np.pi) * rotvec], axis=-1)


def to_rotvec(quaternion: Array) -> Array:
    """The logarithm, the shorter way: its norm is at most pi. (..., 4) -> (..., 3)"""
    quaternion = np.asarray(quaternion, dtype=np.float64)
    quaternion = np.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    w, vector = quaternion[..., :1], quaternion[..., 1:]
    sine = np.linalg.norm(vector, axis=-1, keepdims=True)  # of half the angle
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
    angle = np.linalg.norm(rotvec, axis=-1, keepdims=True)
    safe = np.maximum(angle, 1e-4)  # below it the series 1/12 is exact to double precision
    factor = np.where(angle < 1e-4, 1.0 / 12.0, 1.0 / safe**2 - 0.5 / (safe * np.tan(0.5 * safe)))
    once = cross(rotvec, rate)
    return rate + 0.5 * once + factor * cross(rotvec, once)


def tilt(quaternion: Array) -> Array:
    """The angle between a frame's z axis and the vertical, rad. (..., 4) -> (...)"""
    quaternion = np.asarray(quaternion)
    x, y = quaternion[..., 1], quaternion[..., 2]
    return np.arccos(np.clip(1.0 - 2.0 * (x * x + y * y), -1.0, 1.0))
