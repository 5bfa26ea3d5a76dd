"""Where things should be: eyes that err for a moment are not believed, a robot that walks knows how far, a hand takes what it holds along."""

from __future__ import annotations

import math

import numpy as np
import pytest
from body_tools import NAMES, felt

from volition.body.course import MOVED
from volition.body.whereabouts import AGAIN, GATE, KNOWN, LONG, ROLES, SETTLE, Whereabouts

THING, PLACE = np.array([0.4, 0.1, 0.2]), np.array([0.35, -0.2, 0.1])
ASTRAY = np.array([0.0, 0.3, 0.0])
SURE = np.ones(ROLES)
DT = 0.1


class Run:
    """Decisions one after the other, DT apart."""

    def __init__(self) -> None:
        self.one, self.stamp = Whereabouts(NAMES), 5.0

    def look(self, thing: np.ndarray, sure: np.ndarray = SURE, count: int = 1, **numbers: float) -> np.ndarray:
        """What is expected after these looks, at the same state."""
        for _ in range(count):
            self.expect(**numbers)
            self.one.found(np.stack([thing, PLACE]), sure)
        return self.one.expect(felt(**numbers), self.stamp)

    def expect(self, passed: float = DT, **numbers: float) -> np.ndarray:
        self.stamp += passed
        return self.one.expect(felt(**numbers), self.stamp)


@pytest.fixture
def run() -> Run:
    return Run()


def test_nothing_is_expected_before_anything_was_seen(run: Run) -> None:
    first = run.expect()
    assert first.shape == (ROLES, KNOWN)
    np.testing.assert_array_equal(first[:, 3], 1.0)  # a new look is believed wholly
    np.testing.assert_array_equal(first[:, 5], 0.0)
    assert (first[:, 4] > 100).all()


def test_what_was_seen_a_few_times_is_known_and_expected_where_it_was(run: Run) -> None:
    assert run.look(THING, count=SETTLE - 1)[0, 5] == 0.0
    known = run.look(THING)
    np.testing.assert_allclose(known[:, :3], [THING, PLACE], atol=1e-9)
    np.testing.assert_array_equal(known[:, 5], 1.0)
    np.testing.assert_allclose(known[:, 4], GATE)


def test_the_first_looks_count_by_their_middle(run: Run) -> None:
    run.look(THING + ASTRAY)
    np.testing.assert_allclose(run.look(THING, count=SETTLE - 1)[0, :3], THING, atol=1e-9)


def test_looks_that_lead_astray_for_a_moment_are_not_believed(run: Run) -> None:
    run.look(THING, count=SETTLE + 5)
    after = run.look(THING + ASTRAY, count=AGAIN // 2)
    np.testing.assert_allclose(after[0, :3], THING, atol=1e-9)


def test_what_is_far_away_is_seen_more_vaguely_and_believed_all_the_same(run: Run) -> None:
    far = np.array([3.0, 0.5, -0.7])
    run.look(far, count=SETTLE)
    closer = far - [0.15, 0.0, 0.0]
    after = run.look(closer, count=20)
    np.testing.assert_allclose(after[0, :3], closer, atol=0.01)
    assert after[0, 4] == pytest.approx(GATE[0] * np.linalg.norm(after[0, :3]) / 0.6)


def test_who_is_told_something_else_knows_nothing_of_it_yet_and_how_far_it_has_come(run: Run) -> None:
    run.look(THING, count=SETTLE)
    run.look(THING, count=10, base_left=0.3)
    run.one.reset()
    after = run.expect(base_left=0.3)
    np.testing.assert_array_equal(after[:, 5], 0.0)
    course = run.one.course()
    np.testing.assert_allclose(course[:6], [0.0, -0.03, 0.0, 0.0, -0.33, 0.0], atol=1e-9)
    run.expect(passed=2 * LONG)
    assert not run.one.course()[:6].any(), "another run"


def test_what_is_found_elsewhere_again_and_again_is_there(run: Run) -> None:
    run.look(THING, count=SETTLE + 5)
    after = run.look(THING + ASTRAY, count=AGAIN)
    np.testing.assert_allclose(after[0, :3], THING + ASTRAY, atol=1e-9)


def test_looks_about_it_move_it_slowly_and_a_place_more_slowly(run: Run) -> None:
    run.look(THING, count=SETTLE)
    run.expect()
    aside = np.array([0.02, 0.0, 0.0])
    run.one.found(np.stack([THING + aside, PLACE + aside]), SURE)
    moved = run.one.expect(felt(), run.stamp)[:, 0] - [THING[0], PLACE[0]]
    assert 0 < moved[1] < moved[0] < aside[0]


def test_looks_that_see_nothing_say_nothing(run: Run) -> None:
    run.look(THING, count=SETTLE)
    after = run.look(THING + 0.01, sure=np.zeros(ROLES), count=3)
    np.testing.assert_allclose(after[0, :3], THING, atol=1e-9)
    assert after[0, 5] == 1.0


def test_a_robot_that_walks_and_turns_expects_things_where_they_are_from_there(run: Run) -> None:
    run.look(THING, count=SETTLE)
    for _ in range(10):
        ahead = run.expect(base_forward=0.2, base_left=-0.1)
    np.testing.assert_allclose(ahead[0, :3], THING - [0.2, -0.1, 0.0], atol=1e-9)
    for _ in range(10):
        turned = run.expect(base_turn=math.pi / 2)
    x, y, z = THING - [0.2, -0.1, 0.0]
    np.testing.assert_allclose(turned[0, :3], [y, -x, z], atol=1e-9)


def test_a_pelvis_that_leans_or_sinks_expects_things_where_they_are_from_there(run: Run) -> None:
    run.look(THING, count=SETTLE)
    low = run.expect(base_height=0.70)
    np.testing.assert_allclose(low[0, :3], THING + np.array([0.0, 0.0, 0.05]), atol=1e-9)
    forwards = run.expect(base_pitch=0.1)  # bows: what is ahead comes nearer to its up
    assert forwards[0, 2] > THING[2] + 0.02
    assert np.linalg.norm(forwards[0, :3]) == pytest.approx(np.linalg.norm(THING))


def hand(at: np.ndarray, closed: float) -> dict[str, float]:
    return {"left_x": at[0], "left_y": at[1], "left_z": at[2], "left_closed": closed}


def test_what_is_in_a_hand_goes_with_it_whatever_eyes_find_and_stays_where_it_is_let_go(run: Run) -> None:
    run.look(THING, count=SETTLE)
    run.expect(**hand(THING, 0.0))
    for _ in range(5):
        run.expect(**hand(THING, 0.6))
    up = np.array([0.0, 0.05, 0.15])
    held = run.look(THING + ASTRAY, count=AGAIN + 3, **hand(THING + up, 0.6))
    np.testing.assert_allclose(held[0, :3], THING + up, atol=1e-9)
    assert held[0, 3] == 0.0  # no look counts
    run.expect(**hand(THING + up, 0.1))
    gone = run.look(THING + up, **hand(THING - up, 0.0))
    np.testing.assert_allclose(gone[0, :3], THING + up, atol=1e-9)


def test_a_hook_takes_nothing_along_and_what_it_pulls_is_followed_by_looks(run: Run) -> None:
    run.look(THING, count=SETTLE)
    for number in range(8):  # it comes from aside, bent
        run.expect(**hand(THING + np.array([0.0, 0.01 * (8 - number), 0.0]), 0.5))
    pulled, step = THING.copy(), np.array([-0.01, 0.0, 0.0])
    for _ in range(10):
        pulled += step
        followed = run.look(pulled, **hand(pulled, 0.8))
    assert np.linalg.norm(followed[0, :3] - pulled) < 0.03
    slipped = run.look(pulled, **hand(pulled + 5 * step, 0.8), count=8)
    np.testing.assert_allclose(slipped[0, :3], pulled, atol=0.005)


@pytest.mark.parametrize("closed", [0.0, 0.95], ids=["open", "a fist"])
def test_hands_that_hold_nothing_take_nothing_along(run: Run, closed: float) -> None:
    run.look(THING, count=SETTLE)
    run.expect(**hand(THING, 0.0))
    for _ in range(5):
        run.expect(**hand(THING, closed))
    after = run.expect(**hand(THING + 0.2, closed))
    np.testing.assert_allclose(after[0, :3], THING, atol=1e-9)


@pytest.mark.parametrize("passed", [LONG + 0.5, -1.0], ids=["a long time", "backwards"])
def test_who_was_not_asked_for_long_knows_nothing(run: Run, passed: float) -> None:
    run.look(THING, count=SETTLE)
    assert run.expect(passed)[0, 5] == 0.0


def test_looks_that_are_no_numbers_say_nothing(run: Run) -> None:
    run.look(np.full(3, np.nan), count=2)
    known = run.look(THING, count=SETTLE)
    np.testing.assert_allclose(known[0, :3], THING, atol=1e-9)


def test_how_far_the_thing_has_gone_is_by_where_it_was_found_first(run: Run) -> None:
    run.look(THING, count=SETTLE)
    np.testing.assert_allclose(run.one.course()[:MOVED], 0.0, atol=1e-9)
    pulled = np.array([-0.05, 0.0, 0.0])
    run.look(THING + pulled, count=40)
    np.testing.assert_allclose(run.one.course()[:MOVED], [*[0.0] * (MOVED - 3), *pulled], atol=1e-3)


def test_what_was_found_elsewhere_after_all_has_not_gone_there(run: Run) -> None:
    run.look(THING, count=SETTLE)
    run.look(THING + ASTRAY, count=AGAIN)
    np.testing.assert_allclose(run.one.course()[:MOVED], 0.0, atol=1e-9)
