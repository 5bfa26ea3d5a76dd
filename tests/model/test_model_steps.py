"""A command cut into steps by its words alone, and a policy that is told one step at a time."""

from __future__ import annotations

import numpy as np
import pytest

from volition.errors import ContractError, PolicyError
from volition.model.steps.policy import Steps
from volition.model.steps.split import split
from volition.policy import Policy
from volition.robots.primitives import PRIMITIVE_ACTION
from volition.sim.choices import layout
from volition.sim.language.deeds import DEEDS
from volition.sim.language.manners import manners
from volition.sim.language.say import say
from volition.sim.language.templates import TEMPLATES
from volition.sim.language.understand import understand
from volition.sim.randomise import Draw
from volition.types import ActionChunk, Observation, RobotState

# ---- split


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "press the red button, then put the green block into the left bin and wipe the blue patch",
            ["press the red button", "put the green block into the left bin", "wipe the blue patch"],
        ),
        ("first wave, after that turn left, and finally stop", ["wave", "turn left", "stop"]),
        ("Open the drawer. Next, press the button.", ["open the drawer", "press the button"]),
        ("step one: wave. step two: press the button, please", ["wave", "press the button"]),
        ("1. wave 2. press the button", ["wave", "press the button"]),
        ("open the drawer; once finished, wave; once finished, stop", ["open the drawer", "wave", "stop"]),
        ("open the drawer. when you're done, press the button", ["open the drawer", "press the button"]),
        ("before you open the drawer, press the button", ["press the button", "open the drawer"]),
        ("press the button before opening the drawer", ["press the button", "open the drawer"]),
        ("open the drawer after pressing the button", ["press the button", "open the drawer"]),
        ("after you have wiped the spot, wave", ["wipe the spot", "wave"]),
        ("wave, but before that press the button, then turn left", ["press the button", "wave", "turn left"]),
        (
            "pour the mug out, but first fetch the can and let it rest on the plate",
            ["fetch the can and let it rest on the plate", "pour the mug out"],
        ),
        ("could you first wave, then stop?", ["wave", "stop"]),
        ("would you mind opening the drawer and pressing the button?", ["open the drawer", "press the button"]),
        ("press the red button and the blue one", ["press the red button", "press the blue one"]),
        ("raise your left arm and then wave", ["raise your left arm", "wave"]),
        ("put the can at the end and stop", ["put the can at the end", "stop"]),
        ("once you have wiped the spot, whirr", ["wipe the spot", "whirr"]),
        ("whisk the eggs and fry the bacon", ["whisk the eggs", "fry the bacon"]),  # verbs of no list
        ("wave then press the red button after that stop", ["wave", "press the red button", "stop"]),
    ],
)
def test_a_command_is_cut_in_the_order_of_doing(text: str, wanted: list[str]) -> None:
    assert list(split(text)) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "pick up the cup and put it on the tray",
        "Pick up the cup. Then put it on the tray.",
        "press the one between the red and the blue block",
        "press the red and the blue button",
        "take the green can and the blue can to the tray",
        "go and stand at the pillar",
        "take the handle of the drawer and pull",
        "raise your hand and wave",
        "take the sponge and wipe the blue patch",
        "push the button, and push it hard",
        "raise your arm, the left one",
        "stop if a person is in front of you, otherwise walk on",
        "do not press the red button, press the blue one",
        "when the light is on, press the button",
        "when you see the red cone, stop",
        "Could you press the red button, please?",
        "",
        " , and then ...",
        "the the and and then then before you",
    ],
)
def test_what_is_one_step_comes_back_as_it_was_given(text: str) -> None:
    assert split(text) == (text.strip(),)


@pytest.mark.parametrize("words", ["train", "phrasings"])
def test_no_sentence_of_the_grammar_is_cut_inside(words: str) -> None:
    names = {
        "thing": "the left red can next to the plate",
        "place": "the bowl on the right",
        "on": "in",
        "onto": "into",
    }
    told = [t for t in TEMPLATES if t.split == words]
    texts = [m.text.format(t.text.format(**names)) for t in told for m in manners(words, None, command=t.command)]
    texts += [text.format(x="the person in red") for deed in DEEDS for text in deed.texts(words)]
    cut = [text for text in texts if split(text) != (text,)]
    assert len(texts) > 1000
    assert not cut


@pytest.mark.parametrize("words", ["train", "phrasings"])
def test_every_part_of_a_chain_means_its_goal(words: str) -> None:
    for seed in range(15):
        scene = layout("chain", Draw(62_000_000 + seed))
        text = say(scene, scene.goals, np.random.default_rng(seed), words).text
        meant = [understand(scene, part).goals for part in split(text)]
        assert meant == [(goal,) for goal in scene.goals], text


def test_long_nonsense_is_quickly_read() -> None:
    assert split("and then " * 3000)
    assert split("press the button, " * 2000)


# ---- Steps


class Told:
    """A policy that is done with a sentence after `after` decisions; it writes down what it is told and asked."""

    def __init__(self, after: int = 3, fails: str = "") -> None:
        self.after, self.fails = after, fails
        self.told: list[str] = []
        self.asked: list[str] = []
        self._count = 0

    action_spec = PRIMITIVE_ACTION

    def reset(self, instruction: str) -> None:
        if instruction == "refuse":
            raise PolicyError("no")
        self.told.append(instruction)
        self._count = 0

    def infer(self, observation: Observation) -> ActionChunk:
        self._count += 1
        self.asked.append(observation.instruction)
        status = (
            "failed" if observation.instruction == self.fails else "done" if self._count == self.after else "running"
        )
        values = np.full((2, 1), float(len(self.told)))
        return ActionChunk(
            stamp=observation.stamp, values=values, dt=0.1, spec="primitive", status=status, note=f"n{self._count}"
        )


def seen(stamp: float) -> Observation:
    still = np.zeros(3)
    state = RobotState(
        stamp=stamp, position=still, velocity=still, effort=still, base_position=still,
        base_quaternion=np.array([1.0, 0.0, 0.0, 0.0]), base_velocity=still, base_angular_velocity=still,
    )  # fmt: skip
    return Observation(stamp=stamp, state=state, images={}, instruction="all of it")


def run(policy: Policy, decisions: int, *, begin: float = 0.0) -> list[ActionChunk]:
    return [policy.infer(seen(begin + 0.1 * number)) for number in range(decisions)]


def test_one_sentence_after_the_other_and_done_only_after_the_last() -> None:
    inner = Told(after=3)
    steps = Steps(inner)
    steps.reset("wave, then press the button and stop")
    chunks = run(steps, 12)
    assert inner.told == ["wave", "press the button", "stop"]
    assert inner.asked == ["wave"] * 3 + ["press the button"] * 3 + ["stop"] * 6
    assert [chunk.status for chunk in chunks] == ["running"] * 8 + [
        "done"
    ] * 4  # and it stays so, whatever it says then
    assert chunks[0].note == "1/3 wave (n1)"
    assert chunks[4].note == "2/3 press the button (n2)"
    assert chunks[8].note == "3/3 stop (n3)"
    assert [chunk.values[0, 0] for chunk in chunks[:7]] == [1, 1, 1, 2, 2, 2, 3]


def test_a_single_step_is_told_as_it_was_said() -> None:
    inner = Told()
    steps = Steps(inner)
    steps.reset("Could you wave, please?")
    chunks = run(steps, 3)
    assert inner.told == ["Could you wave, please?"]
    assert [(chunk.status, chunk.note) for chunk in chunks] == [("running", "n1"), ("running", "n2"), ("done", "n3")]


def test_a_step_whose_time_is_up_is_left_and_the_last_one_fails() -> None:
    inner = Told(after=999)
    steps = Steps(inner, limit_s=0.45)
    steps.reset("wave, then stop")
    chunks = run(steps, 14, begin=7.0)
    assert inner.asked == ["wave"] * 6 + ["stop"] * 8
    assert chunks[5].note == "1/2 wave (n6, out of time)"
    assert [chunk.status for chunk in chunks] == ["running"] * 11 + ["failed"] * 3


def test_a_failure_is_passed_on() -> None:
    steps = Steps(Told(fails="wave"))
    steps.reset("wave, then stop")
    assert [chunk.status for chunk in run(steps, 5)] == ["failed"] * 5


def test_a_new_command_begins_at_its_first_step() -> None:
    inner = Told(after=2)
    steps = Steps(inner)
    with pytest.raises(PolicyError, match="reset"):
        steps.infer(seen(0.0))
    steps.reset("wave, then stop")
    run(steps, 3)
    steps.reset("turn left and wave")
    assert steps.sentences == ("turn left", "wave")
    assert run(steps, 1, begin=100.0)[0].note == "1/2 turn left (n1)"
    with pytest.raises(PolicyError):
        steps.reset("refuse")
    with pytest.raises(PolicyError, match="no command"):  # what was refused leaves nothing running
        steps.infer(seen(0.0))


def test_its_limit_is_checked() -> None:
    assert Steps(Told()).action_spec is PRIMITIVE_ACTION
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ContractError, match="limit_s"):
            Steps(Told(), limit_s=wrong)
