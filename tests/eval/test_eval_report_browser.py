"""The report as a person meets it: opened in a real browser, wide and narrow, in the light and in the dark."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("av")

from report_tools import FIRST, Page, failed, report, row, rows

from browser import Tab
from volition.eval.report.page import page

BROKEN = """<!doctype html><html><body>
<img src="data:image/png;base64,AAAA"><img src="http://pictures.example/x.png"><video src="data:video/mp4;base64,AAAA"></video>
<a href="#nothing">nowhere</a><a href="https://elsewhere.example">elsewhere</a><div style="width:3000px">wide</div>
<p style="color:#ccc;background:#fff">pale</p><p style="font-size:6px" id="same">small</p><p id="same"></p>
<svg width="100" height="20" viewBox="0 0 100 20"><text x="80" y="12">longer than its drawing</text></svg>
<script>console.error("it says so"); throw Error("it throws")</script></body></html>"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With every section, every kind of failure and a table that is long enough to be folded."""
    folder = tmp_path_factory.mktemp("browser")
    kinds = ("wrong_thing", "wrong_place", "dropped", "spilt", "bumped", "fell", "stopped", "odd", "odder")
    found = rows() + [failed(why, skill="wipe_surface", seed=FIRST + n) for n, why in enumerate(kinds)]
    for number in range(8):
        found += [row(suite="robustness", condition=f"latency {number} ms", skill=one) for one in ("pour", "go_to")]
    path = folder / "report.html"
    path.write_text(page(report(folder, found)), encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_nothing_is_wrong_with_the_page_as_it_is_shown(tab: Tab, shown: Path, width: int, dark: bool) -> None:
    tab.open(shown, width=width, dark=dark)
    assert tab.run("[document.images.length, document.querySelectorAll('video').length]") == [1, 1]
    assert tab.faults() == []


def test_the_keyboard_gets_everywhere(tab: Tab, shown: Path) -> None:
    tab.open(shown, width=390)
    titles = Page(shown.read_text(encoding="utf-8")).headings
    assert tab.reached(len(titles)) == titles
    tab.press("Enter", 13, "\r")
    assert tab.run("location.hash") == "#to-make-it-again"
    top = tab.run("document.getElementById('to-make-it-again').getBoundingClientRect().top")
    assert 0 <= top < 900

    tab.run("document.querySelector('.contents a:last-child').focus()")
    others: list[str] = []
    while (at := tab.reached(1)[0]) != "Skill by skill":
        others.append(at)
        assert len(others) < 30, others
    assert set(others) == {"DIV"}  # tables, which so can be scrolled with the arrow keys
    table = "document.querySelector('details table').checkVisibility()"
    assert not tab.run(table)
    tab.press("Enter", 13, "\r")
    assert tab.run(table)
    assert tab.run("document.documentElement.scrollWidth") <= 390
    assert "VIDEO" in tab.reached(40)


def test_a_folded_table_opens_when_it_is_clicked(tab: Tab, shown: Path) -> None:
    tab.open(shown)
    tab.click("summary")
    assert tab.run("document.querySelector('details').open")
    tab.click("summary")
    assert not tab.run("document.querySelector('details').open")


def test_the_browser_finds_what_is_wrong(tab: Tab, tmp_path: Path) -> None:
    path = tmp_path / "broken.html"
    path.write_text(BROKEN, encoding="utf-8")
    tab.open(path)
    found = tab.faults()
    for fault in (
        "no picture: data:image/png", "no picture: http://pictures", "no film: ", "a link to nowhere: #nothing",
        "a link to nowhere: https://elsewhere", "3008 px wide", "contrast 1.6: <p", "6.0 px: <p", "cut off: <text", "no language", "two are named same",
        "fetched: http://pictures.example/x.png",
    ):  # fmt: skip
        assert any(one.startswith(fault) for one in found), (fault, found)
    said = [one for one in found if one.startswith("said: ")]
    for words in ("it says so", "it throws", "ERR_NAME_NOT_RESOLVED"):
        assert any(words in one for one in said), (words, said)
