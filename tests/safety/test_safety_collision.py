"""The collision model against the full meshes, and the look-ahead in a kinematic replay judged by the full meshes."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from safety_tools import DT, HIGH, HOME, LOW, ROBOT, broken_limits, command, state

from volition.robots.g1_assets import PACKAGE, SOURCE, light_g1
from volition.safety import reasons
from volition.safety.collision import REACH, CollisionModel
from volition.safety.shield import Shield

MARGIN = 0.01


@pytest.fixture(scope="module")
def model() -> CollisionModel:
    return CollisionModel(ROBOT, light_g1())


@pytest.fixture(scope="module")
def full() -> CollisionModel:
    """The original meshes with all vertices of their hulls: what MuJoCo itself would let touch."""
    found = importlib.util.find_spec(PACKAGE)
    assert found is not None
    assert found.submodule_search_locations
    path = Path(next(iter(found.submodule_search_locations))) / SOURCE / "g1_with_hands.xml"
    return CollisionModel(ROBOT, path, hull_vertices=-1)


def postures(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = np.repeat(ROBOT.home_position[None], count, axis=0)
    share = rng.uniform(0, 1, (count, 1))  # from near home to anywhere
    found[:, ROBOT.commanded_index] = HOME + share * (rng.uniform(LOW, HIGH, (count, len(HOME))) - HOME)
    return found


def test_home_is_free(model):
    assert model.distance(ROBOT.home_position)[0] > MARGIN


def test_no_true_penetration_passes_as_free(model, full):
    missed, free, refused = [], 0, 0
    for posture in postures(2000):
        seen, true = model.distance(posture)[0], full.distance(posture)[0]
        if seen >= MARGIN and true < -0.005:
            missed.append((seen, true))
        if true >= MARGIN:
            free += 1
            refused += seen < MARGIN
    assert missed == []
    assert free > 500
    assert refused / free < 0.04, f"{refused} of {free} postures free by more than the margin are refused"


def test_both_models_look_at_the_same_pairs(model, full):
    names = [model._model.body(number).name for number in range(1, model._model.nbody)]
    for first in names:
        for second in names:
            assert model.checks(first, second) == full.checks(first, second), (first, second)


def test_fingers_of_one_hand_may_meet(model):
    assert not model.checks("left_hand_thumb_2_link", "left_hand_index_1_link")
    assert model.checks("left_hand_thumb_2_link", "right_hand_index_1_link")
    assert model.checks("left_hand_thumb_2_link", "torso_link")


def target(**angles: float) -> np.ndarray:
    """Home with both arms' joints at an angle; the right arm mirrors the left."""
    wanted = HOME.copy()
    for number, joint in enumerate(ROBOT.commanded):
        for name, angle in angles.items():
            if joint.name.endswith(f"_{name}_joint"):
                flip = joint.name.startswith("right") and name not in ("shoulder_pitch", "elbow", "wrist_pitch")
                wanted[number] = -angle if flip else angle
    return wanted


INTO_EACH_OTHER = target(shoulder_pitch=-0.8, shoulder_roll=-0.4, shoulder_yaw=-0.6, elbow=0.4)
INTO_THE_TORSO = target(shoulder_pitch=0.3, shoulder_roll=-1.2, shoulder_yaw=-1.2, elbow=1.9)


class Replay:
    """The robot does exactly what is sent: positions become the next state."""

    def __init__(self, model, full):
        self.shield, self.full = Shield(ROBOT, collision=model), full
        self.posture, self.now = ROBOT.home_position.copy(), 0.0
        self.memory = self.shield.start(state())
        self.sent, self.truth, self.events = [HOME] * 3, [], []

    def go(self, wanted, ticks):
        for _ in range(ticks):
            made = command(wanted, self.now)
            sent, self.memory, found = self.shield.limit(made, state(self.posture, self.now), self.memory, self.now)
            self.posture = self.posture.copy()
            self.posture[ROBOT.commanded_index] = sent.position
            self.now += DT
            self.sent.append(sent.position)
            self.truth.append(self.full.distance(self.posture)[0])
            self.events.extend(found)


@pytest.mark.parametrize("wanted", [INTO_EACH_OTHER, INTO_THE_TORSO], ids=["each other", "torso"])
def test_hands_driven_into_the_robot_stop_before_and_may_leave(model, full, wanted):
    inside = ROBOT.home_position.copy()
    inside[ROBOT.commanded_index] = wanted
    assert full.distance(inside)[0] < 0, "the test's target must be a collision"
    replay = Replay(model, full)
    replay.go(wanted, 200)
    assert min(replay.truth) > 0
    assert any(event.reason == reasons.SELF_COLLISION and "/" in event.where for event in replay.events)
    assert (replay.sent[-1] == replay.sent[-40]).all(), "it rests in front of the obstacle, without chatter"
    replay.go(HOME, 100)
    assert (replay.sent[-1] == HOME).all()
    assert broken_limits(np.array(replay.sent), np.zeros((2, 3))) == []


def test_random_targets_never_touch(model, full):
    rng = np.random.default_rng(7)
    replay = Replay(model, full)
    for _ in range(30):
        replay.go(rng.uniform(LOW, HIGH), 25)
    assert min(replay.truth) > 0
    assert broken_limits(np.array(replay.sent), np.zeros((2, 3))) == []


def test_distance_saturates_at_reach(model):
    far = ROBOT.home_position.copy()
    far[ROBOT.commanded_index] = target(shoulder_roll=1.2)
    assert model.distance(far) == (REACH, "")
