"""Poses in SE(3): the logarithm of a pose, and how it changes when the pose does. For inverse kinematics.

    rotation vector w, place p --log--> v, A, Q: the twist (v, w) that leads there in unit time, and what its rate is made of

With W = [w], V = [v] (cross products as matrices), t = |w| (Sola et al., "A micro Lie theory", eq. 146, 173, 179, 180):

    A = 1 - W / 2 + b W^2                                               the inverse left Jacobian of SO(3); v = A p
    Q = V / 2 + c (W V + V W + W V W) + d (W^2 V + V W^2 - 3 W V W)     the translation's part of
        + e (W V W^2 + W^2 V W)                                         the left Jacobian of SE(3)
    J = [A, -A Q A; 0, A]                                               the inverse left Jacobian of SE(3)

Products of cross products are outer products and multiples of 1: W V = v w' - (v.w), W V W = -(v.w) W,
W^2 V + V W^2 = -t^2 V - (v.w) W. So A and Q are both of the form [r] + u w' + w u' + s, which is what is computed here.
"""

from __future__ import annotations

import math

import numpy as np

Array = np.ndarray
Triple = tuple[float, float, float]

_SMALL = 0.03  # rad: below this the coefficients are their series, to 1e-10


def log(turn: Array, place: Array) -> tuple[Array, Array, Array]:
    """Of the pose with rotation vector `turn` (3,) and translation `place` (3,): v (3,), A (3, 3) and Q (3, 3)."""
    x, y, z = turn.tolist()
    square = x * x + y * y + z * z
    b, c, d, e = _coefficients(square)
    half = 0.5 * b
    inverse = _matrix((-0.5 * x, -0.5 * y, -0.5 * z), (half * x, half * y, half * z), (x, y, z), 1.0 - b * square)
    way = inverse @ place
    p, q, r = way.tolist()
    along = p * x + q * y + r * z
    f, g, h = 0.5 - d * square, (2.0 * d - c) * along, -e * along
    crossed = (f * p + g * x, f * q + g * y, f * r + g * z)
    paired = (c * p + h * x, c * q + h * y, c * r + h * z)
    return way, inverse, _matrix(crossed, paired, (x, y, z), 2.0 * along * (e * square - c))


def _matrix(r: Triple, u: Triple, w: Triple, s: float) -> Array:
    """[r] + u w' + w u' + s, where [r] k = r x k. (3, 3)"""
    (rx, ry, rz), (ux, uy, uz), (wx, wy, wz) = r, u, w
    xy, xz, yz = ux * wy + uy * wx, ux * wz + uz * wx, uy * wz + uz * wy
    return np.array(
        [
            [2.0 * ux * wx + s, xy - rz, xz + ry],
            [xy + rz, 2.0 * uy * wy + s, yz - rx],
            [xz - ry, yz + rx, 2.0 * uz * wz + s],
        ]
    )


def _coefficients(square: float) -> tuple[float, float, float, float]:
    """b, c, d, e of t^2: (1 - t/2 cot t/2) / t^2, (t - sin t) / t^3, (t^2/2 + cos t - 1) / t^4 and
    (2 t - 3 sin t + t cos t) / (2 t^5)."""
    if square < _SMALL**2:
        return (
            1.0 / 12.0 + square / 720.0,
            1.0 / 6.0 - square / 120.0,
            1.0 / 24.0 - square / 720.0,
            1.0 / 120.0 - square / 2520.0,
        )
    angle = math.sqrt(square)
    sine, cosine = math.sin(angle), math.cos(angle)
    return (
        (1.0 - 0.5 * angle / math.tan(0.5 * angle)) / square,
        (angle - sine) / (square * angle),
        (0.5 * square + cosine - 1.0) / square**2,
        (2.0 * angle - 3.0 * sine + angle * cosine) / (2.0 * square**2 * angle),
    )
