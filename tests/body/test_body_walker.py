"""The walker against robots made of three numbers: perfect ones, lazy ones, ones that are held or shoved."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from body_tools import ROBOT, TICK, state

from volition.body.walker import Walker, WalkerConfig
from volition.transforms.rotation import wrap

STILL = np.zeros(3)
CONFIG = WalkerConfig()


class Floor:
    """A robot without legs: it moves by a share of what is asked, in its own heading."""

    def __init__(self, share: float = 1.0, heading: float = 0.0) -> None:
        self.share, self.pose = share, np.array([0.0, 0.0, heading])

    def state(self):
        return state(place=tuple(self.pose[:2]), heading=float(self.pose[2]))

    def move(self, velocity: np.ndarray) -> None:
        x, y, turn = self.share * np.asarray(velocity) * TICK
        middle = self.pose[2] + turn / 2
        cosine, sine = math.cos(middle), math.sin(middle)
        self.pose = self.pose + np.array([cosine * x - sine * y, sine * x + cosine * y, turn])


def go(walker: Walker, robot: Floor, wanted: np.ndarray, seconds: float) -> list[np.ndarray]:
    asked = []
    for _ in range(round(seconds / TICK)):
        asked.append(walker.step(wanted, robot.state()))
        robot.move(asked[-1])
    return asked


def test_the_reference_is_the_integral_of_what_is_wanted():
    """An arc of 0.5 m/s at 0.5 rad/s for 2 s: radius 1 m, angle 1 rad. The heading crosses pi on the way."""
    walker, robot = Walker(ROBOT), Floor(heading=2.9)
    go(walker, robot, np.array([0.5, 0.0, 0.5]), 2.0)
    a, b = 2.9, 3.9
    assert walker.reference == pytest.approx(
        [math.sin(b) - math.sin(a), math.cos(a) - math.cos(b), b - 2 * math.pi], abs=1e-4
    )
    sideways, robot = Walker(ROBOT), Floor(heading=math.pi / 2)
    go(sideways, robot, np.array([0.0, 0.3, 0.0]), 2.0)
    assert sideways.reference == pytest.approx([-0.6, 0.0, math.pi / 2], abs=1e-9)


@pytest.mark.parametrize("share", [0.6, 0.75, 0.9, 1.1])
@pytest.mark.parametrize(
    ("wanted", "goal"),
    [((0.5, 0, 0), (1, 0, 0)), ((-0.5, 0, 0), (-1, 0, 0)), ((0, 0.3, 0), (0, 0.6, 0)), ((0, 0, -0.5), (0, 0, -1))],
)
def test_a_robot_that_walks_a_share_of_what_is_asked_still_arrives_and_then_stands(share, wanted, goal):
    walker, robot = Walker(ROBOT), Floor(share)
    go(walker, robot, np.array(wanted, dtype=float), 2.0)
    asked = go(walker, robot, STILL, 4.0)
    patience = 1.0 + CONFIG.relax * 2.0  # it stands within two seconds
    assert np.linalg.norm(robot.pose[:2] - goal[:2]) < patience * CONFIG.arrive[0]
    assert abs(wrap(robot.pose[2] - goal[2])) < patience * CONFIG.arrive[1]
    assert not np.any(asked[-50:])


def test_the_reference_waits_for_a_robot_that_is_held():
    walker, held = Walker(ROBOT), state()
    for _ in range(round(10 / TICK)):
        asked = walker.step(np.array([0.5, 0.2, 0.7]), held)
        assert np.all(np.abs(asked) <= CONFIG.most)
    far, turn = CONFIG.leash
    assert np.linalg.norm(walker.reference[:2]) <= far + 1e-9
    assert abs(walker.reference[2]) <= turn + 1e-9
    assert np.linalg.norm(walker.reference[:2]) > 0.5 * far


def test_a_robot_that_is_let_go_does_not_run_after_the_time_it_was_held():
    walker, robot = Walker(ROBOT), Floor(0.0)
    go(walker, robot, np.array([0.5, 0.0, 0.0]), 20.0)
    robot.share = 0.8
    go(walker, robot, STILL, 6.0)
    assert robot.pose[0] <= CONFIG.leash[0] + 0.1


@pytest.mark.parametrize(
    ("place", "heading", "steps"),
    [((0.07, 0), 0, False), ((0, 0.09), 0, True), ((0, 0), 0.07, False), ((0, 0), -0.09, True)],
)
def test_a_standing_robot_steps_back_only_from_far_enough(place, heading, steps):
    walker = Walker(ROBOT)
    for _ in range(60):
        assert not np.any(walker.step(STILL, state()))
    shoved = state(place=place, heading=heading)
    asked = [walker.step(STILL, shoved) for _ in range(60)]
    assert np.any(asked) == steps
    if steps:  # back towards where it was
        back = np.array([-place[0], -place[1], -heading])
        assert asked[-1] @ back > 0


def test_walking_goes_on_until_it_has_been_close_for_a_while():
    """Between `arrive` and `leave` a standing robot stays, and a walking one goes on for a while: it does not dither."""
    between = state(place=(0.075, 0.0))
    standing, walking = Walker(ROBOT), Walker(ROBOT)
    for walker in (standing, walking):
        walker.step(STILL, state())
    for _ in range(60):
        assert not np.any(standing.step(STILL, between))
    for _ in range(60):
        walking.step(STILL, state(place=(0.10, 0.0)))
    for _ in range(50):
        assert np.any(walking.step(STILL, between))
    near = [np.any(walking.step(STILL, state())) for _ in range(150)]
    assert near[round(CONFIG.stay / TICK) - 2]
    assert not near[-1]
    assert sum(first != second for first, second in itertools.pairwise(near)) == 1


def test_a_robot_that_comes_no_nearer_stands_at_last():
    """`arrive` grows with the time since the last command, up to what a standing robot tolerates anyway."""
    walker = Walker(ROBOT)
    walker.step(STILL, state())
    asked = [np.any(walker.step(np.array([0.2, 0.0, 0.0]), state())) for _ in range(5)]
    asked += [np.any(walker.step(STILL, state(place=(0.095, 0.0)))) for _ in range(300)]
    assert all(asked[:60])
    assert not asked[-1]


def test_sway_within_a_stride_is_not_an_error():
    """A pelvis that sways 4 cm once a stride around its place stays standing."""
    walker = Walker(ROBOT)
    walker.step(STILL, state())
    for tick in range(400):
        sway = 0.04 * math.sin(2 * math.pi * tick * TICK / CONFIG.window)
        assert not np.any(walker.step(STILL, state(place=(0.0, sway))))


def test_reset_starts_where_the_robot_is_then():
    walker = Walker(ROBOT)
    assert walker.reference is None
    walker.step(STILL, state())
    walker.reset()
    assert walker.reference is None
    assert not np.any(walker.step(STILL, state(place=(3.0, -2.0), heading=1.0)))
    assert walker.reference == pytest.approx([3.0, -2.0, 1.0])
