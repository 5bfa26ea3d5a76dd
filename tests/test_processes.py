"""Workers: one thread each, and gone when their parent is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from volition.processes import ONE_THREAD, environment, pool

PROGRAM = """
import os, time
from volition.processes import pool
if __name__ == "__main__":
    with pool(2) as executor:
        print(*{one.result() for one in [executor.submit(os.getpid) for _ in range(20)]}, flush=True)
        executor.submit(time.sleep, 600).result()
"""


def test_workers_have_one_thread_and_their_parent_keeps_its_own() -> None:
    before = dict(os.environ)
    with pool(1) as executor:
        found = [executor.submit(os.getenv, name).result() for name in ONE_THREAD]
    assert found == ["1"] * len(ONE_THREAD)
    assert dict(os.environ) == before


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with environment(ONE_THREAD):
        assert os.environ["OMP_NUM_THREADS"] == "3"
        assert os.environ["LP_NUM_THREADS"] == "1"
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_a_killed_parent_leaves_no_workers(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PROGRAM)
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    workers = [int(word) for word in parent.stdout.readline().split()]
    assert workers
    assert all(alive(worker) for worker in workers)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 60
    while any(alive(worker) for worker in workers):
        assert time.monotonic() < end, "workers outlive their parent"
        time.sleep(0.1)


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
