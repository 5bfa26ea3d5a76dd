"""Short films of a few trials and what the policy looked at in them: trials are run again, as their seeds decide.

rows -> chosen: a success and failures of different kinds of each skill -> workers -> OUT/films/KEY.mp4, KEY.json -> page
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from volition.data.atomic import read_json, write_json
from volition.eval.film import Mp4
from volition.eval.report.looks import WORDS, look
from volition.eval.report.pictures import base64_jpeg, drawn
from volition.eval.runner import Crew, Row, bar, spread, tester, told_of
from volition.eval.skill_film import look as from_outside
from volition.eval.suites import Job
from volition.runtime.report import Tick
from volition.sim.stage import Stage

FOLDER = "films"
SIZE = (240, 320)  # height, width
INSET = 92  # pixels of the head camera's picture
FPS = 10
SPEED = 2  # times as fast as it was; more where a film would be longer than ...
LONGEST_S = 24.0
LARGEST = 300_000  # bytes; worse pictures rather than more
QUALITIES = (26, 32, 38)
MOMENTS = (0.0, 0.5, 0.9)  # shares of the time until it was decided


@dataclass(frozen=True, kw_only=True)
class Film:
    row: Row
    path: Path
    about: dict[str, Any]  # as written beside it


def chosen(rows: Sequence[Row], count: int) -> list[Row]:
    """Of each skill up to `count`: the first success, then the first failure of each kind, the most frequent kind first."""
    found: list[Row] = []
    for skill in dict.fromkeys(row["skill"] for row in rows):
        own = sorted((row for row in rows if row["skill"] == skill), key=lambda row: -row["goals"])  # long chains first
        kinds = Counter(row["why"] for row in own if not row["success"])
        firsts = [next((row for row in own if row["success"]), None)]
        firsts += [
            next(row for row in own if not row["success"] and row["why"] == why) for why, _ in kinds.most_common()
        ]
        found += [row for row in firsts if row is not None][:count]
    return found


def filmed(rows: Sequence[Row], count: int, out: Path, crew: Crew) -> list[Film]:
    """Those in `out` are kept."""
    films = {row["key"]: (row, out / FOLDER / f"{named(row['key'])}.mp4") for row in chosen(rows, count)}
    todo = [(row, path) for row, path in films.values() if not path.with_suffix(".json").exists() or not path.exists()]
    if todo:
        with bar() as progress:
            task = progress.add_task("Films", total=len(films), completed=len(films) - len(todo), rate="")
            for _ in spread(_film, todo, crew):
                progress.update(task, advance=1)
    return [Film(row=row, path=path, about=read_json(path.with_suffix(".json"))) for row, path in films.values()]


def named(key: str) -> str:
    return key.replace("/", "-").replace(" ", "_")


def _film(task: tuple[Row, Path]) -> None:
    """In a worker."""
    row, path = task
    job = Job(**{one.name: row[one.name] for one in fields(Job)})
    scene, instruction, _ = told_of(job)
    camera = Camera(row)
    outcome = tester().run(scene, instruction, onlooker=camera).outcome
    camera.write(path)
    about = {
        "speed": camera.speed,
        "same": (outcome.success, outcome.why) == (row["success"], row["why"]),
        "cameras": list(tester().model.views.config.cameras),
        "words": WORDS,
        "poster": camera.poster,
        "moments": camera.moments,
    }
    write_json(path.with_suffix(".json"), about)


class Camera:
    """Films one trial from outside, and notes what its policy looks at."""

    view: tuple[int, int] = SIZE

    def __init__(self, row: Row) -> None:
        self.speed = max(SPEED, math.ceil(row["time_s"] / LONGEST_S))
        self.moments: list[dict[str, Any]] = []
        self._frames: list[np.ndarray] = []  # a few hundred of 0.2 MB
        self._due = [share * row["time_s"] for share in MOMENTS]
        self._begin: float | None = None

    def tick(self, stage: Stage, now: Tick) -> None:
        every = round(stage.spec.control_rate_hz * self.speed / FPS)
        if now.index % every == 0:
            self._frames.append(_frame(from_outside(stage), now.images.get("head")))
        if self._begin is None:
            self._begin = now.stamp
        policy = tester().policy
        given = policy.given
        if self._due and given is not None and now.chunk_status and now.stamp - self._begin >= self._due[0]:
            self._due.pop(0)
            seen = look(tester().model, given, policy.said)
            words = [[word, round(share, 3)] for word, share in seen.words]
            moment = {"time_s": round(now.stamp - self._begin, 2), "how": seen.how}
            self.moments.append({**moment, "words": words, "picture": drawn(given, seen)})

    @property
    def poster(self) -> str:
        """A frame from late in the film, for as long as nobody plays it."""
        return base64_jpeg(self._frames[len(self._frames) * 3 // 4])

    def write(self, path: Path) -> None:
        """As good as fits."""
        for quality in QUALITIES:
            with Mp4(path, width=SIZE[1], height=SIZE[0], fps=FPS, quality=quality) as film:
                for frame in self._frames:
                    film.add(frame)
            if path.stat().st_size <= LARGEST:
                return


def _frame(outside: np.ndarray, head: np.ndarray | None) -> np.ndarray:
    """The view from outside, the head camera in its corner."""
    frame = outside.copy()
    if head is not None:
        small = np.asarray(Image.fromarray(head).resize((INSET, INSET), Image.Resampling.BILINEAR))
        frame[4 : 8 + INSET, -8 - INSET : -4] = 245
        frame[6 : 6 + INSET, -6 - INSET : -6] = small
    return frame
