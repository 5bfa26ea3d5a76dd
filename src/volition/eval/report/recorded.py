"""How the trials of a report ended: written into its page, and read again from a page or from a report's folder.

rows -> the page's own JSON; report.html, or manifest.json and trials.jsonl -> Recorded -> agreement.py
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from volition.data.atomic import read_json, read_json_lines
from volition.errors import ContractError
from volition.eval.runner import TRIALS, Row
from volition.eval.tried import AGAINST, MANIFEST

PAGE, ELEMENT = "report.html", "volition-report"
_NEEDED = ("command", "made", "policy", "checkpoint", "suite", "episodes", "skills")
_KEPT = ("key", "suite", "condition", "skill", "success", "why", "done", "time_s")


@dataclass(frozen=True, kw_only=True)
class Recorded:
    manifest: dict[str, Any]
    trials: dict[str, dict[str, Any]]  # by their keys


def against(rows: Sequence[Row]) -> list[Row]:
    """Trials of the other checkpoint, so that they can stand beside those of the first."""
    return [{**row, "key": f"against/{row['key']}", "suite": f"against: {row['suite']}"} for row in rows]


def embedded(manifest: dict[str, Any], rows: Sequence[Row]) -> str:
    """JSON that is safe inside a script element, where nothing is escaped and `</` would end it."""
    known = {"manifest": manifest, "fields": _KEPT, "trials": [[row[name] for name in _KEPT] for row in rows]}
    return json.dumps(known, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/").replace("<!", "<\\u0021")


def read_report(path: Path) -> Recorded:
    """`path`: a report's folder, its report.html (which may stand alone) or its manifest.json."""
    if path.is_dir():
        folder = path
    elif not path.is_file():
        raise ContractError(f"{path} is not there; give a report's folder, its {PAGE} or its {MANIFEST}.")
    elif path.suffix == ".html":
        return _of_page(path)
    else:
        folder = path.parent
    if not (folder / MANIFEST).is_file():
        raise ContractError(f"{folder} has no {MANIFEST}; give the folder that `volition eval` wrote a report to.")
    manifest = _checked(read_json(folder / MANIFEST), folder)
    rows = read_json_lines(folder / TRIALS)
    if manifest.get("against"):
        rows += against(read_json_lines(folder / AGAINST / TRIALS))
    return Recorded(manifest=manifest, trials={row["key"]: row for row in rows})


def _of_page(path: Path) -> Recorded:
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8", errors="replace"))
    try:
        found = json.loads(reader.text)
        rows = [dict(zip(found["fields"], values, strict=True)) for values in found["trials"]]
        return Recorded(manifest=_checked(found["manifest"], path), trials={row["key"]: row for row in rows})
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, ContractError):
            raise
        raise ContractError(f"{path} is not a report of `volition eval`, or it is damaged.") from error


def _checked(manifest: Any, where: Path) -> dict[str, Any]:
    missing = [name for name in _NEEDED if not isinstance(manifest, dict) or name not in manifest]
    if missing:
        raise ContractError(
            f"The manifest of {where} lacks {', '.join(missing)}, as those of older versions do; it cannot be reproduced."
        )
    return manifest


class _Reader(HTMLParser):
    """The text of the element that `embedded` is in."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self._inside = "", False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "script" and ("id", ELEMENT) in attrs

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.text += data
