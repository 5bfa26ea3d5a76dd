"""The fault harness: what it runs, what it writes, that it goes on where it ended; and the faults themselves, in physics."""

from __future__ import annotations

import json

import pytest

from volition.cli import main
from volition.errors import ContractError
from volition.eval import faults
from volition.safety.configs import FaultsConfig
from volition.serve.killed import SwingServer, run


def fine(row) -> bool:
    """Of the server that is killed the study judges by the machine's clock, which a test on a busy machine cannot."""
    hoped = row["as_hoped"] if "held" not in row else row["held"] and row["back_robot_s"] <= faults.SOON
    return not row["fell"] and row["broken"] == [] and hoped


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
    assert run(config) == 0
    assert "| 2 | 0 | 0 | 2 of 2 | 0.10, 0.10 | 1.0 |" in (tmp_path / "faults.md").read_text()
    (tmp_path / "runs.jsonl").write_text(lines[0] + "\n" + lines[1].replace("[]", '["jerk 2"]') + "\n")
    assert run(config) == 1
    assert "As wanted in every respect: 1 of 2." in capsys.readouterr().out


def test_the_command_refuses_what_makes_no_sense(capsys):
    assert main(["safety", "faults", "--runs", "0"]) == 2
    assert main(["safety", "faults", "--only", "flood"]) == 2
    assert "there is no fault flood" in capsys.readouterr().err.lower()


@pytest.mark.parametrize("name", ["policy not finite", "e-stop"])
def test_the_robot_stays_safe_and_comes_back(name):
    row = faults.trial((name, 3), SwingServer)
    assert fine(row), row
    assert row["stops"] >= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", list(faults.FAULTS))
def test_every_fault(name):
    row = faults.trial((name, 4), SwingServer)
    assert fine(row), row
