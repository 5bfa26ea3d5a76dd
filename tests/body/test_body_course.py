"""How things went since the robot was told: its way, its hands of late, the thing; the same live and from a recorded episode."""

from __future__ import annotations

import math

import numpy as np
import pytest
from body_tools import NAMES, felt

from volition.body.course import COURSE, HAND, LATELY, MOVED, SIDES, Course, courses, felt_by

DT = 0.1
NOWHERE = np.zeros(3)


def gone(course: Course, seconds: float, **numbers: float) -> np.ndarray:
    for _ in range(round(seconds / DT)):
        course.go(felt(**numbers), DT)
    return course.numbers(NOWHERE)


@pytest.fixture
def course() -> Course:
    one = Course(NAMES)
    one.go(felt(), 0.0)
    return one


def test_nothing_has_happened_when_it_is_told(course: Course) -> None:
    np.testing.assert_array_equal(course.numbers(NOWHERE), np.zeros(COURSE))


def test_who_walked_a_metre_began_a_metre_behind(course: Course) -> None:
    np.testing.assert_allclose(gone(course, 4.0, base_forward=0.25)[:3], [-1.0, 0.0, 0.0], atol=1e-9)


def test_who_turned_after_walking_has_the_beginning_elsewhere(course: Course) -> None:
    gone(course, 2.0, base_left=0.3)
    turned = gone(course, 2.0, base_turn=math.pi / 4)
    np.testing.assert_allclose(
        turned[:3], [-0.6, 0.0, math.pi / 2], atol=1e-9
    )  # to the left of the beginning, facing left


def test_how_far_the_thing_has_gone_is_told_as_the_robot_stands_now(course: Course) -> None:
    gone(course, 1.0, base_turn=math.pi / 2)
    np.testing.assert_allclose(
        course.numbers(np.array([-0.1, 0.0, 0.02]))[MOVED - 3 : MOVED], [0.0, 0.1, 0.02], atol=1e-9
    )


@pytest.mark.parametrize(("number", "lasts"), list(enumerate(LATELY)))
def test_a_hand_that_moved_is_off_its_mean_for_as_long_as_that_reaches_back(
    course: Course, number: int, lasts: float
) -> None:
    def off(numbers: np.ndarray) -> float:
        hands = numbers[MOVED:].reshape(len(LATELY), len(SIDES), len(HAND))
        assert not hands[:, SIDES.index("right")].any()
        return float(hands[number, SIDES.index("left"), HAND.index("z")])

    assert off(gone(course, DT, left_z=0.2)) == pytest.approx(0.2 * math.exp(-DT / lasts))
    assert off(gone(course, lasts, left_z=0.2)) == pytest.approx(0.2 * math.exp(-(DT + lasts) / lasts))


def test_a_recorded_episode_says_the_same_as_a_run() -> None:
    """The robot turns and walks while a hand moves; the thing is pulled 3 mm a frame."""
    run, frames = Course(NAMES), 40
    thing, states, places, said = np.array([0.4, 0.1, 0.95]), [], [], []
    for frame in range(frames):
        state = felt(base_forward=0.05, base_left=0.02, base_turn=0.1, base_roll=0.02, right_x=0.01 * frame)
        run.go(state, DT if frame else 0.0)
        pulled = np.array([-0.003 * frame, 0.0, 0.0])
        states.append(state)
        places.append(run.here(thing + pulled))
        said.append(run.numbers(pulled))
    recorded = courses(NAMES, np.array(states), np.array(places), DT)
    np.testing.assert_allclose(recorded, said, atol=1e-9)
    assert recorded[-1, MOVED - 3] < -0.1
    without = courses(NAMES, np.array(states), None, DT)
    np.testing.assert_array_equal(without[:, MOVED - 3 : MOVED], 0.0)
    np.testing.assert_array_equal(without[:, MOVED:], recorded[:, MOVED:])


def test_who_is_told_something_else_on_the_way_knows_where_that_was_and_where_the_run_began(course: Course) -> None:
    gone(course, 2.0, base_left=0.3)
    course.tell()
    numbers = gone(course, 1.0, base_forward=0.4)
    np.testing.assert_allclose(numbers[:3], [-0.4, 0.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(numbers[3:6], [-0.4, -0.6, 0.0], atol=1e-9)


def test_what_was_told_later_in_an_episode_counts_from_there_and_from_when_the_thing_was_seen() -> None:
    states = np.array([felt(base_left=0.3)] * 30)
    thing = np.full((30, 3), np.nan)
    thing[20:] = [0.4, 0.1, 0.95]  # it keeps pace with the robot from the 21st frame on
    recorded = courses(NAMES, states, thing, DT, told=10)
    assert not recorded[:10].any()
    np.testing.assert_allclose(recorded[10:, 1], -0.03 * np.arange(20), atol=1e-9)
    np.testing.assert_allclose(recorded[10:, 4], -0.03 * np.arange(10, 30), atol=1e-9)
    np.testing.assert_allclose(recorded[:21, MOVED - 3 : MOVED], 0.0, atol=1e-9)
    np.testing.assert_allclose(recorded[20:, MOVED - 2], 0.03 * np.arange(10), atol=1e-9)


def test_robots_that_do_not_feel_how_they_go_or_where_a_hand_is_are_found_out() -> None:
    assert felt_by(NAMES)
    assert not felt_by([name for name in NAMES if name != "base.turn"])
    assert not felt_by([name for name in NAMES if not name.startswith("left.")])
