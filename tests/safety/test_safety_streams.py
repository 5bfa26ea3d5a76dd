"""Property: whatever stream of commands comes in, no limit is broken after the shield and every fault holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safety_tools import DT, HOME, KINDS, ROBOT, broken_limits, state, stream

from volition.safety import reasons
from volition.safety.guard import Guard
from volition.safety.shield import Shield

SHIELD = Shield(ROBOT)
TICKS = 24


def play(kind: str, rng: np.random.Generator) -> None:
    guard = Guard(SHIELD)
    guard.start(state(), 0.0)
    positions, bases = [HOME] * 3, [np.zeros(3)] * 3
    for number, tick in enumerate(stream(kind, TICKS, rng)):
        now = number * DT
        if tick.press:
            guard.estop.press()
        elif tick.reset:
            guard.estop.reset()
        sent = guard.apply(tick.command, state(now=now), now)
        faulty = (
            guard.estop.pressed
            or tick.command is None
            or not np.isfinite(tick.command.position).all()
            or not np.isfinite(tick.command.base_velocity).all()
            or now - tick.command.chunk_stamp > SHIELD.config.stale_after
        )
        assert guard.holding == faulty, (kind, number, guard.status)
        positions.append(sent.position)
        bases.append(sent.base_velocity)
    assert broken_limits(np.array(positions), np.array(bases)) == [], kind
    assert reasons.SHIELD not in guard.counts()


def many(streams: int):
    """Examples of ten streams each, so that hypothesis' own cost is small; a failing seed and mix is printed by it."""
    return settings(max_examples=streams // 10, deadline=None, suppress_health_check=list(HealthCheck))


MIX = st.lists(st.sampled_from(KINDS), min_size=10, max_size=10)


@many(500)
@given(seed=st.integers(0, 2**32 - 1), kinds=MIX)
def test_no_stream_breaks_a_limit(seed, kinds):
    rng = np.random.default_rng(seed)
    for kind in kinds:
        play(kind, rng)


@pytest.mark.slow
@many(10_000)
@given(seed=st.integers(0, 2**32 - 1), kinds=MIX)
def test_no_stream_breaks_a_limit_ten_thousand(seed, kinds):
    rng = np.random.default_rng(seed)
    for kind in kinds:
        play(kind, rng)
