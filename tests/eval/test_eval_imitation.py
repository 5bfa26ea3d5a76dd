"""How near a policy is to the expert: worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("torch")

from volition.eval.imitation import compared

NAMES = [*(f"{side}.{axis}" for side in ("left", "right") for axis in "xyz"), "base.forward", "base.left"]


def test_walking_that_is_followed_and_hands_that_are_off() -> None:
    right = np.zeros((5, len(NAMES)))
    right[:3, -1] = 0.2  # walks to the left
    said = right.copy()
    said[0, -1] = 0.11  # more than half as fast
    said[1, -1] = -0.2  # the other way
    said[2, -2:] = (0.3, 0.0)  # aside
    said[3, -2] = 0.1  # walks where the expert stands
    said[:, 0] = 0.03  # the left hand 30 mm off, the right one where it should be
    carry, press, every = compared(said, right, NAMES, ["carry"] * 4 + ["press"])
    assert (carry.frames, carry.walking, carry.followed, carry.strayed) == (4, 3, pytest.approx(1 / 3), 1.0)
    assert (press.frames, press.walking, press.strayed) == (1, 0, 0.0)
    assert math.isnan(press.followed)
    assert (every.skill, every.frames, every.strayed) == ("all", 5, 0.5)
    assert every.hands_mm == pytest.approx(15.0)
