"""The page of all of Meta-World's tasks, opened in a real browser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("av")

from browser import Tab
from volition.benchmarks.metaworld import tables
from volition.benchmarks.metaworld.films import Film
from volition.benchmarks.metaworld.page import page
from volition.benchmarks.metaworld.results import scores
from volition.benchmarks.metaworld.tasks import TASKS, TIER
from volition.eval.film import Mp4


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("metaworld")
    rows = [
        {
            "suite": "plain", "task": task, "tier": TIER[task], "seed": 1000 + number, "sentence": "do it", "steps": 100,
            "success": number == 0, "why": "" if number == 0 else "unreached", "key": f"plain/{task}/{number}",
        }
        for task in TASKS for number in range(2)
    ]  # fmt: skip
    with Mp4(folder / "film.mp4", width=64, height=48, fps=10) as film:
        for number in range(10):
            film.add(np.full((48, 64, 3), 20 * number, dtype=np.uint8))
    score = scores(rows)
    assert score is not None
    path = folder / "report.html"
    found = [tables.tiers(rows), tables.tasks(rows)]
    films = [Film(row=one, path=folder / "film.mp4") for one in rows[:2]]
    path.write_text(page("Meta-World", ["What was tried."], found, score, rows, films), encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_nothing_is_wrong_with_the_page_as_it_is_shown(tab: Tab, shown: Path, width: int, dark: bool) -> None:
    tab.open(shown, width=width, dark=dark)
    assert tab.run("document.querySelectorAll('video').length") == 2
    assert tab.run("document.querySelectorAll('.contents a').length") == tab.run(
        "document.querySelectorAll('h2').length"
    )
    assert tab.faults() == []
