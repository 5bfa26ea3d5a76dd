"""The documentation: the site fetches nothing from elsewhere, and the README's tree and links match the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "volition"

FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc=["']?(?:https?:)?//[^"'\s>]+"""
    r"""|<link\b[^>]*\bhref=["']?(?:https?:)?//[^"'\s>]+"""
    r"""|url\(\s*["']?(?:https?:)?//[^)]+|@import\s+["'](?:https?:)?//[^"']+"""
)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    target = tmp_path_factory.mktemp("site")
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(target)))
    return target


def test_the_site_fetches_nothing_from_elsewhere(site: Path) -> None:
    files = [path for path in site.rglob("*") if path.suffix in (".html", ".css")]
    assert len(files) > 8
    found = [f"{path.name}: {hit}" for path in files for hit in FETCHED.findall(path.read_text(encoding="utf-8"))]
    links = [hit for hit in found if 'rel="canonical"' not in hit]
    assert not links, "\n".join(links)


def test_the_check_for_fetching_sees_what_it_should() -> None:
    for bad in (
        '<script src="https://a.example/x.js">',
        '<link rel="stylesheet" href="//a.example/x.css">',
        "@import 'https://a.example/x.css'",
        "src: url(https://a.example/font.woff)",
    ):
        assert FETCHED.search(bad)
    for good in ('<a href="https://a.example">', '<img src="media/flow.svg">', "url(../fonts/a.woff)", "url(data:x)"):
        assert not FETCHED.search(good)


def test_the_site_has_the_tree_and_the_reasons(site: Path) -> None:
    tree = (site / "tree.html").read_text(encoding="utf-8")
    assert all(path.name in tree for path in SOURCE.rglob("*.py") if path.name != "__init__.py")
    assert "self_collision" in (site / "safety.html").read_text(encoding="utf-8")


def test_the_readmes_tree_has_every_folder_and_no_other() -> None:
    block = (ROOT / "README.md").read_text(encoding="utf-8").partition("```\nsrc/volition/\n")[2].partition("```")[0]
    named = set(re.findall(r"^  (\w+(?:/|\.py)) ", block, flags=re.MULTILINE))
    folders = {f"{path.name}/" for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    files = {path.name for path in SOURCE.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert named == folders | files


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_links_inside_the_repository_lead_somewhere(page: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target:
            assert (ROOT / page).parent.joinpath(target).exists(), f"{page} links to {target}"


def test_every_make_target_in_the_pages_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docs" / "install.md"):
        assert (
            set(re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(encoding="utf-8"), flags=re.MULTILINE)) <= targets
        )


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert (ROOT / "LICENSE").stat().st_size == 11358  # the unmodified text
