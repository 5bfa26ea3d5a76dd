"""A smaller policy is accepted only where the trials show that success and safety hold."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch")

from volition.errors import ContractError
from volition.eval.compression import markdown, verdict
from volition.export.command import CompressConfig


def rows(successes: int, of: int, *, unsafe: int = 0, what: str = "fell", shift: int = 0) -> list[dict[str, Any]]:
    found = [
        {"suite": "skills", "success": (number - shift) % of < successes, "fell": False, "violations": 0, "stops": 0}
        for number in range(of)
    ]
    for row in found[:unsafe]:
        row[what] = True if what == "fell" else 3
    return found


def test_the_same_outcomes_are_accepted() -> None:
    found = verdict(rows(14, 20), rows(14, 20), margin=0.1)
    assert found["refused"] == []
    assert found["successes"] == {"before": 14, "after": 14}


def test_a_gain_is_accepted() -> None:
    assert verdict(rows(70, 100), rows(80, 100), margin=0.1)["refused"] == []


def test_lost_success_is_refused_with_the_figures() -> None:
    (why,) = verdict(rows(80, 100), rows(60, 100), margin=0.1)["refused"]
    assert "0 trials only after, 20 only before, of 100" in why


def test_as_many_successes_on_other_seeds_of_few_say_too_little() -> None:
    """14 of 20 both, but on other seeds: the interval reaches far below, and more trials are asked for."""
    (why,) = verdict(rows(14, 20), rows(14, 20, shift=4), margin=0.1)["refused"]
    assert "more --episodes say more" in why
    assert verdict(rows(14, 20), rows(14, 20, shift=4), margin=0.5)["refused"] == []


@pytest.mark.parametrize("what", ["fell", "violations", "stops"])
def test_one_more_unsafe_trial_is_refused_however_many_succeed(what: str) -> None:
    (why,) = verdict(rows(10, 20, unsafe=1, what=what), rows(20, 20, unsafe=2, what=what), margin=0.1)["refused"]
    assert why == f"trials with {what}: 2 after, 1 before."


def test_the_table_has_both_sides() -> None:
    found = verdict(rows(14, 20), rows(13, 20), margin=0.5)
    for key in ("policy_megabytes", "megabytes", "decision_ms", "processor_ms"):
        found[key] = {"before": 4.0, "after": 2.0}
    text = markdown(found)
    assert "| a decision, one thread, median | 4.0 ms | 2.0 ms |" in text
    assert "| successes (95 %) | 14 of 20 (48-85 %) | 13 of 20 (43-82 %) |" in text


@pytest.mark.parametrize("wrong", [{}, {"prune": 0.95}, {"int8": True, "margin": 0.0}, {"int8": True, "episodes": 0}])
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, Any], tmp_path: Any) -> None:
    with pytest.raises(ContractError):
        CompressConfig(checkpoint=tmp_path, data=tmp_path, out=tmp_path / "out", **wrong)
