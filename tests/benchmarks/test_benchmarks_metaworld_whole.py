"""The whole way at its smallest, through the command line: demonstrations, corrections, training, trials, a report.

One task, pictures of 32 pixels, a policy of a few thousand weights: what is proven is that the parts fit and go on where
they ended, not that anything is learned.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = [pytest.mark.metaworld, pytest.mark.timeout(900)]
pytest.importorskip("metaworld", reason="Meta-World is not in this environment; run `make test-metaworld`")

from volition import cli  # noqa: E402
from volition.data.store import Dataset  # noqa: E402

SMALL = ("--tasks", "reach", "--demonstrations", "5", "--workers", "1", "--pixels", "32", "--hold", "5")


def volition(*words: str | Path) -> int:
    return cli.main(["bench", "metaworld", *map(str, words)])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Demonstrations and a policy taught on them."""
    out = tmp_path_factory.mktemp("metaworld")
    assert volition("generate", *SMALL, "--out", out / "data") == 0
    train = ("--steps", "2", "--batch", "4", "--threads", "1", "--chunk", "4", "--size", "test", "--device", "cpu")
    assert volition("train", "--data", out / "data", *train, "--out", out / "policy") == 0
    return out


def test_demonstrations_say_what_was_done_and_where_things_were(made: Path) -> None:
    with Dataset(made / "data") as data:
        assert (data.episodes, data.fps, data.metadata.robot) == (5, 80, "metaworld_sawyer")
        for episode in range(5):
            record = data.record(episode)
            assert record.success
            assert record.info["seed"] >= 1_000_000
            assert record.info["ways"][0] == record.tasks[0] == "reach for the red ball"
        numbers = data.numbers(0)
        assert numbers["observation.state"].shape[1] == 4
        assert abs(numbers["action"]).max() <= 1
        truth = dict(zip(data.feature("truth").names or (), numbers["truth"].T, strict=True))
        assert truth["corner2.place.inside"].all()
        assert truth["finished"][0] == 0
        assert truth["finished"][-1] == 1


def test_the_same_command_makes_nothing_twice(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (made / "data/meta/info.json").stat().st_mtime_ns
    assert volition("generate", *SMALL, "--out", made / "data") == 0
    assert (made / "data/meta/info.json").stat().st_mtime_ns == before
    assert volition("generate", *SMALL, "--noisy", "0.1", "--out", made / "data") == 2
    assert "noisy" in capsys.readouterr().err


def test_the_policy_knows_the_true_bounds_of_its_actions(made: Path) -> None:
    robot = json.loads((made / "policy/last/robot.json").read_text())
    assert robot["name"] == "metaworld_sawyer"
    assert [(one["low"], one["high"]) for one in robot["actions"][0]["dimensions"]] == [(-1, 1)] * 4
    assert json.loads((made / "policy/cost.json").read_text())["core_hours"] > 0


def test_trials_go_on_and_become_a_report(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy, report = made / "policy/last", made / "report"
    words = ("eval", policy, "--tasks", "reach", "--workers", "1", "--out", report)
    assert volition(*words, "--episodes", "1") == 0
    first = (report / "trials.jsonl").read_text()
    assert volition(*words, "--episodes", "2") == 0
    both = (report / "trials.jsonl").read_text()
    assert both.startswith(first)
    assert [json.loads(line)["seed"] for line in both.splitlines()] == [1000, 1001]
    # Films are tried again, and refused where they end otherwise.
    assert volition("report", report, "--films", "1", "--data", made / "data") == 0
    page = (report / "report.html").read_text()
    assert "FabriVLA" in page
    assert "5 demonstrations" in page
    results = json.loads((report / "results.json").read_text())
    assert results["suites"]["plain"][0]["episodes"]["trials"] == 2
    assert not results["suites"]["plain"][0]["all_50_tasks"]
    assert (report / "tiers.svg").read_text().startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert volition(*words, "--episodes", "2", "--execute", "2") == 2
    assert "another execute" in capsys.readouterr().err


def test_corrections_are_labelled_by_the_expert(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy, out = made / "policy/last", made / "corrections"
    asked = ("--policy", policy, "--expert", "0.5", "--seed", "1")
    assert volition("generate", *SMALL, *asked, "--out", out) == 0
    with Dataset(out) as data:
        infos = [data.record(episode).info for episode in range(data.episodes)]
        assert sum(info["labels"] for info in infos) == len(data)
        assert not {info["seed"] for info in infos} & {1_000_000 + number for number in range(30 * 5)}
    assert volition("generate", *SMALL[:-4], *asked, "--out", made / "wrong") == 2
    assert "pixels 32" in capsys.readouterr().err
