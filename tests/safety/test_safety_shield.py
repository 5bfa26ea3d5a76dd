"""The shield reason by reason: what each fault and limit leads to, at the border of chunks and in the tick."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from safety_tools import COUNT, HIGH, HOME, ROBOT, command, state

from volition.errors import ContractError
from volition.safety import reasons
from volition.safety.shield import Shield, ShieldConfig
from volition.types import ActionChunk

SHIELD = Shield(ROBOT)
MEMORY = SHIELD.start(state())


def limit(wanted, measured=None, now=1.0, **more):
    return SHIELD.limit(wanted, measured if measured is not None else state(now=now), MEMORY, now, **more)


def with_value(value, index=3):
    position = HOME.copy()
    position[index] = value
    return position


def test_every_reason_has_a_meaning_and_one_kind():
    names = {value for name, value in vars(reasons).items() if name.isupper() and isinstance(value, str)}
    assert names == set(reasons.MEANINGS)
    kinds = (reasons.LIMITS, reasons.REFUSALS, reasons.FAULTS, reasons.OVERSIGHT)
    assert len(reasons.MEANINGS) == sum(len(kind) for kind in kinds)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (None, reasons.MISSING),
        (command(with_value(np.nan), 1.0), reasons.NOT_FINITE),
        (command(with_value(np.inf), 1.0), reasons.NOT_FINITE),
        (command(HOME, 1.0, base=(0, np.nan, 0)), reasons.NOT_FINITE),
        (command(HOME[:-1], 1.0), reasons.SHAPE),
        (command(HOME, 1.0, chunk_stamp=0.2), reasons.STALE),
        (command(HOME, 1.0, chunk_stamp=1.5), reasons.STALE),
        (command(HOME, 0.2), reasons.STALE),
        (command(HOME, np.nan), reasons.STALE),
    ],
)
def test_bad_command_is_a_fault(wanted, reason):
    sent, memory, found = limit(wanted)
    assert [event.reason for event in found] == [reason]
    assert memory.fault == reason
    assert reason in reasons.FAULTS
    assert (sent.position == HOME).all()
    assert (sent.base_velocity == 0).all()


def bad_state(**changes):
    return replace(state(now=1.0), **changes)


@pytest.mark.parametrize(
    "measured",
    [
        bad_state(position=np.full(43, np.nan)),
        bad_state(velocity=np.full(43, np.inf)),
        bad_state(base_quaternion=np.full(4, np.nan)),
        bad_state(position=np.zeros(29), velocity=np.zeros(29), effort=np.zeros(29)),
        bad_state(stamp=0.1),
    ],
)
def test_bad_state_is_a_fault(measured):
    _, memory, found = limit(command(HOME, 1.0), measured)
    assert memory.fault == reasons.STATE
    assert found[0].detail


def test_stopped_is_a_fault_and_says_so():
    _, memory, found = limit(command(HOME, 1.0), stopped=True)
    assert memory.fault == reasons.ESTOP == found[0].reason


def test_limits_name_joint_before_and_after():
    sent, memory, found = limit(command(with_value(HIGH[3] + 1), 1.0))
    assert memory.fault is None
    (event,) = found
    assert (event.reason, event.where) == (reasons.POSITION, ROBOT.commanded[3].name)
    assert event.before == HIGH[3] + 1
    assert event.after == sent.position[3]


def test_base_is_trimmed_and_ramps_to_zero_on_a_fault():
    memory, now = MEMORY, 1.0
    reached = []
    for _ in range(60):
        sent, memory, found = SHIELD.limit(command(HOME, now, base=(9, 0.1, 0)), state(now=now), memory, now)
        reached.append(sent.base_velocity[0])
        now += 0.02
    assert reached[0] == pytest.approx(1.5 * 0.02)
    assert reached[-1] == 0.6
    assert {event.reason for event in found} == {reasons.BASE_VELOCITY}
    while sent.base_velocity.any():
        before = sent.base_velocity
        sent, memory, _ = SHIELD.limit(None, state(now=now), memory, now)
        assert (np.abs(sent.base_velocity - before) <= np.array([1.5, 1.5, 3.0]) * 0.02 + 1e-12).all()
        now += 0.02
    assert now < 4


def test_start_needs_a_good_state_and_clamps():
    with pytest.raises(ContractError, match="not finite"):
        SHIELD.start(bad_state(position=np.full(43, np.nan)))
    position = ROBOT.home_position.copy()
    position[ROBOT.commanded_index[3]] = HIGH[3] + 0.2
    assert SHIELD.start(state(position)).motion.position[3] == HIGH[3]


def test_config_is_checked():
    with pytest.raises(ContractError, match="stale_after"):
        ShieldConfig(stale_after=float("nan"))
    with pytest.raises(ContractError, match="collision"):
        ShieldConfig(collision_margin=0.5)


def chunk(**changes):
    values = np.zeros((4, 17))
    values[:, [0, 7]] = 0.3
    return ActionChunk(**{"stamp": 1.0, "values": values, "dt": 0.1, "spec": "ee", **changes})


def test_good_chunk_is_admitted_unchanged():
    given = chunk()
    admitted, found = SHIELD.admit(given, 1.1, 0.9)
    assert admitted is given
    assert found == ()


@pytest.mark.parametrize(
    ("given", "now", "last", "reason"),
    [
        (chunk(), 2.0, None, reasons.LATE),
        (chunk(), 0.5, None, reasons.FUTURE),
        (chunk(), 1.1, 1.0, reasons.REPEATED),
        (chunk(), 1.1, 1.05, reasons.OUT_OF_ORDER),
        (chunk(), float("nan"), None, reasons.BAD_CHUNK),
        (chunk(spec="nonsense"), 1.1, None, reasons.BAD_CHUNK),
        (chunk(values=np.zeros((4, 16))), 1.1, None, reasons.BAD_CHUNK),
        (chunk(values=np.full((4, 17), np.nan)), 1.1, None, reasons.NOT_FINITE),
        (chunk(spec="primitive", values=np.array([[2.5]])), 1.1, None, reasons.BAD_CHUNK),
        (chunk(spec="primitive", values=np.array([[10.0]])), 1.1, None, reasons.BAD_CHUNK),
    ],
)
def test_bad_chunk_is_refused(given, now, last, reason):
    admitted, found = SHIELD.admit(given, now, last)
    assert admitted is None
    assert [event.reason for event in found] == [reason]


def test_values_out_of_bounds_are_clipped_and_reported():
    values = chunk().values.copy()
    values[1, 14], values[2, 14] = 2.0, 3.0
    given = chunk(values=values)
    admitted, found = SHIELD.admit(given, 1.1, None)
    assert admitted is not None
    assert admitted.values.max() == 0.6
    assert given.values.max() == 3.0
    assert [(event.reason, event.where, event.before, event.after) for event in found] == [
        (reasons.BOUNDS, "base.forward", 3.0, 0.6)
    ]


def test_command_is_complete():
    sent, _, _ = limit(command(HOME, 1.0, chunk_stamp=0.9))
    assert sent.position.shape == (COUNT,)
    assert (sent.stamp, sent.chunk_stamp) == (1.0, 0.9)
