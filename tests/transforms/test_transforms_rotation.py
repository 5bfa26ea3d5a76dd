"""Quaternions and rotation vectors agree with scipy and with each other, at zero, near pi and in between."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volition.transforms import rotation

unit = st.floats(-1, 1, allow_nan=False)
vectors = st.tuples(unit, unit, unit).map(lambda v: np.array(v) * np.pi)


def angle(a, b):
    return np.linalg.norm(rotation.between(a, b))


@given(vectors)
def test_round_trip_is_the_same_rotation(rotvec):
    quaternion = rotation.from_rotvec(rotvec)
    assert np.linalg.norm(quaternion) == pytest.approx(1.0)
    back = rotation.to_rotvec(quaternion)
    assert np.linalg.norm(back) <= np.pi + 1e-12
    assert angle(rotation.from_rotvec(back), quaternion) < 1e-9


@pytest.mark.parametrize("size", [0.0, 1e-300, 1e-12, 1e-8, 1e-5, 1.0, 3.0, np.pi - 1e-9])
def test_round_trip_keeps_the_vector_below_pi(size):
    rotvec = size * np.array([0.6, 0.0, -0.8])
    assert np.allclose(rotation.to_rotvec(rotation.from_rotvec(rotvec)), rotvec, rtol=1e-9, atol=1e-15)


def test_agrees_with_scipy():
    scipy = pytest.importorskip("scipy.spatial.transform").Rotation
    rng = np.random.default_rng(0)
    a, b, v = rng.normal(size=(3, 50, 3))
    qa, qb = rotation.from_rotvec(a), rotation.from_rotvec(b)
    product = scipy.from_rotvec(a) * scipy.from_rotvec(b)
    assert np.allclose(rotation.to_rotvec(rotation.multiply(qa, qb)), product.as_rotvec())
    assert np.allclose(rotation.rotate(qa, v), scipy.from_rotvec(a).apply(v))


def test_slerp_takes_the_shorter_way_over_pi():
    start, end = rotation.from_rotvec(np.array([0, 0, 3.0])), rotation.from_rotvec(np.array([0, 0, -3.0]))
    middle = rotation.slerp(start, end, 0.5)
    assert angle(start, middle) == pytest.approx(np.pi - 3.0)
    assert angle(middle, rotation.from_rotvec(np.array([0, 0, np.pi]))) < 1e-9
    assert np.allclose(rotation.slerp(start, -end, 0.5), middle), "the sign of a quaternion means nothing"
    assert angle(rotation.slerp(start, end, 0.0), start) < 1e-9
    assert angle(rotation.slerp(start, end, 1.0), end) < 1e-9


@given(vectors, vectors)
def test_jacobian_inverse_is_the_derivative_of_the_logarithm(rotvec, rate):
    if np.linalg.norm(rotvec) > 3.1:  # the logarithm itself jumps at pi
        rotvec = rotvec / np.linalg.norm(rotvec) * 3.1
    step = 1e-6
    quaternion = rotation.from_rotvec(rotvec)
    after = rotation.multiply(quaternion, rotation.from_rotvec(step * rate))
    before = rotation.multiply(quaternion, rotation.from_rotvec(-step * rate))
    numeric = (rotation.to_rotvec(after) - rotation.to_rotvec(before)) / (2 * step)
    assert np.allclose(rotation.jacobian_inverse(rotvec, rate), numeric, atol=1e-4)


@given(vectors, st.floats(-np.pi, np.pi))
def test_rotate_inverse_undoes_and_yaw_is_the_heading(rotvec, heading):
    quaternion = rotation.from_rotvec(rotvec)
    vector = np.array([0.3, -2.0, 1.0])
    assert np.allclose(rotation.rotate_inverse(quaternion, rotation.rotate(quaternion, vector)), vector)
    turned = rotation.multiply(
        rotation.from_rotvec(np.array([0, 0, heading])), rotation.from_rotvec(np.array([0, 0.4, 0]))
    )
    assert abs(rotation.wrap(rotation.yaw(turned) - heading)) < 1e-9
    assert rotation.wrap(heading + 6 * np.pi) == pytest.approx(rotation.wrap(heading), abs=1e-9) or abs(heading) > 3.14


ONE = {"from_rotvec": (3,), "to_rotvec": (4,), "normalize": (4,), "conjugate": (4,), "yaw": (4,), "tilt": (4,)}
TWO = {"multiply": (4, 4), "between": (4, 4), "cross": (3, 3), "rotate": (4, 3), "rotate_inverse": (4, 3)}


def given_to(name, shape):
    """Arguments of `name` for rotations of this shape, among them none and half a turn."""
    rng = np.random.default_rng(4)
    arrays = []
    for width in (ONE | TWO)[name]:
        vectors = rng.normal(size=(*shape, 3))
        vectors.reshape(-1, 3)[0] = (0.0, 0.0, 0.0) if len(arrays) else (np.pi, 0.0, 0.0)
        arrays.append(rotation.from_rotvec(vectors) if width == 4 else vectors)
    return arrays


@pytest.mark.parametrize("name", [*ONE, *TWO])
@pytest.mark.parametrize("shape", [(), (1,), (2,), (2, 3), (8,)])
def test_a_few_rotations_are_turned_as_many_are(name, shape):
    """Few go number by number and many at once: the same to the last digits, in the same shape and type."""
    function = getattr(rotation, name)
    few = given_to(name, shape)
    many = [np.broadcast_to(array, (50, *array.shape)) for array in few]
    one, all_at_once = function(*few), function(*many)[7]
    assert np.shape(one) == np.shape(all_at_once)
    assert one.dtype == all_at_once.dtype == np.float64
    np.testing.assert_allclose(one, all_at_once, rtol=0, atol=1e-15)


def test_one_rotation_turns_many_vectors_and_numbers_keep_their_type():
    quaternion = rotation.from_rotvec(np.array([0.3, -0.2, 1.0]))
    vectors = np.random.default_rng(5).normal(size=(4, 3))
    turned = rotation.rotate(quaternion, vectors)
    for vector, found in zip(vectors, turned, strict=True):
        np.testing.assert_allclose(rotation.rotate(quaternion, vector), found, atol=1e-15)
    single = quaternion.astype(np.float32)
    assert rotation.multiply(single, single).dtype == np.float32


def test_what_is_not_finite_stays_so():
    for wrong in (np.nan, np.inf):
        assert np.isnan(rotation.from_rotvec(np.array([wrong, 0.0, 0.0]))).all()
        assert np.isnan(rotation.to_rotvec(np.array([1.0, wrong, 0.0, 0.0]))).any()
