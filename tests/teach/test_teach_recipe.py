"""What is made is decided by the recipe alone: turns, seeds, axes; and what is refused says so in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from volition import cli
from volition.sim.choices import CHAIN, axes_of, skills_of
from volition.sim.randomise import Axes
from volition.sim.skills import SKILLS
from volition.teach.errors import TeachError
from volition.teach.recipe import ATTEMPTS, Recipe

SKILL = "press_button"


def test_skills_take_turns() -> None:
    recipe = Recipe(skills=tuple(SKILLS))
    jobs = [recipe.job(number) for number in range(3 * len(SKILLS))]
    assert [job.skill for job in jobs] == list(SKILLS) * 3
    assert [job.index for job in jobs] == [turn for turn in range(3) for _ in SKILLS]
    assert jobs == [recipe.job(number) for number in range(3 * len(SKILLS))]


def test_no_two_episodes_share_a_scene() -> None:
    recipes = [Recipe(skills=(SKILL,), seed=seed) for seed in (0, 1)]
    seeds = [recipe.scene_seed(recipe.job(n), attempt) for recipe in recipes for n in range(99) for attempt in (0, 1)]
    assert len(set(seeds)) == len(seeds)
    last = recipes[0].scene_seed(recipes[0].job(999_999), ATTEMPTS - 1)
    assert last < recipes[1].scene_seed(recipes[1].job(0), 0)


def test_each_use_has_its_own_stream() -> None:
    recipe = Recipe(skills=tuple(SKILLS))
    streams = {
        recipe.stream(recipe.job(number), attempt, use)
        for number in range(len(SKILLS))
        for attempt in (0, 1)
        for use in ("words", "noise")
    }
    assert len(streams) == 4 * len(SKILLS)


def test_the_recipe_survives_a_file() -> None:
    recipe = Recipe(skills=(SKILL,), axes=Axes(light=0.0), noise=0.5)
    assert json.loads(json.dumps(recipe.to_json())) == recipe.to_json()


def test_axes_and_skills_are_read() -> None:
    assert axes_of(" light=0, camera = 2 ") == Axes(light=0.0, camera=2.0)
    assert axes_of("") == Axes()
    assert skills_of("all", chains=True) == (*SKILLS, CHAIN)
    assert skills_of("pour, chain", chains=True) == ("pour", CHAIN)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--skill", "juggle"], "no skill 'juggle'; there are press_button"),
        (["--skill", f"{SKILL},{SKILL}"], "is given twice; once is enough"),
        (["--skill", ","], "No skill is given"),
        (["--axes", "lihgt=2"], "no axis 'lihgt'; there are layout, colours"),
        (["--axes", "light"], "strength of the axis light is ''"),
        (["--axes", "light=bright"], "is 'bright'; it must be a number"),
        (["--axes", "light=11"], "light is 11.0; a strength is 0"),
        (["--axes", "light=nan"], "light is nan"),
        (["--axes", "light=1,light=2"], "given twice"),
        (["--axes", "latency=3"], "at most 2"),
        (["--episodes", "0"], "episodes is 0; it must be 1 to 1000000"),
        (["--workers", "0"], "workers is 0"),
        (["--noise", "nan"], "noise is nan"),
        (["--noise", "-1"], "noise is -1"),
        (["--recoveries", "1.5"], "recoveries is 1.5"),
        (["--seconds", "61"], "seconds is 61"),
        (["--seconds", "2", "--recoveries", "0.2"], "leave --recoveries out with --seconds"),
        (["--pixels", "65"], "even number"),
        (["--address", "auto"], "backend `ray` only"),
        (["--backend", "slurm"], "slurm"),
    ],
)
def test_wrong_arguments_are_refused_in_one_sentence(
    arguments: list[str], named: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["data", "generate", "--out", str(tmp_path / "set"), *arguments]) == 2
    shown = capsys.readouterr().err.strip()
    assert named in shown
    assert shown.count("\n") == 0
    assert not (tmp_path / "set").exists()


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["data", "generate", "--help"])
    assert stop.value.code in (0, None)
    assert "Example: volition data generate" in capsys.readouterr().out


def test_too_hard_a_latency_is_refused_in_python_too() -> None:
    with pytest.raises(TeachError, match="latency"):
        Recipe(skills=(SKILL,), axes=Axes(latency=2.5))
