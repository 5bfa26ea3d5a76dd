"""Cutting instructions into steps and amounts: text only, no encoder."""

import math

import pytest

from volition.errors import InstructionError
from volition.model.primitives.amounts import digits, extract
from volition.model.primitives.instructions import split
from volition.model.primitives.spelling import one_slip, repair


def actions(text):
    return [step.action for step in split(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("wave", ["wave"]),
        ("wave and then stop", ["wave", "stop"]),
        ("wave, stop; wave. stop", ["wave", "stop", "wave", "stop"]),
        ("wave before you turn left", ["wave", "turn left"]),
        ("before turning left, wave", ["wave", "turn left"]),
        ("after turning left, wave", ["turn left", "wave"]),
        ("wave after you turn left", ["turn left", "wave"]),
        ("once you have turned left, wave", ["turn left", "wave"]),
        ("First wave, after that turn left. Finally, stop!", ["wave", "turn left", "stop"]),
        ("wave twice", ["wave", "wave"]),
        ("wave three times", ["wave", "wave", "wave"]),
        ("turn right, then left", ["turn right", "turn left"]),
        ("turn left and right", ["turn left", "turn right"]),
        ("raise your arm, the left one", ["raise your arm the left one"]),
        ("raise your left arm and keep it up", ["raise your left arm"]),
        ("raise your left arm and put it down", ["raise your left arm", "put your left arm down"]),
        ("turn around and around", ["turn"]),
        ("Could you please step left", ["step left"]),
        ("walk forward and pick up the box", ["walk forward", "pick up the box"]),
    ],
)
def test_steps_come_in_the_order_of_doing(text, wanted):
    assert actions(text) == wanted


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("walk 1.5 m", "metres", 1.5),
        ("walk one metre", "metres", 1.0),
        ("walk half a meter", "metres", 0.5),
        ("walk 50 cm", "metres", 0.5),
        ("walk a metre and a half", "metres", 1.5),
        ("walk two and a half metres", "metres", 2.5),
        ("walk three quarters of a metre", "metres", 0.75),
        ("walk 3 feet", "metres", 0.9144),
        ("walk 1m", "metres", 1.0),
        ("take a step back", "steps", 1),
        ("take a couple of steps back", "steps", 2),
        ("take a few small steps back", "steps", 3),
        ("step left twice", "steps", 2),
        ("turn left 90 degrees", "radians", math.pi / 2),
        ("turn left 45°", "radians", math.pi / 4),
        ("turn left one hundred and twenty degrees", "radians", math.radians(120)),
        ("a quarter turn to the left", "radians", math.pi / 2),
        ("turn around", "radians", math.pi),
        ("do a half turn left", "radians", math.pi),
        ("do a full circle to the left", "radians", 2 * math.pi),
        ("turn left around and around", "radians", 2 * math.pi),
        ("turn right by a right angle", "radians", math.pi / 2),
        ("turn left 90", "number", 90),
        ("turn slightly left", "small", 1.0),
        ("walk forward a bit", "small", 1.0),
        ("walk for 3 seconds", "seconds", 3),
        ("walk for half a second", "seconds", 0.5),
        ("walk for two minutes", "seconds", 120),
    ],
)
def test_amounts_are_read(text, kind, value):
    steps = split(text)
    assert len(steps) == 1
    assert steps[0].amount is not None
    assert (steps[0].amount.kind, steps[0].amount.value) == (kind, pytest.approx(value))


@pytest.mark.parametrize("text", ["raise the left one", "raise one arm", "move your feet", "put your left hand up"])
def test_words_that_look_like_amounts_are_none(text):
    assert extract(digits(text))[1] is None


def test_decimal_point_does_not_end_a_sentence():
    assert [step.amount.value for step in split("walk 1.5 m. turn left 0.5 rad.") if step.amount] == [1.5, 0.5]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("x" * 501, "characters"),
        ("wave, " * 21, "steps"),
        ("wave 11 times", "times"),
        ("walk 2 m for 3 seconds", "more than one amount"),
        ("wave while walking", "same time"),
        ("walk until you reach the wall", "condition"),
        ("when I clap, wave", "condition"),
    ],
)
def test_what_cannot_be_cut_is_refused_and_says_why(text, says):
    with pytest.raises(InstructionError, match=says):
        split(text)


def test_slips_are_repaired_and_words_are_not():
    assert repair("trun left, wlak forward") == "turn left, walk forward"
    known = {"talk", "ware"}.__contains__
    assert repair("talk to me", known) == "talk to me"
    assert repair("walkk forwrd", known) == "walk forward"
    assert one_slip("lft", "left")
    assert one_slip("leftt", "left")
    assert not one_slip("left", "left")
    assert not one_slip("lt", "left")
