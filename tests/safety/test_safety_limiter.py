"""The limiter alone: it settles, does not overshoot or chatter, and leaves good streams alone."""

from __future__ import annotations

import numpy as np
import pytest
from safety_tools import COUNT, DT, HIGH, HOME, LOW, ROBOT

from volition.safety import reasons
from volition.safety.limiter import Limiter

LIMITER = Limiter(ROBOT.commanded, DT)


def run(targets: np.ndarray, start: np.ndarray = HOME) -> np.ndarray:
    motion = LIMITER.rest(start)
    sent = []
    for target in targets:
        motion = LIMITER.advance(motion, LIMITER.step(motion, target))
        sent.append(motion.position)
    return np.array(sent)


def fastest(distance: float, velocity: float, acceleration: float, jerk: float) -> float:
    """Time of the time-optimal rest-to-rest S-curve, s."""

    def ramp(top: float) -> float:
        return top / acceleration + acceleration / jerk if top * jerk > acceleration**2 else 2 * (top / jerk) ** 0.5

    if velocity * ramp(velocity) <= distance:
        return ramp(velocity) + distance / velocity
    low, high = 0.0, velocity
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if middle * ramp(middle) < distance else (low, middle)
    return 2 * ramp(low)


@pytest.mark.parametrize("size", [0.05, 0.3, 1.0, 2.4])
def test_step_settles_fast_and_exactly(size):
    towards = np.where(HIGH - HOME > HOME - LOW, 1, -1)
    target = np.clip(HOME + towards * size, LOW, HIGH)
    sent = run(np.repeat(target[None], 150, axis=0))
    assert (towards * (sent - target)).max() <= 1e-3
    for number, joint in enumerate(ROBOT.commanded):
        settled = int(np.flatnonzero(sent[:, number] != target[number]).max(initial=-1)) + 2
        best = fastest(abs(target[number] - HOME[number]), joint.velocity, joint.acceleration, joint.jerk)
        assert settled * DT <= 1.3 * best + 3 * DT, joint.name
    assert (sent[-50:] == target).all()


def test_every_random_step_settles():
    rng = np.random.default_rng(3)
    for _ in range(30):
        start, target = rng.uniform(LOW, HIGH, (2, COUNT))
        sent = run(np.repeat(target[None], 140, axis=0), start)
        assert (sent[-10:] == target).all()
        assert (np.sign(target - start) * (sent - target)).max() <= 1e-3


def test_new_target_in_full_motion_settles():
    rng = np.random.default_rng(4)
    for switch in range(1, 30):
        first, second = rng.uniform(LOW, HIGH, (2, COUNT))
        sent = run(np.concatenate([np.repeat(first[None], switch, axis=0), np.repeat(second[None], 160, axis=0)]))
        assert (sent[-10:] == second).all()


@pytest.mark.parametrize(("rate", "size"), [(0.2, 0.3), (0.5, 0.3), (1.0, 0.15)])
def test_gentle_stream_passes_bit_for_bit(rate, size):
    time = np.arange(300)[:, None] * DT
    ease = np.clip(time / 2.0, 0, 1)
    ease = ease**3 * (10 - 15 * ease + 6 * ease**2)
    towards = np.where(HIGH - HOME > HOME - LOW, 1, -1)
    wanted = HOME + towards * ease * size * (1 - np.cos(2 * np.pi * rate * time)) / 2
    motion = LIMITER.rest(HOME)
    for target in wanted:
        step = LIMITER.step(motion, target)
        assert (step.position == target).all()
        assert step.trimmed == ()
        motion = LIMITER.advance(motion, step)


def test_moving_target_is_caught_up_with():
    time = np.arange(200)[:, None] * DT
    wanted = np.clip(HOME + 0.3 + 0.2 * np.sin(2 * np.pi * 0.5 * time), LOW, HIGH)  # starts with a jump
    sent = run(wanted)
    assert (sent[60:] == wanted[60:])[:, (wanted.min(axis=0) > LOW) & (wanted.max(axis=0) < HIGH)].all()


def test_stop_plan_comes_to_rest_inside_limits_from_everywhere():
    rng = np.random.default_rng(5)
    motion = LIMITER.rest(HOME)
    for _ in range(200):
        motion = LIMITER.advance(motion, LIMITER.step(motion, rng.uniform(LOW - 1, HIGH + 1)))
        path = np.concatenate(
            [
                np.stack([motion.before, motion.previous, motion.position]),
                motion.plan,
                motion.plan[-1:],
                motion.plan[-1:],
            ]
        )
        for order, name in ((1, "velocity"), (2, "acceleration"), (3, "jerk")):
            limit = np.array([getattr(joint, name) for joint in ROBOT.commanded])
            assert (np.abs(np.diff(path, n=order, axis=0)) / DT**order <= limit * (1 + 1e-6)).all()
        assert (motion.plan >= LOW).all()
        assert (motion.plan <= HIGH).all()


def test_each_limit_is_named():
    motion = LIMITER.rest(HOME)
    joint = ROBOT.commanded[0]
    for change, reason in (
        (10.0, reasons.POSITION),
        (1.5 * joint.velocity * DT, reasons.VELOCITY),
        (1.5 * joint.acceleration * DT**2, reasons.ACCELERATION),
        (1.5 * joint.jerk * DT**3, reasons.JERK),  # and more than half of it, from rest: see Limiter.step
    ):
        target = HOME.copy()
        target[0] += change
        assert LIMITER.step(motion, target).trimmed == ((0, reason),)
