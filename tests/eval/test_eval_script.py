"""Scripted policies: a function of time since the start, as chunks like any policy's."""

import numpy as np
import pytest

from volition.errors import ContractError
from volition.eval.script import Script, ScriptPolicy
from volition.robots.g1 import g1
from volition.types import Observation, RobotState

SPEC = g1(16)


def observation(stamp: float) -> Observation:
    joints = len(SPEC.joints)
    state = RobotState(
        stamp=stamp,
        position=SPEC.home_position,
        velocity=np.zeros(joints),
        effort=np.zeros(joints),
        base_position=np.zeros(3),
        base_quaternion=[1, 0, 0, 0],
        base_velocity=np.zeros(3),
        base_angular_velocity=np.zeros(3),
    )
    return Observation(stamp=stamp, state=state, images={}, instruction="")


@pytest.mark.parametrize("dt", [0.1, 0.02])
def test_a_chunk_is_one_second_of_the_script_from_the_observation_on(dt):
    policy = ScriptPolicy(SPEC, Script("primitive", lambda t: np.array([round(t / dt) % 10]), dt=dt))
    policy.reset("")
    assert policy.action_spec is SPEC.action("primitive")
    for begin, since in ((5.0, 0), (5.0 + 3 * dt, 3)):
        chunk = policy.infer(observation(begin))
        assert (chunk.stamp, chunk.dt, chunk.spec) == (begin, dt, "primitive")
        assert chunk.values[:, 0].tolist() == [(since + step + 1) % 10 for step in range(round(1 / dt))]


def test_reset_starts_the_script_anew():
    policy = ScriptPolicy(SPEC, Script("primitive", lambda t: np.array([float(t > 1.05)])))
    policy.reset("")
    policy.infer(observation(0.0))
    assert policy.infer(observation(2.0)).values[0] == 1
    policy.reset("")
    assert policy.infer(observation(2.0)).values[0] == 0


def test_an_unknown_action_space_is_refused():
    with pytest.raises(ContractError, match="dance"):
        ScriptPolicy(SPEC, Script("dance", lambda t: np.zeros(1)))
