"""Small films of the worst tasks: a failure and a success of each, tried again as their seeds decide, as the policy saw them.

rows -> worst tasks -> Tester.trial with an onlooker -> OUT/films/TASK-SEED.mp4
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from volition.benchmarks.metaworld.errors import MetaWorldError
from volition.benchmarks.metaworld.results import failures, of_suite
from volition.benchmarks.metaworld.trial import Job, Row, Tester
from volition.eval.film import Mp4
from volition.eval.report.manifest import hash_of

FOLDER = "films"
SIDE, EVERY, FPS = 256, 4, 20  # px; of 80 pictures a second: as fast as it was
QUALITY = 30


@dataclass(frozen=True, kw_only=True)
class Film:
    row: Row
    path: Path


def chosen(rows: Sequence[Row], count: int) -> list[Row]:
    """Of so many tasks, worst first: the first failure and the first success."""
    plain = of_suite(rows, "plain")
    found: list[Row] = []
    for task in [task for task, ends in failures(plain).items() if ends["success"] < ends.total()][:count]:
        own = [row for row in plain if row["task"] == task]
        firsts = [next((row for row in own if row["success"] == success), None) for success in (False, True)]
        found += [row for row in firsts if row is not None]
    return found


def filmed(rows: Sequence[Row], count: int, out: Path, manifest: dict[str, Any]) -> list[Film]:
    """Those in `out` are kept."""
    films = [Film(row=row, path=out / FOLDER / f"{row['task']}-{row['seed']}.mp4") for row in chosen(rows, count)]
    todo = [film for film in films if not film.path.exists()]
    if todo:
        checkpoint = Path(manifest["folder"])
        if not checkpoint.is_dir() or hash_of(checkpoint) != manifest["checkpoint"]:
            raise MetaWorldError(
                f"{checkpoint} is not the checkpoint of these trials any more; give --films 0 for a report without films."
            )
        tester = Tester(checkpoint, manifest["execute"])
        for film in todo:
            _film(tester, film)
        tester.close()
    return films


def _film(tester: Tester, film: Film) -> None:
    pictures: list[np.ndarray] = []
    job = Job(suite=film.row["suite"], task=film.row["task"], seed=film.row["seed"])
    row = tester.trial(job, lambda seen: pictures.append(np.concatenate(list(seen.values()), axis=1)))
    if (row["success"], row["steps"]) != (film.row["success"], film.row["steps"]):
        raise MetaWorldError(
            f"{job.key} ended otherwise than before ({row['steps']} steps, not {film.row['steps']}): another machine, or "
            "another version; give --films 0 for a report without films."
        )
    wide = pictures[0].shape[1] // pictures[0].shape[0] * SIDE
    with Mp4(film.path, width=wide, height=SIDE, fps=FPS, quality=QUALITY) as mp4:
        for picture in pictures[::EVERY]:
            mp4.add(np.asarray(Image.fromarray(picture).resize((wide, SIDE), Image.Resampling.BICUBIC)))
