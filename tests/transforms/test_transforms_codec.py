"""The codec: there and back again in both frames, relative to the hand where that is asked for, and within bounds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from volition.errors import ContractError
from volition.robots.g1 import g1
from volition.transforms.codec import Codec, codec_from_json, hands_of
from volition.transforms.rotation import from_rotvec, multiply, to_rotvec
from volition.transforms.scale import Scale, scale_of
from volition.types import ActionDimension, ActionSpec

EE = g1(32).action("ee")
STATES = ("elbow", *(f"{s}.{p}" for s in ("right", "left") for p in ("x", "y", "z", "rx", "ry", "rz")), "base.height")
HAND = {side: [EE.index(f"{side}.{part}") for part in ("x", "y", "z")] for side in ("left", "right")}
FELT = {side: [STATES.index(f"{side}.{part}") for part in ("x", "y", "z")] for side in ("left", "right")}
TURN = {side: [EE.index(f"{side}.r{part}") for part in "xyz"] for side in ("left", "right")}
TURNED = {side: [STATES.index(f"{side}.r{part}") for part in "xyz"] for side in ("left", "right")}
FRAMES = pytest.mark.parametrize("frame", ["absolute", "relative"])


def identity(names: tuple[str, ...]) -> Scale:
    return scale_of({}, names, kind="identity")


def codec(frame: Any, *, plain: bool = False) -> Codec:
    random = np.random.default_rng(3)
    if plain:
        return Codec(spec=EE, frame=frame, states=identity(STATES), actions=identity(EE.names))
    state, action = (
        {"mean": random.normal(size=len(names)), "std": random.uniform(0.1, 2.0, len(names))}
        for names in (STATES, EE.names)
    )
    return Codec(spec=EE, frame=frame, states=scale_of(state, STATES), actions=scale_of(action, EE.names))


def rotations(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Rotation vectors up to nearly half a turn."""
    axis = random.normal(size=(*shape, 3))
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = random.uniform(0.0, np.pi - 1e-3, shape)
    angle.flat[0] = np.pi - 1e-4
    return axis * angle[..., None]


def drawn(batch: tuple[int, ...], steps: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Chunks (..., K, A) within bounds, and states (..., S)."""
    random = np.random.default_rng(seed)
    actions = random.uniform(EE.low, EE.high, (*batch, steps, len(EE.names)))
    states = random.uniform(-0.5, 0.5, (*batch, len(STATES)))
    for side in ("left", "right"):
        actions[..., TURN[side]] = rotations(random, (*batch, steps))
        states[..., TURNED[side]] = rotations(random, batch)
    return actions, states


def same(found: np.ndarray, wanted: np.ndarray) -> None:
    """Equal, rotations as rotations: near half a turn one has two vectors."""
    for side in ("left", "right"):
        one, other = from_rotvec(found[..., TURN[side]]), from_rotvec(wanted[..., TURN[side]])
        np.testing.assert_allclose(np.abs((one * other).sum(-1)), 1, atol=1e-9)
    rest = [place for place in range(len(EE.names)) if place not in (*TURN["left"], *TURN["right"])]
    np.testing.assert_allclose(found[..., rest], wanted[..., rest], atol=1e-9)


@FRAMES
@pytest.mark.parametrize(("batch", "steps"), [((), 1), ((), 7), ((5,), 3), ((2, 3), 4)])
def test_what_is_encoded_is_decoded(frame: str, batch: tuple[int, ...], steps: int) -> None:
    one = codec(frame)
    for seed in range(5):
        actions, states = drawn(batch, steps, seed)
        before = actions.copy(), states.copy()
        values = one.encode(actions, states)
        assert values.shape == actions.shape
        same(one.decode(values, states), actions)
        np.testing.assert_array_equal(actions, before[0])
        np.testing.assert_array_equal(states, before[1])


def test_a_batch_is_encoded_as_its_samples_are() -> None:
    one = codec("relative")
    actions, states = drawn((4,), 3)
    each = np.stack([one.encode(chunk, state) for chunk, state in zip(actions, states, strict=True)])
    np.testing.assert_allclose(one.encode(actions, states), each, atol=1e-12)


def test_relative_is_how_far_from_where_the_hand_is() -> None:
    """The same numbers from two poses of the hand give actions that differ by the pose, and in nothing else."""
    one = codec("relative", plain=True)
    random = np.random.default_rng(1)
    chunk = random.uniform(-0.1, 0.1, (6, len(EE.names)))
    chunk[:, EE.index("left.grasp")] = chunk[:, EE.index("right.grasp")] = 0.5
    here, there = drawn((2,), 1, seed=4)[1]
    for state in (here, there):
        state[FELT["left"] + FELT["right"]] = random.uniform(0.0, 0.2, 6)
    first, second = one.decode(chunk, here), one.decode(chunk, there)
    for side in ("left", "right"):
        np.testing.assert_allclose(
            second[:, HAND[side]] - first[:, HAND[side]], (there - here)[None, FELT[side]].repeat(6, 0), atol=1e-12
        )
        for state, actions in ((here, first), (there, second)):
            turned = multiply(from_rotvec(state[TURNED[side]]), from_rotvec(chunk[:, TURN[side]]))
            found = from_rotvec(actions[:, TURN[side]])
            np.testing.assert_allclose(np.abs((turned * found).sum(-1)), 1, atol=1e-9)
    rest = [place for place, name in enumerate(EE.names) if "grasp" in name or "base" in name]
    np.testing.assert_array_equal(first[:, rest], chunk[:, rest])
    np.testing.assert_array_equal(second[:, rest], chunk[:, rest])


def test_staying_where_it_is_is_zero_in_the_relative_frame() -> None:
    one = codec("relative", plain=True)
    _, state = drawn((), 1)
    stay = np.zeros((3, len(EE.names)))
    for side in ("left", "right"):
        stay[:, HAND[side]], stay[:, TURN[side]] = state[FELT[side]], state[TURNED[side]]
    np.testing.assert_allclose(one.encode(stay, state), 0, atol=1e-7)


def test_absolute_does_not_look_at_the_state() -> None:
    one = codec("absolute")
    actions, states = drawn((2,), 3)
    np.testing.assert_array_equal(one.encode(actions, states), one.encode(actions, states[::-1]))


@FRAMES
def test_what_comes_out_is_within_the_bounds_whatever_the_model_says(frame: str) -> None:
    one = codec(frame)
    values = np.random.default_rng(0).normal(size=(50, 4, len(EE.names))) * 100
    actions = one.decode(values, drawn((50,), 1)[1])
    assert ((actions >= EE.low) & (actions <= EE.high)).all()
    EE.check(actions[0])


def test_discrete_numbers_are_whole_and_not_scaled() -> None:
    spec = ActionSpec(
        name="mixed",
        dimensions=(
            ActionDimension(name="which", unit="1", meaning="discrete", low=0, high=9),
            ActionDimension(name="speed", unit="m/s", meaning="velocity", low=-1, high=1),
        ),
    )
    statistics = {"mean": np.array([4.0, 0.5]), "std": np.array([3.0, 0.2])}
    one = Codec(
        spec=spec,
        frame="relative",
        states=identity(("height",)),
        actions=scale_of(statistics, spec.names, plain=["which"]),
    )
    ids = np.array([[3.0, 0.3], [7.0, 0.7]])
    np.testing.assert_array_equal(one.encode(ids, np.zeros(1))[:, 0], [3, 7])
    found = one.decode(np.array([[3.4, 0.0], [6.6, 0.0], [99.0, 0.0], [-5.0, 0.0]]), np.zeros(1))
    np.testing.assert_array_equal(found[:, 0], [3, 7, 9, 0])
    assert found[0, 1] == 0.5


def test_states_are_scaled_by_their_own_statistics() -> None:
    one = codec("relative")
    _, states = drawn((3, 2), 1)
    np.testing.assert_allclose(one.states.inverse(one.state(states)), states, atol=1e-12)
    with pytest.raises(ContractError, match="A Scale of 14 numbers"):
        one.state(states[..., :-1])


def test_statistics_of_other_actions_are_refused() -> None:
    with pytest.raises(ContractError, match=r"statistics of actions are of left.x.*ee has left.x"):
        Codec(spec=EE, frame="absolute", states=identity(STATES), actions=identity(EE.names[:-1]))
    shuffled = (EE.names[1], EE.names[0], *EE.names[2:])
    with pytest.raises(ContractError, match="statistics of actions"):
        Codec(spec=EE, frame="absolute", states=identity(STATES), actions=identity(shuffled))


def test_a_frame_that_does_not_exist_is_refused_when_the_codec_is_built() -> None:
    with pytest.raises(ContractError, match="frame of actions is 'world'; it is absolute or relative"):
        codec("world")


def test_relative_to_a_hand_that_the_state_does_not_have_is_refused() -> None:
    """Silently absolute would be learned just as well, and drive another robot's hand elsewhere."""
    without = tuple(name for name in STATES if not name.startswith("left."))
    with pytest.raises(ContractError, match=r"left\.x.*absolute"):
        hands_of(EE, without, "relative")
    assert hands_of(EE, without, "absolute").positions == ()
    joint = hands_of(g1(32).action("joint"), without, "relative")  # tells no hand where to go
    assert joint.positions == joint.rotations == ()


@FRAMES
def test_json_brings_the_same_codec_back(frame: str) -> None:
    one = codec(frame)
    back = codec_from_json(json.loads(json.dumps(one.to_json())), EE)
    actions, states = drawn((2,), 3)
    assert back.frame == frame
    np.testing.assert_array_equal(back.encode(actions, states), one.encode(actions, states))
    np.testing.assert_array_equal(back.state(states), one.state(states))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ({"action": "joint"}, "of the action space 'joint', not 'ee'"),
        ({"frame": "world"}, "frame of actions is 'world'"),
        ({"states": None}, "not statistics|not a codec"),
        ({"actions": {}}, "not statistics"),
    ],
)
def test_damaged_json_is_refused_in_one_sentence(damage: dict[str, Any], says: str) -> None:
    values = {**codec("relative").to_json(), **damage}
    with pytest.raises(ContractError, match=says):
        codec_from_json(values, EE)
    del values["frame"]
    with pytest.raises(ContractError) as refusal:
        codec_from_json(values, EE)
    assert "\n" not in str(refusal.value)


def test_bounds_that_moved_since_are_those_that_hold() -> None:
    tight = replace(EE, dimensions=(replace(EE.dimensions[0], low=-0.01, high=0.01), *EE.dimensions[1:]))
    one = codec_from_json(codec("absolute", plain=True).to_json(), tight)
    assert one.decode(np.full((1, len(EE.names)), 0.3), np.zeros(len(STATES)))[0, 0] == 0.01


def test_the_helpers_of_this_file_make_half_turns() -> None:
    """So that what is said of rotations near pi above is tested near pi."""
    random = np.random.default_rng(0)
    vectors = rotations(random, (3,))
    assert np.linalg.norm(vectors[0]) > 3.1
    np.testing.assert_allclose(to_rotvec(from_rotvec(vectors)), vectors, atol=1e-6)
