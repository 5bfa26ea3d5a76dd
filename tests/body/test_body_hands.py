"""Fingers from one number: inside their limits, mirrored, and never further than open or closed."""

import numpy as np
import pytest
from body_tools import ROBOT

from volition.body.hands import Hand


def by_finger(side: str, grasp: float) -> dict[str, float]:
    names = [joint.name.removeprefix(f"{side}_hand_") for joint in ROBOT.group(f"{side}_hand")]
    return dict(zip(names, Hand(ROBOT, side).targets(grasp), strict=True))


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("grasp", [0.0, 0.25, 0.5, 1.0])
def test_targets_are_inside_the_limits(side, grasp):
    low, high = np.array([joint.position for joint in ROBOT.group(f"{side}_hand")]).T
    targets = Hand(ROBOT, side).targets(grasp)
    assert targets.shape == (7,)
    assert (targets >= low).all()
    assert (targets <= high).all()


@pytest.mark.parametrize("grasp", [0.0, 0.3, 1.0])
def test_left_and_right_are_mirrored(grasp):
    left, right = by_finger("left", grasp), by_finger("right", grasp)
    assert left == pytest.approx({name: -angle for name, angle in right.items()})


def test_closing_is_monotonic_and_bounded():
    hand = Hand(ROBOT, "right")
    path = np.array([hand.targets(grasp) for grasp in np.linspace(0, 1, 11)])
    steps = np.diff(path, axis=0)
    assert ((steps >= 0).all(axis=0) | (steps <= 0).all(axis=0)).all()
    assert np.abs(path[-1] - path[0]).max() > 1.0
    assert np.array_equal(hand.targets(-3.0), hand.targets(0.0))
    assert np.array_equal(hand.targets(7.0), hand.targets(1.0))
