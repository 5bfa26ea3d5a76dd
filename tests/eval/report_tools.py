"""Rows as trials leave them, a report made of them, and a reader of its page: for the tests of reports."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np

from volition.eval.film import Mp4
from volition.eval.paired import compared
from volition.eval.report.films import Film, named
from volition.eval.report.page import Report
from volition.eval.report.pictures import base64_jpeg
from volition.eval.runner import Row
from volition.eval.suites import Job
from volition.eval.tables import table

FIRST = 70_000_000
MANIFEST = {
    "command": "volition eval out/run/best --suite all --episodes 4",
    "checkpoint": "c" * 64,
    "policy": {"folder": "out/run/best", "recipe": "quick", "size": "small", "parameters": 1_234_567, "step": 900},
    "against": None,
    "suite": "skills,swap",
    "episodes": 4,
    "skills": "pour",
    "shown": "",
    "device": "cpu",
    "workers": 2,
    "first_seed": FIRST,
    "made": "2026-01-02 03:04 UTC",
    "reproduces": "",
    "version": "0.1.0",
    "versions": {"python": "3.11.9", "torch": "2.6.0", "mujoco": "3.3.0", "numpy": "2.0.0"},
    "commit": "d" * 40,
    "machine": "Linux-6.1, 2 cores",
}


def row(**changes: Any) -> dict[str, Any]:
    """One trial; its key is made of what it is."""
    usual = {
        "suite": "skills", "condition": "skills", "skill": "pour", "seed": FIRST, "words": "train", "steps": 1, "axes": {},
        "latency_s": None, "told": None, "instruction": "pour the red cup into the bowl", "success": True, "why": "poured",
        "time_s": 4.0, "hand_m": 1.0, "base_m": 0.1, "jerk": 80.0, "fell": False, "violations": 0, "stops": 0, "errors": 0,
        "interventions": {"jerk": 2}, "done": 1, "goals": 1, "latency_p50_ms": 60.0, "inference_ms": 12.0,
    }  # fmt: skip
    found = {**usual, **changes}
    if found["suite"] != "robustness" and "condition" not in changes:
        found["condition"] = found["suite"]
    return {**found, "key": "/".join(str(found[name]) for name in ("suite", "condition", "skill", "seed"))}


def failed(why: str, **changes: Any) -> dict[str, Any]:
    return row(success=False, why=why, done=0, **changes)


def rows() -> list[dict[str, Any]]:
    """Of every suite that has a section of its own."""
    found = [row(seed=FIRST + number) for number in range(2)]
    found += [failed("spilt", seed=FIRST + 2), failed("time", seed=FIRST + 3, fell=True)]
    found += [
        row(suite="swap", seed=FIRST, old_words=False),
        failed("wrong_thing", suite="swap", seed=FIRST + 1, old_words=True),
    ]
    for many in (1, 2):
        found.append(row(suite="steps", condition=f"{many} steps", skill="chain", steps=many, goals=many, done=many))
    for number, done in enumerate((5, 2)):
        found.append(
            row(
                suite="chains",
                skill="chain",
                seed=FIRST + number,
                done=done,
                goals=5,
                success=done == 5,
                why="time",
                steps=5,
            )
        )
    for axis in ("light", "camera"):
        found.append(row(suite="robustness", condition=axis, success=axis == "light", axes={axis: 2.0}))
    return found


def film(folder: Path, of: dict[str, Any]) -> Film:
    """Ten grey frames, and one moment in which the policy looked at something."""
    grey = np.full((24, 32, 3), 120, dtype=np.uint8)
    path = folder / f"{named(of['key'])}.mp4"
    with Mp4(path, width=32, height=24, fps=10) as video:
        for _ in range(10):
            video.add(grey)
    moment = {
        "time_s": 1.5,
        "how": "where it looks <here>",
        "words": [["pour", 1.0], ["red", 0.4]],
        "picture": base64_jpeg(grey),
    }
    about = {
        "speed": 2, "same": True, "words": "what words do", "cameras": ["head"], "poster": base64_jpeg(grey), "moments": [moment],
    }  # fmt: skip
    return Film(row=of, path=path, about=about)


def report(folder: Path, found: list[dict[str, Any]], **changes: Any) -> Report:
    """With a film of the first trial, and compared with a policy that fails always."""
    others = [{**one, "success": False, "why": "time"} for one in found]
    manifest = {**MANIFEST, "against": {"folder": "out/other/best", "checkpoint": "e" * 64}, **changes}
    return Report(
        manifest=manifest,
        rows=found,
        lines=table(found),
        films=[film(folder, found[0])],
        compared=compared(found, others),
        others=others,
    )


class Page(HTMLParser):
    """What a page shows and what it refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.references: list[str] = []  # of src, href and the like
        self.tags: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()

    @property
    def unclosed(self) -> list[str]:
        return self._open

    def after(self, heading: str) -> str:
        """The text from a heading to the next one."""
        begin = self.text.index(f"\n## {heading}\n")
        return self.text[begin : self.text.find("\n## ", begin + 4)]

    def data(self, kind: str) -> list[bytes]:
        """What is in the page itself, of this media type."""
        start = f"data:{kind};base64,"
        return [base64.b64decode(one.removeprefix(start)) for one in self.references if one.startswith(start)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [
            value or "" for name, value in attrs if name in ("src", "href", "poster", "srcset", "data", "action")
        ]
        if tag not in ("meta", "img", "br", "link", "input", "hr"):
            self._open.append(tag)
        if tag == "h2":
            self.text += "\n## "
            self.headings.append("")
        elif tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1:] == [tag], f"</{tag}> closes {self._open[-3:]}"
        self._open.pop()
        self.text += "\n" if tag in ("h2", "p", "tr", "dd", "text", "figure") else " "

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] in ("style", "script"):
            return
        self.text += data
        if "h2" in self._open:
            self.headings[-1] += data
        if self._open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data


class Physics:
    """In place of workers: a trial's end is decided by its seed, but for those that are to end otherwise."""

    def __init__(self) -> None:
        self.otherwise: set[str] = set()
        self.ran = 0
        self.known = ""  # trials that lay in the folder already

    def run_jobs(self, checkpoint: Path, jobs: Sequence[Job], out: Path, **_: Any) -> list[Row]:
        found = [self._row(job) for job in jobs]
        self.known = (out / "trials.jsonl").read_text() if (out / "trials.jsonl").exists() else ""
        (out / "trials.jsonl").write_text("".join(json.dumps(one) + "\n" for one in found))
        self.ran += len(found)
        return found

    def _row(self, job: Job) -> Row:
        success = (job.seed % 2 == 0) != (job.key in self.otherwise)
        told = {} if job.told is None else {"old_words": not success}
        return {
            **job.to_json(), **told, "key": job.key, "instruction": "press it", "success": success,
            "why": "pressed" if success else "time", "done": int(success), "goals": 1, "time_s": 2.0, "hand_m": 1.0, "jerk": 50.0,
            "fell": False, "violations": 0, "interventions": {}, "inference_ms": 5.0,
        }  # fmt: skip
