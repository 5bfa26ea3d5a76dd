"""The study of cutting commands: what counts as right, and the table that it prints."""

from __future__ import annotations

import pytest

from volition.errors import ContractError
from volition.eval import splitting
from volition.eval.splitting import Line, chain_of, chains, free, main, right, table, unlisted, unpunctuated
from volition.model.steps import words
from volition.sim.chain import chain
from volition.sim.language.referring import phrase, references
from volition.sim.randomise import Draw


def test_parts_are_right_only_if_each_means_its_goal() -> None:
    scene = chain(Draw(3), 2, ("press_button", "open_drawer"))
    goals = scene.goals
    verbs = {"open_drawer": "open", "press_button": "press"}
    parts = tuple(f"{verbs[g.skill]} {phrase(references(scene, scene.thing(g.thing))[0])}" for g in goals)
    assert right(scene, goals, parts)
    assert not right(scene, goals, parts[::-1])
    assert not right(scene, goals, parts[:1])
    assert not right(scene, goals, (" and ".join(parts), parts[1]))


def test_a_few_chains_of_each_kind_are_cut_right() -> None:
    lines = [Line("train", ""), Line("held-out", ""), Line("typed", "")]
    chains(lines[0], "train", 6)
    chains(lines[1], "phrasings", 6)
    chains(lines[2], "phrasings", 6, unpunctuated)
    assert [(line.right, line.trials) for line in lines[:2]] == [(6, 6), (6, 6)]
    assert "| train | 6 | 6 | 100.00% | 60.97% - 100.00% |" in table(lines)
    assert unpunctuated("First, wave; then stop.") == "first wave then stop"


def test_what_is_written_by_hand_is_not_cut_worse_than_it_was() -> None:
    found = {part: Line(part, "") for part in ("dev", "test")}
    for part, line in found.items():
        free(line, part)
    assert found["dev"].right >= 58
    assert found["test"].right >= 59
    assert found["dev"].trials == found["test"].trials == 61


def test_chains_are_always_the_same_and_some_have_a_movement() -> None:
    found = [chain_of(seed) for seed in range(8)]
    assert found == [chain_of(seed) for seed in range(8)]
    assert 0 < sum("move" in [goal.skill for goal in goals] for _, goals in found) < 8


def test_verbs_are_given_back() -> None:
    before = words.VERBS
    with unlisted():
        assert "scrub" not in words.VERBS
        assert "press" in words.VERBS
    assert words.VERBS is before


def test_a_wrong_count_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splitting, "measure", lambda count: pytest.fail("it began"))
    with pytest.raises(ContractError, match="--count is 0"):
        main(0)
