"""What needs no simulator of the suite: tasks, words, seeds, scores, and that a policy cannot learn where things are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from volition.benchmarks.metaworld import tables
from volition.benchmarks.metaworld.configs import EvalConfig, GenerateConfig, TrainConfig
from volition.benchmarks.metaworld.demonstrate import features_of
from volition.benchmarks.metaworld.errors import MetaWorldError
from volition.benchmarks.metaworld.evaluate import jobs_of
from volition.benchmarks.metaworld.published import PUBLISHED
from volition.benchmarks.metaworld.recipe import ATTEMPTS, RUN, Recipe
from volition.benchmarks.metaworld.results import comparable, decides, scores
from volition.benchmarks.metaworld.robot import HAND, NAME, STATE, sawyer
from volition.benchmarks.metaworld.tasks import TASKS, TIER, TIERS, TWINS, tasks_of
from volition.benchmarks.metaworld.train import command_of
from volition.benchmarks.metaworld.trial import Job
from volition.benchmarks.metaworld.truth import truth_feature
from volition.benchmarks.metaworld.words import sentences, words_of
from volition.benchmarks.metaworld.world import FIRST, HORIZON, observed
from volition.body.memory import Looks, Memory
from volition.data.loader import LoaderConfig
from volition.data.store import Dataset
from volition.data.writer import DatasetWriter
from volition.errors import PolicyError
from volition.model.checkpoint import Checkpoint, Design
from volition.model.inputs import Sentences
from volition.model.language.bpe import train_bpe
from volition.model.policy import LearnedPolicy
from volition.model.shapes import Shapes
from volition.robots.description import describe, differences
from volition.train.batch_config import BatchConfig, codec_of
from volition.train.batches import Batches
from volition.train.taught import DESCRIPTION, taught_on
from volition.transforms.codec import Codec
from volition.transforms.scale import scale_of

PIXELS = 32


def checkpoint(seed: int = 0) -> Checkpoint:
    """An untrained policy at its smallest, for the suite's robot."""
    torch.manual_seed(seed)
    robot = sawyer(("corner2",), PIXELS)
    said = [text for words in sentences().values() for text in words.train]
    shapes = Shapes(
        cameras=("corner2",), picture=(PIXELS, PIXELS), state=len(STATE), actions=4, chunk=4, tokenizer=train_bpe(said, 400).to_str()
    )  # fmt: skip
    design = Design(recipe="quick", size="test", shapes=shapes, dt=1 / robot.policy_rate_hz)
    plain = {name: scale_of({}, names, kind="identity") for name, names in (("states", STATE), ("actions", HAND.names))}
    codec = Codec(spec=HAND, frame="absolute", **plain)
    return Checkpoint(model=design.build().eval(), design=design, codec=codec, robot=describe(robot), about={})


def test_there_are_50_tasks_in_four_tiers() -> None:
    assert {tier: len(names) for tier, names in TIERS.items()} == {"easy": 28, "medium": 11, "hard": 6, "very hard": 5}
    assert len(set(TASKS)) == 50
    assert tasks_of("hard, easy") == (*TIERS["easy"], *TIERS["hard"])
    assert tasks_of("push,reach") == ("reach", "push")
    with pytest.raises(MetaWorldError, match="no task 'push-v3'"):
        tasks_of("push-v3")


def test_no_sentence_belongs_to_two_tasks() -> None:
    assert set(sentences()) == set(TASKS)
    said = [text for words in sentences().values() for text in (*words.train, *words.held_out)]
    assert len(said) == len(set(said)) == 350
    for words in sentences().values():
        assert len(words.train) >= 4
        assert len(words.held_out) >= 2


def test_tasks_that_look_alike_are_told_apart_by_words() -> None:
    assert set(TWINS) | set(TWINS.values()) <= set(TASKS)
    for one, other in TWINS.items():
        assert one != other
        assert words_of(one).sentence != words_of(other).sentence
    assert words_of("push").sentence != words_of("push-back").sentence


def test_no_training_seed_is_an_evaluation_seed() -> None:
    recipe = Recipe(tasks=("push", "reach"), seed=100_000)
    first = Recipe(tasks=("push", "reach")).job(0)
    assert Recipe(tasks=("push", "reach")).scene_seed(first, 0) > FIRST + 10_000  # the most episodes of an evaluation
    jobs = [recipe.job(number) for number in range(40)]
    seeds = [recipe.scene_seed(job, attempt) for job in jobs if job.skill == "push" for attempt in range(ATTEMPTS)]
    assert len(seeds) == len(set(seeds)) == 20 * ATTEMPTS


def test_the_first_demonstrations_of_all_tasks_are_a_data_set_of_their_own() -> None:
    recipe = Recipe(tasks=TASKS)
    for each in (5, 10, 25, 50):
        assert each % RUN == 0
        made = [recipe.job(number) for number in range(each * 50)]
        assert {(job.skill, job.index) for job in made} == {(task, index) for task in TASKS for index in range(each)}


def test_what_a_policy_sees_is_the_hand_and_the_gripper_alone() -> None:
    raw = np.random.default_rng(0).normal(size=39)
    other = raw.copy()
    other[4:] = np.random.default_rng(1).normal(size=35)
    first, second = (observed(one, {}, "reach for the red ball", 0.5) for one in (raw, other))
    assert first.state.position.tolist() == raw[:4].tolist()
    for name in ("position", "velocity", "effort", "base_position", "base_quaternion", "base_velocity"):
        assert np.array_equal(getattr(first.state, name), getattr(second.state, name))


def test_changing_where_object_and_goal_are_changes_no_action() -> None:
    policy = LearnedPolicy(checkpoint(), sawyer(("corner2",), PIXELS))
    random = np.random.default_rng(2)
    picture = {"corner2": random.integers(0, 256, (PIXELS, PIXELS, 3), dtype=np.uint8)}
    raw = np.concatenate([[0.0, 0.6, 0.2, 1.0], random.normal(size=35)])

    def chunk(given: np.ndarray) -> np.ndarray:
        policy.reset("push the red puck to the green dot")
        return policy.infer(observed(given, picture, "push the red puck to the green dot", 0.0)).values

    as_it_is = chunk(raw)
    for place in range(4, 39):
        changed = raw.copy()
        changed[place] += 10.0
        assert np.array_equal(chunk(changed), as_it_is), f"raw observation, number {place}"
    moved = raw.copy()
    moved[0] += 0.1
    assert not np.array_equal(chunk(moved), as_it_is)


def test_a_policy_of_other_cameras_is_refused() -> None:
    made = checkpoint()
    assert differences(made.robot, sawyer(("corner2",), PIXELS), action="hand", cameras=("corner2",)) == []
    with pytest.raises(PolicyError, match="height is 64"):
        LearnedPolicy(made, sawyer(("corner2",), 64))
    with pytest.raises(PolicyError, match="no camera corner2"):
        LearnedPolicy(made, sawyer(("gripper",), PIXELS))


def test_a_robot_without_arms_of_ours_feels_its_joints_alone() -> None:
    codec = checkpoint().codec
    memory = Memory(sawyer(("corner2",), PIXELS), codec, Looks(cameras=("corner2",)), dt=1 / 80)
    picture = np.zeros((PIXELS, PIXELS, 3), dtype=np.uint8)
    seen = memory.see(observed(np.arange(39.0), {"corner2": picture}, "push", 0.0))
    assert seen["state"].ravel().tolist() == [0.0, 1.0, 2.0, 3.0]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """One made-up episode in the suite's columns, with the description of its robot beside it."""
    folder, random = tmp_path_factory.mktemp("recorded"), np.random.default_rng(0)
    recipe = Recipe(tasks=("push",), pixels=PIXELS)
    (folder / "meta").mkdir()
    (folder / DESCRIPTION).write_text(json.dumps(describe(sawyer(("corner2",), PIXELS))))
    with DatasetWriter.open(folder, features_of(recipe), 80, NAME, action_spec=HAND.name) as writer:
        for _ in range(12):
            picture = random.integers(0, 256, (PIXELS, PIXELS, 3), dtype=np.uint8)
            truth = random.random(len(truth_feature(("corner2",)).names or ()))
            truth[0] = 0.0
            frame = {"observation.images.corner2": picture, "observation.state": random.random(4)}
            writer.add_frame({**frame, "action": random.uniform(-0.5, 0.5, 4), "truth": truth}, "push it")
        writer.end_episode(success=True, info={"skill": "push", "ways": ["push it", "shove it", "nudge it"]})
    return Dataset(folder)


def test_a_data_set_brings_the_description_of_its_robot(recorded: Dataset) -> None:
    taught = taught_on([recorded], ("corner2",), "hand")
    assert (taught.name, taught.ours, taught.picture) == (NAME, False, (PIXELS, PIXELS))
    assert taught.spec == HAND  # the true bounds, not what was recorded
    robot = sawyer(("corner2",), PIXELS)
    assert differences(taught.description, robot, action="hand", cameras=("corner2",)) == []


def test_windows_are_told_in_several_ways_and_know_where_things_are(recorded: Dataset) -> None:
    config = BatchConfig(action="hand", cameras=("corner2",), chunk=4)
    read = checkpoint().model.read
    heard: list[str] = []

    def hearing(said: Sequence[str]) -> Sentences:
        heard.extend(said)
        return read(said)

    batches = Batches(recorded, config, codec_of([recorded], config, HAND), hearing, LoaderConfig(batch=12, workers=1))
    for number in range(3):
        for _, targets in batches.epoch(number):
            truth = targets.truth
            assert truth.points is not None
            assert truth.points.shape == (12, 1, 3, 2)
            assert truth.masks is not None
            assert truth.masks.isnan().all()  # nobody recorded which cells a thing covers
            assert targets.real[:, 0].all()
    assert set(heard) == {"push it", "shove it", "nudge it"}


def test_the_sentence_is_decided_by_suite_task_and_seed() -> None:
    assert Job(suite="plain", task="push", seed=1000).sentence == words_of("push").sentence
    assert Job(suite="swap", task="push", seed=1000).sentence == words_of("push-back").sentence
    said = {Job(suite="paraphrases", task="push", seed=seed).sentence for seed in range(1000, 1010)}
    assert said == set(words_of("push").held_out)


def test_evaluations_begin_at_seed_1000_and_swap_what_can_be_swapped(tmp_path: Path) -> None:
    config = EvalConfig(checkpoint=tmp_path, out=tmp_path, tasks="reach,soccer", episodes=2)
    assert [(job.task, job.seed) for job in jobs_of(config)] == [
        ("reach", 1000),
        ("reach", 1001),
        ("soccer", 1000),
        ("soccer", 1001),
    ]
    swapped = EvalConfig(checkpoint=tmp_path, out=tmp_path, tasks="reach,soccer", episodes=2, swap=True)
    assert {job.task for job in jobs_of(swapped)} == {"reach"}
    with pytest.raises(MetaWorldError, match="soccer"):
        jobs_of(EvalConfig(checkpoint=tmp_path, out=tmp_path, tasks="soccer", swap=True))


def row(task: str, seed: int, success: bool, steps: int = 100, suite: str = "plain") -> dict[str, Any]:
    why = "" if success else "unreached"
    return {
        "suite": suite, "task": task, "tier": TIER[task], "seed": seed, "sentence": "do it", "success": success,
        "steps": steps if success else HORIZON, "why": why, "decision_ms": 5.0, "core_s": 1.0,
        "key": f"{suite}/{task}/{seed}",
    }  # fmt: skip


def test_the_average_is_of_tiers_and_not_of_tasks() -> None:
    rows = [
        row("reach", 1000, True),
        row("reach", 1001, True),
        row("door-open", 1000, True),
        row("door-open", 1001, False),
    ]
    rows += [row("push", 1000, True, steps=450), row("push", 1001, False)]
    found, early = scores(rows), scores(rows, 400)
    assert found is not None
    assert early is not None
    assert [(one.name, one.count, one.of) for one in found.tiers] == [("easy", 3, 4), ("hard", 1, 2)]
    assert found.average == pytest.approx((0.75 + 0.5) / 2)
    assert found.all.rate == pytest.approx(4 / 6)
    assert early.average == pytest.approx(0.75 / 2)
    assert not found.whole
    low, high = found.tiers[0].interval
    assert low < 0.75 < high
    json.dumps(found.to_json(), allow_nan=False)


def test_ten_episodes_are_compared_with_ten() -> None:
    rows = [row("reach", FIRST + number, number < 10) for number in range(50)]
    short = scores(comparable(rows))
    assert short is not None
    assert (short.all.count, short.all.of) == (10, 10)


def test_whether_the_word_decides_is_asked_on_the_same_seeds() -> None:
    rows = [row("push", 1000 + seed, True) for seed in range(5)]
    rows += [row("push", 1000 + seed, seed == 0, suite="swap") for seed in range(3)]
    found = decides(rows)
    assert found is not None
    own, swapped = found
    assert (own.count, own.of, swapped.count, swapped.of) == (3, 3, 1, 3)


def test_tables_stand_beside_the_published_ones() -> None:
    manifest = {
        "parameters": 24_000_000, "trainable": 1_800_000, "cameras": ["corner2"], "pixels": 128, "execute": 5,
        "machine": "here", "checkpoint": "a" * 64,
    }  # fmt: skip
    rows = [row(task, FIRST + number, True) for task in TASKS for number in range(2)]
    beside = tables.beside(rows, manifest)
    assert beside.rows[0][:7] == ("ours", "24.0 M", "100.0", "100.0", "100.0", "100.0", "100.0")
    assert "FabriVLA" in beside.markdown
    assert len(tables.tasks(rows).rows) == 50
    spent = {"demonstrations": 1.0, "training": None, "trials": 0.5}
    assert ("core-hours, all", "1.50") in tables.cost(rows, manifest, spent).rows


def test_published_averages_are_the_means_of_their_tiers() -> None:
    for one in PUBLISHED:
        assert np.mean(one.tiers) == pytest.approx(one.average, abs=0.06), one.name


def test_training_takes_every_demonstration_and_no_colour_away(tmp_path: Path) -> None:
    command = command_of(TrainConfig(data=(tmp_path,), out=tmp_path / "out", minutes=5))
    assert (command.held_out, command.colour, command.balance, command.resume) == (0.0, 0.0, True, True)
    assert (command.action, command.train.minutes) == ("hand", 5)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"demonstrations": 7}, "multiples of 5"), ({"pixels": 100}, "of 8"), ({"noisy": 2.0}, "noisy is 2.0")],
)
def test_wrong_settings_are_one_sentence(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(MetaWorldError, match=said):
        GenerateConfig(out=tmp_path, **wrong)
