"""What is tried, how trials are written down and gone on with, and what the tables say of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from volition.errors import ContractError
from volition.eval.paired import compared, mcnemar
from volition.eval.runner import known_rows
from volition.eval.suites import FIRST, SUITES, TRIED, jobs_of, other_goals
from volition.eval.tables import line, markdown, sentences, table
from volition.sim.choices import layout
from volition.sim.language.held_out import split_of
from volition.sim.randomise import Axes, Draw


def row(**changes: Any) -> dict[str, Any]:
    usual = {
        "suite": "skills", "condition": "skills", "skill": "pour", "success": True, "why": "poured", "time_s": 4.0,
        "hand_m": 1.0, "jerk": 80.0, "fell": False, "violations": 0, "interventions": {"jerk": 2}, "done": 1, "goals": 1,
    }  # fmt: skip
    return {**usual, **changes}


def test_every_suite_has_its_scenes_of_the_right_split() -> None:
    jobs = jobs_of(list(SUITES), 2, ("press_button", "pour", "move"))
    assert len({job.key for job in jobs}) == len(jobs)
    assert all(job.seed >= FIRST for job in jobs)
    for job in jobs:
        wanted = job.condition if job.suite == "pairs" else "train"
        own = layout(job.skill, Draw(job.seed, Axes()), steps=job.steps if job.skill == "chain" else None)
        assert split_of(own) == wanted
    by_suite = {name: [job for job in jobs if job.suite == name] for name in SUITES}
    assert {job.words for job in by_suite["phrasings"]} == {"phrasings"}
    assert [(job.skill, job.seed) for job in by_suite["phrasings"]] == [
        (job.skill, job.seed) for job in by_suite["skills"]
    ]
    assert {job.skill for job in by_suite["skills"]} == {"press_button", "pour", "move"}
    assert {job.skill for job in by_suite["pairs"]} == {"press_button", "pour"}  # a way to go has no kind and no colour
    assert {len(job.scene().goals) for job in by_suite["chains"]} == {5}
    assert [len(job.scene().goals) for job in by_suite["steps"]] == [1, 1, 2, 2, 3, 3, 4, 4]


def test_a_swapped_instruction_asks_for_another_thing_in_the_same_scene() -> None:
    for job in jobs_of(["swap"], 3, ("press_button", "pick_and_place")):
        own, other = layout(job.skill, Draw(job.seed)), job.scene()
        assert other.things == own.things
        assert other.goals != own.goals
        assert other.goals[0] in other_goals(own)


def test_robustness_turns_one_axis_at_a_time_and_leaves_the_rest() -> None:
    jobs = jobs_of(["robustness"], 1, ("press_button",))
    plain = layout("press_button", Draw(jobs[0].seed))
    light = next(job for job in jobs if job.condition == "light").scene()
    assert light.things == plain.things
    assert light.looks.light != plain.looks.light
    assert light.looks.table == plain.looks.table
    slow = next(job for job in jobs if job.condition == "latency 300 ms").scene()
    assert slow.physics.latency_s == 0.3
    assert slow.looks == plain.looks


def test_what_is_not_tried_is_said() -> None:
    with pytest.raises(ContractError, match="There is no suite 'all of them'"):
        jobs_of(["all of them"], 1)
    with pytest.raises(ContractError, match=f"skills are {', '.join(TRIED)}"):
        jobs_of(["skills"], 1, ("juggle",))


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    whole = [{"key": "a", "success": True}, {"key": "b", "success": False}]
    path.write_text("".join(json.dumps(one) + "\n" for one in whole) + '{"key": "c", "succ')
    assert list(known_rows(path)) == ["a", "b"]
    assert path.read_text().endswith("}\n")  # so that the next line is not joined to the torn one
    assert known_rows(tmp_path / "none.jsonl") == {}


def test_mcnemar_is_exact() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 5) == 1.0
    assert mcnemar(1, 9) == pytest.approx(2 * (1 + 10) / 1024)
    assert mcnemar(9, 1) == mcnemar(1, 9)
    assert mcnemar(0, 20) < 1e-5


def test_two_policies_are_compared_pair_by_pair() -> None:
    first = [row(success=number < 8) for number in range(10)]
    other = [row(success=number in (0, 1, 9)) for number in range(10)]
    (found,) = compared(first, other)
    assert (found["better"], found["worse"]) == (6, 1)
    assert found["difference"] == pytest.approx(0.5)
    assert found["low"] < 0.5 < found["high"]
    assert found["p"] == pytest.approx(mcnemar(6, 1))


def test_the_table_counts_what_went_wrong_and_pools_skills() -> None:
    rows = [
        row(), row(time_s=6.0), row(success=False, why="spilt"), row(success=False, why="spilt", fell=True),
        row(skill="press_button", violations=2, interventions={}),
    ]  # fmt: skip
    lines = table(rows)
    assert [one["skill"] for one in lines] == ["pour", "press_button", "all"]
    pour = lines[0]
    assert (pour["successes"], pour["trials"], pour["falls"], pour["time_s"]) == (2, 4, 1, 5.0)
    assert pour["failures"] == {"spilt": 2}
    assert pour["shield"] == {"jerk": 8}
    assert lines[2]["trials"] == 5
    assert lines[2]["violations"] == 2
    assert "| 2 of 4 |" in markdown(lines)
    assert line("skills", "skills", "pour", [row(success=False)])["time_s"] is None


def test_chains_and_words_are_told_in_sentences() -> None:
    rows = [row(suite="chains", skill="chain", done=done, goals=5, success=done == 5) for done in (5, 5, 3, 5)]
    rows += [row(suite="swap", success=True, old_words=False), row(suite="swap", success=False, old_words=True)]
    chains, words = sentences(rows)
    assert chains.startswith("Chains: 4.50 +- ")
    assert "1 of 2 follow the new words, 1 did what the old ones said" in words
