"""The language policy: plans, chunks over time, refusals, questions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volition.errors import InstructionError, PolicyError
from volition.model.primitives.classifier import AmbiguousInstruction, mirrored
from volition.model.primitives.plan import SETTLE, TICK
from volition.robots.primitives import NAMES, PRIMITIVE_ACTION
from volition.types import Observation, RobotState


def observation(stamp):
    state = RobotState(
        stamp=stamp,
        position=np.zeros(43),
        velocity=np.zeros(43),
        effort=np.zeros(43),
        base_position=np.zeros(3),
        base_quaternion=np.array([1.0, 0, 0, 0]),
        base_velocity=np.zeros(3),
        base_angular_velocity=np.zeros(3),
    )
    return Observation(stamp=stamp, state=state, images={}, instruction="")


def run(policy, instruction, start=5.0):
    """The primitive of every control tick when asked at 10 Hz until done, and all chunks."""
    policy.reset(instruction)
    ticks, chunks = [], []
    for call in range(2000):
        chunk = policy.infer(observation(start + call * 0.1))
        chunks.append(chunk)
        if chunk.status == "done":
            return ticks, chunks
        ticks += [NAMES[int(value)] for value in chunk.values[:5, 0]]
    raise AssertionError("never done")


def test_arm_stays_up_while_it_walks_back(policy):
    plan = policy.understand("raise your left arm, then take two steps back")
    assert [step.primitive for step in plan.steps] == ["raise_left_arm", "move_backward"]
    assert plan.steps[1].duration == pytest.approx(1.0)
    assert plan.hold == "raise_left_arm"
    assert str(plan) == "raise_left_arm 2 s, then move_backward 0.5 m"
    ticks, chunks = run(policy, "raise your left arm, then take two steps back")
    assert "stop" not in ticks
    assert ticks.count("move_backward") * TICK == pytest.approx(1.0)
    assert ticks[-1] == "raise_left_arm"
    assert chunks[0].note == "1/2 raise_left_arm 2 s"
    assert chunks[25].note == "2/2 move_backward 0.5 m"


def test_amounts_are_exact_to_a_tick(policy):
    def duration(text):
        return policy.understand(text).steps[0].duration

    assert duration("walk forward one metre") == 2.0
    assert duration("turn left 90 degrees") == pytest.approx(math.pi, abs=TICK / 2)
    assert duration("turn left a quarter turn") == pytest.approx(math.pi, abs=TICK / 2)
    assert duration("step right 0.6 m") == 2.0
    assert duration("take 4 steps to the right") == pytest.approx(1 / 0.3, abs=TICK / 2)
    assert duration("walk forward for 3 seconds") == 3.0
    assert duration("wave") == 4.0
    assert duration("turn around") == pytest.approx(2 * math.pi, abs=TICK / 2)


def test_chunks_keep_the_contract(policy):
    ticks, chunks = run(policy, "walk forward one metre and wave", start=123.4)
    for chunk in chunks:
        PRIMITIVE_ACTION.check(chunk.values)
        assert chunk.values.shape == (50, 1)
        assert chunk.dt == TICK
    assert chunks[3].stamp == pytest.approx(123.7)
    assert ticks.count("move_forward") == 100
    assert ticks.count("wave") == 200
    assert ticks[-1] == "stop"
    assert len(ticks) * TICK == pytest.approx(6.0 + SETTLE, abs=0.1)
    assert chunks[-1].note == "done, stop"


def test_infer_needs_an_instruction_and_a_clock_that_goes_on(policy):
    policy.reset("wave")
    policy.infer(observation(2.0))
    with pytest.raises(PolicyError, match="went back"):
        policy.infer(observation(1.0))
    with pytest.raises(InstructionError):
        policy.reset("make me a cup of tea")
    with pytest.raises(PolicyError, match="no instruction"):  # the refused one leaves nothing running
        policy.infer(observation(3.0))


@pytest.mark.parametrize(
    "text",
    [
        "make me a sandwich",
        "pick up the red cube",
        "jump",
        "sit down",
        "open the drawer",
        "don't wave",
        "do not turn left",
        "walk forward and then pick up the box",
        "jump forward",
        "wave with your left hand",
        "turn the knob to the left",
        "is my left hand up",
        "walk to the kitchen",
    ],
)
def test_out_of_scope_is_refused_and_says_what_can_be_done(policy, text):
    with pytest.raises(InstructionError, match="move_forward, move_backward") as caught:
        policy.understand(text)
    assert not isinstance(caught.value, AmbiguousInstruction)


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("raise an arm", ("raise_left_arm", "raise_right_arm")),
        ("raise both arms", ("raise_left_arm", "raise_right_arm")),
        ("turn", ("turn_left", "turn_right")),
        ("step aside", ("step_left", "step_right")),
        ("left", ("turn_left", "step_left")),
        ("go right", ("turn_right", "step_right")),
        ("move", ("move_forward", "move_backward", "step_left", "step_right")),
    ],
)
def test_ambiguous_is_asked(policy, text, choices):
    with pytest.raises(AmbiguousInstruction, match="Which do you mean") as caught:
        policy.understand(text)
    assert caught.value.choices == choices


@pytest.mark.parametrize(
    "text", ["don't move", "do not move", "freeze", "halt", "stop moving your arms", "stop waving"]
)
def test_stop_is_understood_in_every_form(policy, text):
    assert [step.primitive for step in policy.understand(text).steps] == ["stop"]


def test_waiting_keeps_the_arm_up_and_lowering_brings_it_down(policy):
    plan = policy.understand("raise your right arm, wait two seconds, walk back")
    assert [step.primitive for step in plan.steps] == ["raise_right_arm", "raise_right_arm", "move_backward"]
    assert policy.understand("raise your right arm and put it down").hold == "stop"
    assert policy.understand("raise your left arm and wave").hold == "raise_left_arm"
    assert policy.understand("raise your right arm, then wave").hold == "stop"  # waving took the raised arm


@pytest.mark.parametrize(
    "text", ["walk 500 metres", "walk forward 0 m", "turn left 2 metres", "turn left 3000 degrees", "wave 2 steps"]
)
def test_amounts_that_make_no_sense_are_refused(policy, text):
    with pytest.raises(InstructionError):
        policy.understand(text)


_TEXT = "turn left right walk and then 2 one half metre steps a the arm raise it before after , . not wave 90 ° – é up don't"
_WORDS = _TEXT.split()


@settings(deadline=None, max_examples=80)
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(_WORDS), max_size=14).map(" ".join)))
def test_any_text_gives_a_plan_or_an_instruction_error(policy, text):
    try:
        plan = policy.understand(text)
    except InstructionError:
        return
    assert 0 < plan.ticks * TICK <= 20 * 120


def test_left_and_right_are_understood_alike(policy):
    for left in ("turn left", "lift your left hand", "sidestep to the left", "rotate counterclockwise"):
        right = left.replace("left", "right").replace("counterclockwise", "clockwise")
        one, other = policy.understand(left).steps[0], policy.understand(right).steps[0]
        assert one.primitive.replace("left", "right") == other.primitive
        assert one.confidence == other.confidence
    assert mirrored("turn clockwise to the right") == "turn to the left to the left"
