"""A recording reads back as it was, stays bounded, and a writer killed half way leaves the old one whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from runtime_tools import JOINT, ROBOT, block

from volition.errors import ContractError
from volition.robots.fake import FakePolicy
from volition.runtime.recorder import Recorder, load_run


def test_round_trip(rig, tmp_path):
    folder = tmp_path / "runs" / "one"
    policy = FakePolicy(JOINT, block(forward=0.3, elbow=0.2), faults={4: "nan"})
    run = rig(policy, recorder=Recorder(folder))
    summary = run.run(1.0)
    recording = load_run(folder)
    about, arrays = recording.about, recording.arrays
    assert sorted(path.name for path in folder.iterdir()) == ["run.json", "run.npz"]
    assert about["instruction"] == "go"
    assert about["action"] == "joint"
    assert about["joints"] == list(ROBOT.joint_names)
    assert about["control_rate_hz"] == 50.0
    assert about["ticks"] == len(run.ticks) == len(arrays["stamp"])
    assert about["summary"]["accepted"] == summary.accepted
    assert [note for _, note in about["summary"]["notes"]] == [note for _, note in summary.notes]
    refused = [event for event in about["interventions"] if event["reason"] == "not_finite"]
    assert "nan" in refused[0]["detail"]
    for name, size in (("position", 43), ("safe_position", 28), ("action", 19), ("base_quaternion", 4)):
        assert arrays[name].shape == (len(run.ticks), size)
    assert np.array_equal(arrays["safe_position"], [tick.safe.position for tick in run.ticks])
    assert np.isnan(arrays["action"][0]).all(), "no action before the first chunk"
    assert np.isnan(arrays["chunk_stamp"][0])
    assert np.isfinite(arrays["action"][10]).all()
    with np.load(folder / "run.npz", allow_pickle=False) as file:
        assert all(file[name].dtype.kind == "f" for name in file.files)


def test_a_long_run_keeps_its_end(rig, tmp_path):
    run = rig(recorder=Recorder(tmp_path, limit_s=1.0), rest_s=0.0)
    run.run(3.0)
    recording = load_run(tmp_path)
    assert recording.about["ticks"] == 50
    assert recording.about["ticks_dropped"] == len(run.ticks) - 50
    assert recording.arrays["stamp"][-1] == run.ticks[-1].stamp
    with pytest.raises(ContractError, match="limit_s"):
        Recorder(tmp_path, limit_s=0)


def test_a_recorder_can_be_used_again(rig, tmp_path):
    run = rig(recorder=Recorder(tmp_path))
    run.run(1.0)
    run.run(0.5)
    assert load_run(tmp_path).arrays["stamp"][0] > 1.0


KILLED = """
import os, signal, sys
from pathlib import Path
import volition.runtime.recorder as recorder
real, count = os.fsync, 0
def fsync(descriptor):
    global count
    count += 1
    if count == {at}:
        os.kill(os.getpid(), signal.SIGKILL)
    real(descriptor)
os.fsync = fsync
folder = Path(sys.argv[1])
recorder._replace({{folder / "run.npz": b"new" * 1000, folder / "run.json": b"new"}})
"""


@pytest.mark.parametrize("at", [1, 2])
def test_a_writer_killed_in_the_middle_leaves_the_old_recording(rig, tmp_path, at):
    rig(recorder=Recorder(tmp_path)).run(0.5)
    before = load_run(tmp_path)
    result = subprocess.run(
        [sys.executable, "-c", KILLED.format(at=at), str(tmp_path)], capture_output=True, timeout=60, check=False
    )
    assert result.returncode == -9, result.stderr
    after = load_run(tmp_path)
    assert after.about == before.about


def test_a_failing_write_leaves_no_litter(rig, tmp_path, monkeypatch):
    run = rig(recorder=Recorder(tmp_path))
    run.run(0.5)
    before = load_run(tmp_path)

    def fail(self, target):
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        run.run(0.5)
    monkeypatch.undo()
    assert load_run(tmp_path).about == before.about
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.json", "run.npz"]


def test_what_is_no_recording_is_said(rig, tmp_path):
    with pytest.raises(ContractError, match="not a recorded run"):
        load_run(tmp_path / "nowhere")
    rig(recorder=Recorder(tmp_path)).run(0.5)
    about = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps({**about, "sha256": "0"}))
    with pytest.raises(ContractError, match="not the one"):
        load_run(tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ContractError, match="not a recorded run"):
        load_run(tmp_path)
