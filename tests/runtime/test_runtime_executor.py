"""Chunks become smooth 50 Hz actions: no jump, no NaN, late steps skipped, discrete never between two ids."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from volition.errors import ContractError
from volition.robots.g1 import g1
from volition.runtime.executor import Executor
from volition.transforms import rotation
from volition.types import ActionChunk, ActionDimension, ActionSpec

# One of each kind: a rotation, an absolute value, a velocity, a discrete choice.
SPEC = ActionSpec(
    name="test",
    dimensions=(
        *(ActionDimension(name=f"r{axis}", unit="rad", meaning="absolute", low=-np.pi, high=np.pi) for axis in "xyz"),
        ActionDimension(name="x", unit="m", meaning="absolute", low=-1, high=1),
        ActionDimension(name="v", unit="m/s", meaning="velocity", low=-1, high=1),
        ActionDimension(name="id", unit="id", meaning="discrete", low=0, high=9),
    ),
    rotations=(0,),
)
X, V, ID = 3, 4, 5


def chunk(stamp: float, values, dt: float = 0.1, spec: str = "test") -> ActionChunk:
    return ActionChunk(stamp=stamp, values=np.asarray(values, dtype=float), dt=dt, spec=spec)


def steps(x, *, r=(0.0, 0.0, 0.0), v=0.0, id=0):
    """A block of steps with x given and the rest constant."""
    return np.array([[*r, value, v, id] for value in x])


def angle(a, b) -> float:
    return float(np.linalg.norm(rotation.between(rotation.from_rotvec(a[:3]), rotation.from_rotvec(b[:3]))))


def run(executor: Executor, begin: float, end: float, dt: float = 0.02):
    times = np.arange(round((end - begin) / dt) + 1) * dt + begin
    return times, np.array([executor.sample(now).values for now in times])


def test_steps_are_reached_at_their_time():
    executor = Executor(SPEC)
    assert executor.sample(0.0) is None
    assert executor.accept(chunk(1.0, steps([0.1, 0.2, 0.4, 0.3])), 1.0)
    run(executor, 1.0, 1.18)
    for k, wanted in ((2, 0.2), (3, 0.4), (4, 0.3)):
        point = executor.sample(1.0 + 0.1 * k)
        assert point.values[X] == pytest.approx(wanted)
        assert point.chunk_stamp == 1.0
        assert point.exhausted == pytest.approx(0.0)
        assert point.spec == "test"


def test_no_overshoot_between_steps():
    executor = Executor(SPEC)
    executor.accept(chunk(0.0, steps([0, 0, 1, 1, -1, -1])), 0.0)
    _, values = run(executor, 0.0, 1.0)
    assert values[:, X].max() <= 1.0
    assert values[:, X].min() >= -1.0


def test_late_chunk_skips_the_steps_whose_time_has_passed():
    executor = Executor(SPEC)
    executor.accept(chunk(1.0, steps(np.linspace(0.1, 0.8, 8))), 1.35)
    assert executor.sample(1.35).values[X] == pytest.approx(0.35, abs=0.01)
    assert executor.sample(1.6).values[X] == pytest.approx(0.6)


@pytest.mark.parametrize("late", [0.0, 0.06, 0.25])
def test_a_policy_that_goes_on_along_its_way_makes_no_ripple(late):
    executor = Executor(SPEC)
    executor.accept(chunk(0.0, line(0.0)), 0.0)
    now, before = 0.02, executor.sample(0.02).values
    for stamp in np.arange(1, 14) * 0.1:
        while now < stamp + late - 1e-9:
            before = executor.sample(now).values
            if now > 0.85:  # what was left of the start has faded
                assert before[[X, V]] == pytest.approx([0.8 * now, 0.3], abs=5e-4)
                assert angle(before, np.array([0, 2.0 * now, 0])) < 1e-3
            now += 0.02
        assert executor.accept(chunk(stamp, line(stamp)), now)


def line(stamp):
    times = stamp + 0.1 * np.arange(1, 9)
    return np.array([[0, 2.0 * t, 0, 0.8 * t, 0.3, 0] for t in times])


def test_a_policy_that_stands_and_then_moves_does_not_move_back_first():
    executor = Executor(SPEC)
    executor.accept(chunk(0.0, steps([0.0] * 8)), 0.0)
    run(executor, 0.0, 0.2)
    executor.accept(chunk(0.2, steps([0.0, 0.1, 0.2, 0.3])), 0.25)
    _, values = run(executor, 0.25, 0.7)
    assert (np.diff(values[:, X]) >= -1e-9).all()


def test_chunk_that_comes_after_all_its_steps_is_refused():
    executor = Executor(SPEC)
    assert not executor.accept(chunk(0.0, steps([1, 1])), 0.2)
    assert executor.sample(0.2) is None


def test_older_chunk_does_not_replace_a_newer():
    executor = Executor(SPEC)
    executor.accept(chunk(0.5, steps([0.5] * 9)), 0.5)
    assert not executor.accept(chunk(0.4, steps([-0.5] * 9)), 0.52)
    assert executor.sample(0.8).values[X] == pytest.approx(0.5)


def test_first_chunk_starts_at_the_anchor():
    executor = Executor(SPEC)
    anchor = np.array([0, 0, 1.0, -0.4, 0.0, 3])
    executor.reset(anchor)
    executor.accept(chunk(0.0, steps([0.4] * 5, v=0.5, id=7)), 0.03)
    start = executor.sample(0.03).values
    assert start[[X, V, ID]] == pytest.approx([-0.4, 0.0, 3])
    assert angle(start, anchor) < 1e-9
    _, values = run(executor, 0.03, 0.5)
    assert np.abs(np.diff(values[:, X])).max() < 0.02 * 1.5 * (0.8 / 0.15 + 0.8 / 0.1)
    assert values[-1, X] == pytest.approx(0.4)


def test_without_an_anchor_velocities_start_at_zero():
    executor = Executor(SPEC)
    executor.accept(chunk(0.0, steps([0.4] * 5, v=0.6)), 0.0)
    assert executor.sample(0.0).values[V] == 0.0
    assert executor.sample(0.0).values[X] == pytest.approx(0.4)
    assert executor.sample(0.16).values[V] == pytest.approx(0.6)


def test_after_the_end_values_are_held_and_velocities_let_down():
    executor = Executor(SPEC)
    executor.accept(chunk(0.0, steps([0.1, 0.3], r=(0, 0.5, 0), v=0.6, id=4)), 0.0)
    run(executor, 0.0, 0.2)
    assert executor.sample(0.2).values[V] == pytest.approx(0.6)
    middle = executor.sample(0.3)
    assert middle.values[V] == pytest.approx(0.3)
    assert middle.exhausted == pytest.approx(0.1)
    after = executor.sample(5.0)
    assert after.exhausted == pytest.approx(4.8)
    assert after.values == pytest.approx([0, 0.5, 0, 0.3, 0.0, 4])


def test_discrete_is_never_interpolated():
    executor = Executor(SPEC)
    block = steps([0] * 4)
    block[:, ID] = [2, 9, 9, 0]
    executor.accept(chunk(0.0, block), 0.0)
    times, values = run(executor, 0.0, 0.2)
    assert set(values[:, ID]) == {2.0, 9.0}
    assert values[np.isclose(times, 0.18), ID] == 2
    assert values[np.isclose(times, 0.20), ID] == 9
    # The next chunk's first step is meant for 0.32: until then the present choice goes on.
    executor.accept(chunk(0.22, steps([0] * 4, id=5)), 0.24)
    times, values = run(executor, 0.24, 0.6)
    assert set(values[times < 0.319, ID]) == {9.0}
    assert set(values[times > 0.321, ID]) == {5.0}
    # One that comes in its middle switches at once, whole, while the rest blends.
    executor.accept(chunk(0.42, steps([0.5] * 6, id=8)), 0.6)
    assert set(run(executor, 0.6, 0.9)[1][:, ID]) == {8.0}


def test_rotations_take_the_shorter_way_near_pi():
    executor = Executor(SPEC)
    executor.accept(chunk(0.0, np.array([[0, 0, z, 0, 0, 0] for z in (3.0, 3.1, -3.1, -3.0)])), 0.0)
    _, values = run(executor, 0.0, 0.4)
    turned = [angle(a, b) for a, b in itertools.pairwise(values)]
    assert sum(turned) == pytest.approx(2 * np.pi - 6.0, abs=1e-6)


def test_blending_rotations_takes_the_shorter_way_near_pi():
    executor = Executor(SPEC)
    executor.accept(chunk(0.0, steps([0] * 9, r=(0, 0, 3.0))), 0.0)
    run(executor, 0.0, 0.3)
    executor.accept(chunk(0.3, steps([0] * 9, r=(0, 0, -3.0))), 0.3)
    _, values = run(executor, 0.3, 0.6)
    turned = [angle(a, b) for a, b in itertools.pairwise(values)]
    assert sum(turned) == pytest.approx(2 * np.pi - 6.0, abs=0.02)
    assert angle(values[-1], np.array([0, 0, -3.0])) < 1e-6


FINE = 1e-4  # s
RAMP = np.arange(1, 13)[:, None]


def test_rotation_rate_is_continuous_from_step_to_step():
    """Ways of about a radian about changing axes, where the slope at a way's end depends on the way itself."""
    executor = Executor(SPEC)
    block = np.zeros((12, 6))
    block[:, :3] = [1, 0.6, -0.5] * np.sin([0.9, 0.7, 0.5] * RAMP)
    executor.accept(chunk(0.0, block), 0.0)
    rates = turning(run(executor, 0.0, 1.4, FINE)[1])
    assert np.linalg.norm(rates, axis=1).max() > 5
    assert np.linalg.norm(np.diff(rates, axis=0), axis=1).max() < 0.3


def test_rates_are_continuous_through_a_replacement():
    """From one way into the opposite: without matched rates there would be a kink of 2 m/s and 6 rad/s."""
    executor = Executor(SPEC)
    there = np.hstack([RAMP * [0.3, 0.0, 0.1], RAMP * 0.1 - 0.6, 0 * RAMP, 0 * RAMP])
    back = np.hstack([RAMP * [-0.1, 0.3, 0.0], -RAMP * 0.1 + 0.4, 0 * RAMP, 0 * RAMP])
    executor.accept(chunk(0.0, there), 0.0)
    first = run(executor, 0.0, 0.45, FINE)[1]
    executor.accept(chunk(0.2, back), 0.45)
    values = np.concatenate([first, run(executor, 0.45, 1.6, FINE)[1][1:]])
    rates = np.diff(values[:, X]) / FINE
    assert rates.max() > 0.9
    assert rates.min() < -0.9
    assert np.abs(np.diff(rates)).max() < 0.05
    assert np.linalg.norm(np.diff(turning(values), axis=0), axis=1).max() < 0.1


def turning(values):
    quaternions = rotation.from_rotvec(values[:, :3])
    return rotation.between(quaternions[:-1], quaternions[1:]) / FINE


unit = st.floats(-1, 1, allow_nan=False, width=32)
STEP = 0.05  # of the range, the most a random chunk moves from one step to the next


@st.composite
def blocks(draw):
    """Anywhere in the range, so that chunks disagree wildly, but each is smooth in itself: what jumps is the join."""
    k = draw(st.integers(1, 8))
    start = np.array(draw(st.tuples(*[unit] * 5)))
    walk = np.array(draw(st.lists(st.tuples(*[unit] * 5), min_size=k, max_size=k))) * STEP
    values = np.clip(start + np.cumsum(walk, axis=0), -1, 1) * np.array([np.pi, np.pi, np.pi, 1, 1])
    ids = draw(st.lists(st.integers(0, 9), min_size=k, max_size=k))
    return np.column_stack([values, ids])


arrivals = st.lists(
    st.tuples(st.floats(0.0, 0.35), st.floats(0.0, 0.4), blocks(), st.sampled_from([0.1, 0.2])),
    min_size=1,
    max_size=6,
)
# Per second. A chunk itself moves at most 2 STEP / 0.1 s (a monotone cubic is at most twice as steep as its knots);
# a velocity stops from 1 in 0.2 s; a join across the whole range of 2 in 0.15 s adds 1.5 * 2 / 0.15 = 20, and joins
# that follow each other in the middle pass on a part of their rate. A jump within a 20 ms tick shows as more.
STEEPEST = 35.0
STEEPEST_TURN = 75.0  # rad: joins turn by at most pi, but the rates of two random ways (11 rad/s each) come on top


@given(arrivals, st.booleans())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_comes_whenever_there_is_no_jump(arrivals, anchored):
    """Random chunks at random times, each with a random delay: bounded slopes, bounds kept, ids whole."""
    executor, now, tick = Executor(SPEC), 0.5, 0.02
    if anchored:
        executor.reset(np.array([1, 0, 0, 0.5, 0, 2.0]))
    before: np.ndarray | None = None
    for wait, delay, block, dt in arrivals:
        arrival = now + wait
        while now < arrival:
            before = check(executor, now, before, tick)
            now += tick
        present = executor.sample(now)
        if executor.accept(chunk(max(0.0, now - delay), block, dt), now) and present is not None:
            after = executor.sample(now).values
            assert np.allclose(after[[X, V]], present.values[[X, V]], atol=1e-9), "a replacement must not be seen"
            assert angle(after, present.values) < 1e-7
    for _ in range(60):
        before = check(executor, now, before, tick)
        now += tick


@given(arrivals)
@settings(max_examples=60, deadline=None)
def test_a_finer_clock_sees_smaller_steps(arrivals):
    """The sharper form of "no jump": the same slopes bound what happens in a tenth of a millisecond."""
    executor, now, fine = Executor(SPEC), 0.5, 1e-4
    for wait, delay, block, dt in arrivals:
        before = check(executor, now - fine, None, fine)
        before = check(executor, now, before, fine)
        executor.accept(chunk(max(0.0, now - delay), block, dt), now)
        for k in range(3):
            before = check(executor, now + k * fine, before, fine)
        now += wait + 0.01


def check(executor, now, before, passed):
    point = executor.sample(now)
    if point is None:
        return None
    values = point.values
    assert np.isfinite(values).all()
    assert values[ID] in range(10)
    assert np.linalg.norm(values[:3]) <= np.pi + 1e-9
    assert (np.abs(values[[X, V]]) <= 1 + 1e-9).all()
    if before is not None:
        assert np.abs(values[[X, V]] - before[[X, V]]).max() <= passed * STEEPEST + 1e-9
        assert angle(values, before) <= passed * STEEPEST_TURN + 1e-9
    return values


def test_g1_hands_are_rotations():
    spec = g1(32).action("ee")
    executor = Executor(spec)
    values = np.tile(np.where(spec.high < 1, spec.high, 0.1), (4, 1))
    executor.accept(chunk(0.0, values, spec="ee"), 0.0)
    assert executor.sample(0.25).values == pytest.approx(values[0])


def test_what_it_refuses():
    delta = ActionDimension(name="dx", unit="m", meaning="delta", low=-1, high=1)
    with pytest.raises(ContractError, match="delta dimensions dx"):
        Executor(ActionSpec(name="d", dimensions=(delta,)))
    with pytest.raises(ContractError, match="blend"):
        Executor(SPEC, blend=0.0)
    executor = Executor(SPEC)
    with pytest.raises(ContractError, match="'other'"):
        executor.accept(chunk(0, steps([0]), spec="other"), 0)
    with pytest.raises(ContractError, match="not finite"):
        executor.accept(chunk(0, steps([np.nan])), 0)
    with pytest.raises(ContractError, match="anchor"):
        executor.reset(np.zeros(2))
