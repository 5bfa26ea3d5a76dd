"""The ten primitives: inside what the base may do, and named in a way that people can read."""

import numpy as np
import pytest

from volition.errors import ContractError
from volition.robots.g1 import g1
from volition.robots.primitives import NAMES, PRIMITIVE_ACTION, PRIMITIVES, primitive

SPEC = g1()


@pytest.mark.parametrize("chosen", PRIMITIVES, ids=NAMES)
def test_a_primitive_is_inside_the_limits_of_the_base(chosen):
    assert np.all(np.abs(chosen.base_velocity) <= SPEC.base.velocity)
    assert chosen.moves == any(chosen.base_velocity)
    assert chosen.default_duration > 0
    assert primitive(chosen.name) is chosen


def test_left_and_right_mirror_each_other():
    for left, right in (("turn_left", "turn_right"), ("step_left", "step_right"), ("move_forward", "move_backward")):
        one, other = primitive(left), primitive(right)
        assert np.array_equal(one.base_velocity, -np.array(other.base_velocity))
        assert one.default_duration == other.default_duration


def test_the_action_space_has_one_id_a_primitive():
    ids = np.arange(len(PRIMITIVES), dtype=float)[:, None]
    PRIMITIVE_ACTION.check(ids)
    for wrong in (-1.0, float(len(PRIMITIVES)), 0.5, float("nan")):
        with pytest.raises(ContractError):
            PRIMITIVE_ACTION.check(np.array([[wrong]]))


def test_an_unknown_primitive_is_refused_with_the_names():
    with pytest.raises(ContractError, match=r"fly.*move_forward"):
        primitive("fly")
