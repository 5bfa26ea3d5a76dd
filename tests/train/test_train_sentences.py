"""Sentences that a lesson before has read are not read again; nothing of another encoder, or of one that learns, is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from volition.model.language.encoder import LanguageEncoder
from volition.model.language.families import build
from volition.train import sentences
from volition.train.sentences import Kept

pytestmark = pytest.mark.usefixtures("one_thread")

SAID = [f"press the button number {number}" for number in range(12)]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VOLITION_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sentences, "LEAST", len(SAID))
    return tmp_path / "cache" / "sentences"


def encoder(seed: int = 0, *, frozen: bool = True) -> LanguageEncoder:
    torch.manual_seed(seed)
    return build("small", width=16, layers=1, heads=2).requires_grad_(not frozen)


def taught() -> LanguageEncoder:
    """One whose sentences are kept."""
    language = encoder()
    kept = Kept(language)
    language.read(SAID)
    kept.add()
    return language


def test_the_next_lesson_remembers_what_was_read_and_reads_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = taught().read(SAID), encoder()
    Kept(after)
    assert set(after.known) == set(SAID)
    monkeypatch.setattr(after.encoder, "forward", lambda **_: pytest.fail("a sentence was read again"))
    assert torch.equal(after.read(SAID).embedded, before.embedded)


def test_only_what_is_new_is_added_and_only_if_it_is_much(cache: Path) -> None:
    taught()
    language = encoder()
    kept = Kept(language)
    language.read(["another one"])
    kept.add()
    assert len(list(cache.rglob("*.safetensors"))) == 1
    more = [f"open the drawer number {number}" for number in range(len(SAID))]
    language.read(more)
    kept.add()
    kept.add()
    assert len(list(cache.rglob("*.safetensors"))) == 2
    again = encoder()
    Kept(again)
    assert set(again.known) == {*SAID, "another one", *more}


def test_another_encoder_and_one_that_learns_take_nothing(cache: Path) -> None:
    taught()
    for other in (encoder(seed=1), encoder(frozen=False)):
        kept = Kept(other)
        assert not other.known
        other.read(["wave"])
        kept.add()
    assert len(list(cache.rglob("*.safetensors"))) == 1


def test_a_damaged_file_costs_its_sentences_and_not_the_run(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taught()
    (path,) = cache.rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:100])
    language = encoder()
    Kept(language)
    assert not language.known
    assert "are read anew" in capsys.readouterr().err
    assert not path.exists()


def test_no_more_are_remembered_and_kept_than_it_can_hold_and_the_oldest_go(cache: Path) -> None:
    taught()
    (oldest,) = cache.rglob("*.safetensors")
    os.utime(oldest, (1, 1))
    more = [f"open the drawer number {number}" for number in range(len(SAID))]

    def small() -> LanguageEncoder:
        torch.manual_seed(0)
        return build("small", width=16, layers=1, heads=2, cached=len(SAID)).requires_grad_(False)

    language = small()
    kept = Kept(language)
    assert set(language.known) == set(SAID)
    language.read(more)
    kept.add()
    assert len(list(cache.rglob("*.safetensors"))) == 2
    again = small()
    Kept(again)
    assert set(again.known) == set(more)
    assert not oldest.exists()
