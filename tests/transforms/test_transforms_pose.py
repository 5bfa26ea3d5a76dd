"""The logarithm of a pose undoes its exponential, and its Jacobian is its derivative, at zero, near pi and in between."""

from __future__ import annotations

import numpy as np
import pytest

from volition.transforms import pose, rotation

SIZES = [0.0, 1e-9, 1e-6, 1e-4, 1e-2, 0.029, 0.031, 0.3, 1.0, 2.0, 3.1]


def exponential(twist: np.ndarray) -> np.ndarray:
    """(4, 4), by its series."""
    v, (x, y, z) = twist[:3], twist[3:]
    matrix = np.zeros((4, 4))
    matrix[:3, :3] = [[0, -z, y], [z, 0, -x], [-y, x, 0]]
    matrix[:3, 3] = v
    total, term = np.eye(4), np.eye(4)
    for order in range(1, 40):
        term = term @ matrix / order
        total += term
    return total


def twists(size: float):
    random = np.random.default_rng(3)
    for _ in range(20):
        turn = random.normal(size=3)
        yield np.concatenate([random.normal(size=3), size * turn / np.linalg.norm(turn)])


def logarithm(turn: np.ndarray, place: np.ndarray) -> np.ndarray:
    return np.concatenate([pose.log(turn, place)[0], turn])


@pytest.mark.parametrize("size", SIZES)
def test_the_logarithm_undoes_the_exponential(size: float) -> None:
    for twist in twists(size):
        place = exponential(twist)[:3, 3]
        np.testing.assert_allclose(logarithm(twist[3:], place), twist, rtol=0, atol=1e-9)


@pytest.mark.parametrize("size", SIZES)
def test_the_inverse_left_jacobian_is_its_derivative(size: float) -> None:
    """log(Exp(small) pose) is log(pose) + J small."""
    step = 1e-6
    for twist in twists(size):
        place = exponential(twist)[:3, 3]
        _, a, q = pose.log(twist[3:], place)
        jacobian = np.block([[a, -a @ q @ a], [np.zeros((3, 3)), a]])
        numeric = np.empty((6, 6))
        for column in range(6):
            ends = []
            for sign in (1.0, -1.0):
                small = np.zeros(6)
                small[column] = sign * step
                moved = exponential(small)
                turn = rotation.to_rotvec(
                    rotation.multiply(rotation.from_rotvec(small[3:]), rotation.from_rotvec(twist[3:]))
                )
                ends.append(logarithm(turn, moved[:3, :3] @ place + moved[:3, 3]))
            numeric[:, column] = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(jacobian, numeric, rtol=0, atol=1e-6)
