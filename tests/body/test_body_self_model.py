"""The robot's model of itself: gravity on the arms and where they shift its centre of mass."""

from __future__ import annotations

import math

import numpy as np
import pytest
from body_tools import ROBOT, state

from volition.body.self_model import SelfModel

NAMES = [joint.name for joint in ROBOT.commanded]


@pytest.fixture(scope="module")
def model():
    return SelfModel(ROBOT)


def posed(**angles):
    position = ROBOT.home_position.copy()
    for name, angle in angles.items():
        position[ROBOT.joint_names.index(f"{name}_joint")] = angle
    return position


def test_home_shifts_nothing_and_is_symmetric(model):
    model.update(state())
    assert model.shift == pytest.approx([0, 0, 0], abs=1e-9)
    left, right = (model.gravity[NAMES.index(f"{side}_shoulder_pitch_joint")] for side in ("left", "right"))
    assert left == pytest.approx(right, rel=0.02)


def test_arms_held_forward_shift_the_mass_forward_and_pull_at_the_shoulders(model):
    model.update(state(position=posed(left_shoulder_pitch=-1.57, right_shoulder_pitch=-1.57)))
    assert 0.02 < model.shift[0] < 0.15
    assert abs(model.shift[1]) < 0.005
    for side in ("left", "right"):
        assert 2 < abs(model.gravity[NAMES.index(f"{side}_shoulder_pitch_joint")]) < 15  # N m


def test_the_shift_is_in_the_pelvis_frame_whatever_the_heading(model):
    position = posed(left_shoulder_pitch=-1.57)
    shifts = []
    for heading in (0.0, 1.0, -2.5, math.pi):
        model.update(state(position=position, heading=heading))
        shifts.append(model.shift)
    assert np.ptp(shifts, axis=0) == pytest.approx([0, 0, 0], abs=1e-9)
