"""`volition demo` with nothing said: a scene of each skill that the shipped policy was taught, one after another, in one film.

    skills --layout--> Scene --suggestion--> Request --Conversation--> what came of it -> demo.mp4, summary.json, a table

The scenes are as they come (`--scene-seed` moves on to others): what fails is shown too, beside how often it succeeds. What it does
best comes first, and after a minute nothing more is begun.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from volition.data.atomic import read_json
from volition.eval.configs import DemoConfig
from volition.eval.conversation import Conversation, Row, TableFilm, Taught, carry, policy_of
from volition.eval.demo import write_summary
from volition.eval.film import Mp4, Poster
from volition.eval.request import FIRST, inventory, read, suggestion
from volition.eval.rollout import Rig
from volition.eval.shipping import RECORD
from volition.sim.choices import layout
from volition.sim.randomise import Draw
from volition.sim.stage import Stage

WALL_S = 60.0


def showcase(config: DemoConfig, folder: Path) -> int:
    """Exit code 0: it ran; 1: the robot fell. Whether a policy succeeds is what its record and `volition eval` say."""
    console, began = Console(), time.perf_counter()
    found, rows = policy_of(config, folder), list[Row]()
    poster = Poster(config.width, config.height) if config.video else None
    rig = Rig(found.spec)
    record = read_json(folder / RECORD)["trials"] if (folder / RECORD).is_file() else []
    skills = _best_first(found.skills, record)
    with ExitStack() as stack:
        mp4 = None
        if config.video:
            film = Mp4(config.out / "demo.mp4", width=config.width, height=config.height, fps=config.fps)
            mp4 = stack.enter_context(film)
        for skill in skills:
            if time.perf_counter() - began > WALL_S:
                break
            rows.append(_shown(console, found, rig, skill, config, mp4, poster))
            if rows[-1]["fell"]:
                break
    console.print(_table(rows, skills[len(rows) :], record))
    write_summary(
        config.out,
        {
            "policy": str(folder),
            "seed": config.seed,
            "instructions": rows,
            "wall_s": round(time.perf_counter() - began, 1),
        },
    )
    video = f", video: {config.out / 'demo.mp4'}" if config.video else ""
    console.print(f"Summary: {config.out / 'summary.json'}{video}", highlight=False)
    return 1 if any(row["fell"] for row in rows) else 0


def _shown(
    console: Console, found: Taught, rig: Rig, skill: str, config: DemoConfig, mp4: Mp4 | None, poster: Poster | None
) -> Row:
    """One skill in a scene of its own."""
    scene = layout(skill, Draw(FIRST + (config.scene_seed or 0)))
    request = read(scene, suggestion(scene), found.skills)
    stage = Stage(
        scene, found.spec, cameras=True, view=poster.view_size if poster else None, shadows=poster is not None
    )
    try:
        shot = TableFilm(mp4, poster, stage, config.fps) if mp4 is not None and poster is not None else None
        manner = found.manner(config.way)
        talk = Conversation(stage, rig, found.policy, out=config.out / skill, manner=manner)
        console.print(f"Here are: {inventory(scene)}.", highlight=False)
        return {"skill": skill, **carry(console, talk, request, config, shot, manner.oversight)}
    finally:
        stage.close()


def _best_first(skills: Sequence[str], record: Sequence[Row]) -> list[str]:
    share = {one["skill"]: one["successes"] / one["trials"] for one in record}
    return sorted(skills, key=lambda skill: -share.get(skill, 0.0))


def _table(rows: Sequence[Row], left_out: Sequence[str], record: Sequence[Row]) -> Table:
    shown = Table(title="what it was told, and how often it does such a thing")
    for heading in ("skill", "told", "now", "in scenes it has never seen"):
        shown.add_column(heading)
    known = {one["skill"]: f"{one['successes']} of {one['trials']}" for one in record}
    for row in rows:
        now = "reached" if row["success"] else "not reached"
        shown.add_row(row["skill"].replace("_", " "), row["instruction"], now, known.get(row["skill"], "not recorded"))
    for skill in left_out:
        shown.add_row(skill.replace("_", " "), "", "not shown", known.get(skill, "not recorded"))
    return shown
