"""mkdocs hook: fills in what the source knows best, so that the pages cannot go stale.

`<!-- tree -->` becomes the tree with each module's first sentence, `<!-- reasons -->` the shield's reasons, `<!-- models -->`
the table of the recipes as model_diagrams.py wrote it: to build them all takes seconds, and a test compares.
"""

import ast
import json
from pathlib import Path

from volition.safety.reasons import FAULTS, LIMITS, OVERSIGHT, REFUSALS

FAMILY = Path(__file__).parent / "media" / "models" / "family.json"
SOURCE = Path(__file__).parent.parent / "src" / "volition"


def on_page_markdown(markdown: str, **_: object) -> str:
    for mark, written in (("<!-- tree -->", tree), ("<!-- reasons -->", reasons), ("<!-- models -->", models)):
        if mark in markdown:
            markdown = markdown.replace(mark, "\n".join(written()))
    return markdown


def tree() -> list[str]:
    lines = ["**src/volition/**", ""]
    lines += [f"- `{file.name}` {sentence(file)}" for file in modules(SOURCE)]
    for folder in sorted(path.parent for path in SOURCE.glob("*/__init__.py")):
        lines += ["", f"**{folder.name}/** {sentence(folder / '__init__.py')}", ""]
        lines += [f"- `{file.relative_to(folder)}` {sentence(file)}" for file in modules(folder, deep=True)]
    return lines


def modules(folder: Path, deep: bool = False) -> list[Path]:
    files = folder.rglob("*.py") if deep else folder.glob("*.py")
    return sorted(file for file in files if file.name != "__init__.py")


def sentence(file: Path) -> str:
    """The first line of the module's docstring."""
    return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def reasons() -> list[str]:
    lines = ["| Reason | Answer | Meaning |", "| --- | --- | --- |"]
    for answer, meanings in (("trim", LIMITS), ("refuse", REFUSALS), ("safe action", FAULTS), ("a person", OVERSIGHT)):
        lines += [f"| `{name}` | {answer} | {meaning} |" for name, meaning in meanings.items()]
    return lines


def models() -> list[str]:
    table = json.loads(FAMILY.read_text(encoding="utf-8"))
    rows = [table["headings"], ["---"] * len(table["headings"]), *table["rows"]]
    return ["| " + " | ".join(row) + " |" for row in rows]
