"""The page of a report: it says what the trials say, in one file that fetches nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("av")

from report_tools import FIRST, Page, failed, report, row, rows

from volition.eval.report import figures
from volition.eval.report.films import chosen, named
from volition.eval.report.page import page
from volition.eval.tables import HEADINGS, cells, table

ORDER = [
    "In short", "Suite by suite", "Do the words decide?", "Chains", "By complexity of the command", "Robustness",
    "What failures are", "Films", "What the policy looks at", "Against another policy", "To make it again",
]  # fmt: skip


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Page]:
    text = page(report(tmp_path_factory.mktemp("page"), rows()))
    return text, Page(text)


def test_the_page_has_its_sections_in_order_and_every_element_ends(shown: tuple[str, Page]) -> None:
    assert shown[1].headings == ORDER
    assert shown[1].unclosed == []


def test_nothing_in_the_page_refers_outside_of_it(shown: tuple[str, Page]) -> None:
    text, found = shown
    assert found.references
    assert all(one.startswith(("data:", "#")) for one in found.references)
    assert not {"link", "iframe", "object", "embed"} & set(found.tags)
    assert "@import" not in text
    assert not re.search(r"url\(\s*[\"']?(?!data:)", text)
    assert not re.search(r"<script(?![^>]*application/json)", text)  # data, nothing that runs


def test_films_and_pictures_are_in_the_page(shown: tuple[str, Page]) -> None:
    (film,) = shown[1].data("video/mp4")
    assert film[4:8] == b"ftyp"
    pictures = shown[1].data("image/jpeg")
    assert len(pictures) == 2  # the film's poster, and what the policy looked at
    assert all(one.startswith(b"\xff\xd8") for one in pictures)
    looks = shown[1].after("What the policy looks at")
    assert "where it looks <here>" in looks
    assert "what words do" in looks


def test_the_tables_have_the_figures_of_results_md(shown: tuple[str, Page]) -> None:
    lines = table(rows())
    bodies = [line for one in shown[1].tables for line in one[1:]]
    for one in lines:
        assert cells(one)[1:] in bodies
    assert shown[1].tables[0][0] == list(HEADINGS[1:])
    assert {"inference ms", "jerk", "hands m", "falls", "violations"} < set(HEADINGS)
    assert ["skill", "jerk"] in [one[0] for one in shown[1].tables]  # what the shield did, by reason
    assert ["pour", "8"] in bodies


def test_it_says_whether_the_words_decide_with_intervals(shown: tuple[str, Page]) -> None:
    text = shown[1].after("Do the words decide?")
    assert "does what the new words say" in text
    assert text.count("50 % (9-91 %), 1 of 2") == 2
    assert "0 % (0-66 %), 0 of 2" in text


def test_chains_and_complexity_are_told_by_steps(shown: tuple[str, Page]) -> None:
    chains = shown[1].after("Chains")
    assert "On average 3.50" in chains
    assert re.search(r"2 steps\s+100 % \(34-100 %\), 2 of 2", chains)
    assert re.search(r"3 steps\s+50 % ", chains)
    told = shown[1].after("By complexity of the command")
    for name in ("1 action, alone on the table", "1 step, long table", "2 steps, long table", "5 steps, long table"):
        assert name in told


def test_the_headline_counts_falls_in_red(shown: tuple[str, Page]) -> None:
    text, found = shown
    assert re.search(r'card bad"><b>1</b><span>falls', text)
    assert re.search(r'card good"><b>0</b><span>ticks in which a command broke a limit', text)
    assert "skills: 2 of 4" in found.after("In short")


def test_the_manifest_says_how_to_make_it_again(shown: tuple[str, Page]) -> None:
    text = shown[1].after("To make it again") + shown[1].text[-1500:]
    for known in ("--suite all --episodes 4", "c" * 64, "mujoco 3.3.0", "d" * 40, "2 cores", str(FIRST), "e" * 64):
        assert known in text


def test_a_long_table_begins_with_its_sums(tmp_path: Path) -> None:
    many = [row(suite="robustness", condition=f"axis {n}", skill=s) for n in range(6) for s in ("pour", "go_to")]
    tables = Page(page(report(tmp_path, many))).tables
    assert [line[1] for line in tables[0][1:]] == ["all"] * 6
    assert len(tables[1][1:]) == 18


def test_what_was_not_tried_has_no_section(tmp_path: Path) -> None:
    found = Page(page(report(tmp_path, [row(), failed("time", seed=FIRST + 1)], against=None)))
    assert found.headings == [
        "In short", "Suite by suite", "By complexity of the command", "What failures are", "Films", "What the policy looks at",
        "To make it again",
    ]  # fmt: skip


def test_words_of_others_are_shown_as_words(tmp_path: Path) -> None:
    odd = '<img src="http://a.example/x.png"> </script> & "so"'
    found = Page(page(report(tmp_path, [row(instruction=odd, why=odd), failed(odd, seed=FIRST + 1)])))
    assert odd in found.text
    assert all(one.startswith(("data:", "#")) for one in found.references)


def test_failures_are_counted_without_those_that_were_made_harder() -> None:
    assert figures.failures(rows())["pour"] == {"success": 2, "spilt": 1, "time": 1}
    only = [failed("fell", suite="robustness", condition="light")]
    assert figures.failures(only)["pour"] == {"fell": 1}


def test_films_are_of_a_success_and_of_failures_of_different_kinds() -> None:
    found = [failed("time", seed=1), failed("spilt", seed=2), failed("spilt", seed=3), row(seed=4), row(seed=5)]
    found += [failed("time", skill="press_button", seed=6)]
    assert [one["seed"] for one in chosen(found, 3)] == [4, 2, 1, 6]
    assert [one["seed"] for one in chosen(found, 1)] == [4, 6]
    assert chosen(found, 0) == []
    assert named("robustness/latency 100 ms/pour/7") == "robustness-latency_100_ms-pour-7"
