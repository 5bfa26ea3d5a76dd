"""Clocks go forward only and wait no longer than they must."""

import time

import pytest

from volition.errors import ContractError
from volition.runtime.clock import FakeClock, RealClock


def test_real_clock_starts_near_zero_and_sleeps_to_the_time():
    clock = RealClock()
    assert 0 <= clock.now() < 0.1
    late = []
    for k in range(1, 11):
        clock.sleep_until(0.01 * k)
        late.append(clock.now() - 0.01 * k)
    assert min(late) >= 0
    assert sorted(late)[5] < 0.005
    begin = time.perf_counter()
    clock.sleep_until(0.0)
    assert time.perf_counter() - begin < 0.05


def test_fake_clock_jumps_and_never_goes_back():
    clock = FakeClock(1.0)
    begin = time.perf_counter()
    clock.sleep_until(1000.0)
    clock.sleep_until(10.0)
    clock.advance(0.5)
    assert clock.now() == 1000.5
    assert time.perf_counter() - begin < 0.5
    with pytest.raises(ContractError, match="finite"):
        clock.sleep_until(float("nan"))
