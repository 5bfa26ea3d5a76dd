"""`volition data convert` and `volition data check`: from any format to a data set that checks clean; exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from data_tools import make
from test_data_readers import calvin, demos, manifest

from volition import cli
from volition.data.store import Dataset


def run(*arguments: str | Path) -> int:
    return cli.main(["data", *map(str, arguments)])


@pytest.mark.parametrize(("name", "write"), [("manifest", manifest), ("demos", demos), ("calvin", calvin)])
def test_every_format_becomes_a_data_set(name: str, write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "in")
    assert run("convert", tmp_path / "in", tmp_path / "out") == 0
    assert name in capsys.readouterr().out
    with Dataset(tmp_path / "out") as dataset:
        assert dataset.episodes == {"manifest": 3, "demos": 2, "calvin": 2}[name]
        assert dataset.fps == {"manifest": 10, "demos": 10, "calvin": 30}[name]
        dataset.verify()
    assert run("check", tmp_path / "out") == 0


def test_lerobot_is_converted_with_the_same_content(tmp_path: Path) -> None:
    make(tmp_path / "in")
    assert run("convert", tmp_path / "in", tmp_path / "out", "--format", "lerobot") == 0
    with Dataset(tmp_path / "in") as before, Dataset(tmp_path / "out") as after:
        assert after.metadata.action_spec == "ee"
        for index in range(before.episodes):
            one, two = before.episode(index), after.episode(index)
            assert one.success == two.success
            assert one.tasks == two.tasks
            assert all(np.array_equal(one.arrays[name], two.arrays[name]) for name in one.arrays)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("convert", "none", "out"), "none is missing"),
        (("convert", "in", "in"), "holds a data set already"),
        (("convert", "in", "out", "--fps", "0"), "fps is 0.0"),
        (("convert", "in", "out", "--fps", "30"), "not resampled"),
        (("convert", "in", "out", "--format", "fax"), "fax"),
        (("convert", "in", "out", "--format", "demos"), "no folder with a metadata.json"),
        (("check", "none"), "none is not a folder"),
        (("check",), "FOLDER"),
        ((), "convert"),
    ],
)
def test_wrong_input_is_one_sentence_and_code_2(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    make(tmp_path / "in", lengths=(3,))
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_fault_midway_says_what_was_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demos(tmp_path / "in", count=3)
    (tmp_path / "in/demo_2/left_3.png").unlink()
    assert run("convert", tmp_path / "in", tmp_path / "out") == 2
    assert "left_3.png" in (said := capsys.readouterr().err)
    assert "The 2 episodes before it are in" in said
    assert Dataset(tmp_path / "out").episodes == 2


def test_check_exits_with_1_on_errors_and_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make(tmp_path / "data")
    (folder / "meta/stats.json").unlink()
    assert run("check", folder, "--json", "--no-pictures") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["errors"] == 1
    assert (report["episodes"], report["frames"]) == (3, 43)
    (one,) = [finding for finding in report["findings"] if finding["severity"] == "error"]
    assert one["kind"] == "statistics"
    assert run("check", folder) == 1
    assert "1 error." in capsys.readouterr().out


@pytest.mark.parametrize("command", ["convert", "check"])
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["data", command, "--help"])
    assert stop.value.code in (0, None)
    assert f"Example: volition data {command}" in capsys.readouterr().out
