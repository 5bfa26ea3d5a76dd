"""The fault harness: what it runs, what it writes, that it goes on where it ended; and the faults themselves, in physics."""

from __future__ import annotations

import json

import numpy as np
import pytest

from volition.cli import main
from volition.errors import ContractError, PolicyError
from volition.eval import faults
from volition.eval.fault_parts import ChildPolicy
from volition.robots.fake import FakeRobot
from volition.runtime.clock import FakeClock
from volition.safety.configs import FaultsConfig
from volition.types import Observation


def fine(row) -> bool:
    return not row["fell"] and row["broken"] == [] and row["as_hoped"]


def test_jobs_are_all_faults_in_turn():
    planned = faults.jobs(32)
    assert len(set(planned)) == 32
    assert [name for name, _ in planned[:15]] == list(faults.FAULTS)
    assert faults.jobs(3, "e-stop, clock back") == [("e-stop", 1), ("clock back", 1), ("e-stop", 2)]
    with pytest.raises(ContractError, match="no fault flood"):
        faults.jobs(1, "flood")


def test_what_is_written_down_is_not_run_again(tmp_path, monkeypatch, capsys):
    row = {"fault": "e-stop", "fell": False, "broken": [], "back_s": 0.1, "as_hoped": True, "stops": 1}
    lines = [json.dumps({**row, "seed": seed}) for seed in (1, 2)]
    (tmp_path / "runs.jsonl").write_text("\n".join(lines) + '\n{"fault": "e-st')
    monkeypatch.setattr(faults, "pool", None)  # to use it would fail
    config = FaultsConfig(runs=2, only="e-stop", out=tmp_path)
    assert faults.run(config) == 0
    assert "| 2 | 0 | 0 | 2 of 2 | 0.10, 0.10 | 1.0 |" in (tmp_path / "faults.md").read_text()
    (tmp_path / "runs.jsonl").write_text(lines[0] + "\n" + lines[1].replace("[]", '["jerk 2"]') + "\n")
    assert faults.run(config) == 1
    assert "As wanted in every respect: 1 of 2." in capsys.readouterr().out


def test_the_command_refuses_what_makes_no_sense(capsys):
    assert main(["safety", "faults", "--runs", "0"]) == 2
    assert main(["safety", "faults", "--only", "flood"]) == 2
    assert "there is no fault flood" in capsys.readouterr().err.lower()


def test_a_policy_in_a_process_of_its_own_can_be_killed_and_started_again():
    spec = faults.SPEC.action("joint")
    policy = ChildPolicy(spec, [0.5] * len(spec.names), [0.0] * len(spec.names))
    state = FakeRobot(faults.SPEC, FakeClock()).read()
    seen = Observation(stamp=0.0, state=state, images={}, instruction="")
    try:
        assert (policy.infer(seen).values == 0.5).all()
        policy.kill()
        with pytest.raises(PolicyError, match="gone"):
            policy.infer(seen)
        policy.start()
        assert np.isfinite(policy.infer(seen).values).all()
    finally:
        policy.kill()


@pytest.mark.parametrize("name", ["policy not finite", "e-stop"])
def test_the_robot_stays_safe_and_comes_back(name):
    row = faults.trial((name, 3))
    assert fine(row), row
    assert row["stops"] >= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", list(faults.FAULTS))
def test_every_fault(name):
    row = faults.trial((name, 4))
    assert fine(row), row
