"""A plan: commands one after the other, what is done is not done again, and what is no plan is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from volition.cli import parse
from volition.errors import ContractError
from volition.eval import plan as plans
from volition.eval.configs import FollowConfig
from volition.eval.plan import PLANS, follow, read, time_left

TWO = """
about = "two stages"
[[stage]]
name = "one"
minutes = 10
run = "data check {out}/data"
[[stage]]
name = "two"
minutes = 30
run = 'train quick --data {out}/data --out "{out}/a b" --threads {workers}'
"""


@pytest.fixture
def two(tmp_path: Path) -> Path:
    path = tmp_path / "two.toml"
    path.write_text(TWO)
    return path


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Commands that were run, in place of running them."""
    commands: list[tuple[str, ...]] = []

    def run(command: tuple[str, ...]) -> int:
        commands.append(command)
        return 0

    monkeypatch.setattr(plans, "_run", run)
    return commands


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_command_of_our_plans_is_one_that_volition_takes(path: Path, tmp_path: Path) -> None:
    plan = read(path.stem, out=tmp_path, workers=3)
    assert plan.stages
    for stage in plan.stages:
        config: Any = parse(list(stage.command))
        while hasattr(config, "command"):  # of several words
            config = config.command
        assert tmp_path in Path(str(getattr(config, "out", ""))).parents, stage.name


def test_stages_run_in_order_and_once(two: Path, tmp_path: Path, ran: list[tuple[str, ...]]) -> None:
    out = tmp_path / "out"
    config = FollowConfig(plan=str(two), out=out, workers=5)
    assert follow(config) == 0
    assert ran == [
        ("data", "check", f"{out}/data"),
        ("train", "quick", "--data", f"{out}/data", "--out", f"{out}/a b", "--threads", "5"),
    ]
    state = json.loads((out / "plan.json").read_text())
    assert list(state["stages"]) == ["one", "two"]
    assert follow(config) == 0
    assert len(ran) == 2


def test_after_a_failure_the_same_command_goes_on_there(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes, ran = [0, 7, 0], []

    def run(command: tuple[str, ...]) -> int:
        ran.append(command[0])
        return codes.pop(0)

    clock = iter([0, 60, 100, 220, 300, 360])  # s: the second stage takes two minutes to fail, and one more
    monkeypatch.setattr(plans, "_run", run)
    monkeypatch.setattr(plans.time, "monotonic", lambda: float(next(clock)))
    config = FollowConfig(plan=str(two), out=tmp_path / "out")
    assert follow(config) == 7
    assert follow(config) == 0
    assert ran == ["data", "train", "train"]
    state = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert [one["minutes"] for one in state["stages"].values()] == [1.0, 3.0]
    assert state["begun"] == {}


def test_a_dry_run_runs_nothing(
    two: Path, tmp_path: Path, ran: list[tuple[str, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert follow(FollowConfig(plan=str(two), out=tmp_path / "out", dry=True)) == 0
    assert not ran
    assert "40" in capsys.readouterr().out


def test_the_time_left_is_as_much_too_long_as_the_stages_before(two: Path, tmp_path: Path) -> None:
    plan = read(str(two), out=tmp_path, workers=2)
    assert time_left(plan, {}) == 40
    assert time_left(plan, {"one": {"minutes": 20.0}}) == 60


def test_a_stage_runs_volition_itself_and_its_exit_code_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "real.toml"
    path.write_text('about = "x"\n[[stage]]\nname = "check"\nminutes = 1\nrun = "data check {out}/nothing"\n')
    assert follow(FollowConfig(plan=str(path), out=tmp_path / "out")) == 2
    assert json.loads((tmp_path / "out" / "plan.json").read_text())["stages"] == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("about = ", "is not TOML"),
        ('about = "x"', "is no plan: KeyError 'stage'"),
        ('about = "x"\nstage = []', "has the stages none"),
        (TWO.replace('"two"', '"one"'), "each name once"),
        (TWO.replace("minutes = 10", 'minutes = "soon"'), "is no plan: ValueError"),
        (TWO.replace("data check", "rm -rf"), "it must be data or train or eval"),
    ],
)
def test_what_is_no_plan_is_refused_in_one_sentence(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ContractError, match=said):
        read(str(path), out=tmp_path, workers=2)


def test_another_plan_in_the_same_folder_and_an_unknown_plan_are_refused(
    two: Path, tmp_path: Path, ran: list[tuple[str, ...]]
) -> None:
    assert follow(FollowConfig(plan=str(two), out=tmp_path / "out")) == 0
    with pytest.raises(ContractError, match="another plan made"):
        follow(FollowConfig(plan=str(two), out=tmp_path / "out", workers=9))
    with pytest.raises(ContractError, match=r"no plan 'fast'; give one of .*quick"):
        read("fast", out=tmp_path, workers=2)
    with pytest.raises(ContractError, match="workers is 0"):
        FollowConfig(plan="quick", out=tmp_path, workers=0)


def test_a_plan_may_change_in_what_is_still_to_come(two: Path, tmp_path: Path, ran: list[tuple[str, ...]]) -> None:
    assert follow(FollowConfig(plan=str(two), out=tmp_path / "out")) == 0
    two.write_text(TWO + '[[stage]]\nname = "three"\nminutes = 1\nrun = "eval {out}"\n', encoding="utf-8")
    ran.clear()
    assert follow(FollowConfig(plan=str(two), out=tmp_path / "out")) == 0
    assert [command[0] for command in ran] == ["eval"]
