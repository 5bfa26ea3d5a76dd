"""`volition sim`: random scenes with what may be said in them, as one page of pictures for a person to check.

skill, seed -> Scene -> Stage -> third-person and head pictures + instructions -> index.html, scenes.png
"""

from __future__ import annotations

import base64
import html
import io
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import track

from volition.eval.configs import SimConfig
from volition.eval.skill_film import VIEW_SIZE, look, write_film
from volition.robots.g1 import g1
from volition.sim.choices import axes_of, layout, skills_of
from volition.sim.language.held_out import split_of
from volition.sim.language.say import say, variants
from volition.sim.language.understand import understand
from volition.sim.randomise import Axes, Draw
from volition.sim.scene import Goal, Scene
from volition.sim.stage import Stage

HEAD = 256  # pixels, side of the head camera's picture on the page
_STYLE = """:root{color-scheme:light dark;--paper:#fafaf8;--ink:#1c2026;--quiet:#646b75;--rule:#ddd;--code:#eee}
@media(prefers-color-scheme:dark){:root{--paper:#14171b;--ink:#e6e8eb;--quiet:#98a1ad;--rule:#30363e;--code:#262b32}}
body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:1280px;padding:0 14px;color:var(--ink);background:var(--paper)}
article{display:flex;flex-wrap:wrap;gap:14px;margin:0 0 22px;padding:0 0 22px;border-bottom:1px solid var(--rule)}
article>div{flex:1 1 280px;min-width:0;overflow-wrap:anywhere}img,video{border-radius:4px;display:block;max-width:100%;height:auto;align-self:start}
h2{margin:0;font-size:17px}p,ul{margin:.3em 0}.q{color:var(--quiet);font-size:13px}code{background:var(--code);padding:0 .3em;border-radius:3px}"""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One scene as it goes on the page."""

    skill: str
    scene: Scene
    view: np.ndarray
    head: np.ndarray
    said: str
    others: tuple[str, ...]
    unsure: str  # what a vaguer instruction would be answered, if any is vague here
    film: str  # file name, or ""


def sim(config: SimConfig) -> int:
    """Write the page; returns 0."""
    skills, axes = skills_of(config.skill, chains=True), axes_of(config.axes)
    config.out.mkdir(parents=True, exist_ok=True)
    jobs = [(skills[number % len(skills)], config.seed + number // len(skills)) for number in range(config.scenes)]
    shown = [
        _show(skill, seed, axes, config)
        for skill, seed in track(jobs, description="Scenes", disable=not sys.stderr.isatty())
    ]
    _replace(config.out / "index.html", page(shown, config).encode())
    _replace(config.out / "scenes.png", _sheet(shown))
    print(f"{len(shown)} scenes: {config.out / 'index.html'}, {config.out / 'scenes.png'}")
    return 0


def _show(skill: str, seed: int, axes: Axes, config: SimConfig) -> Shown:
    scene = layout(skill, Draw(seed, axes))
    stage = Stage(scene, g1(HEAD), cameras=True, view=VIEW_SIZE)
    view, head = look(stage), stage.session.robot.look()["head"]
    stage.close()
    film = f"{skill}-{seed}.mp4" if config.film else ""
    said = say(scene, scene.goals, np.random.default_rng(seed)).text
    if film:
        write_film(scene, said, config.out / film)
    return Shown(
        skill=skill,
        scene=scene,
        view=view,
        head=head,
        said=said,
        others=tuple(one.text for one in variants(scene, scene.goals, "train", 4) if one.text != said)[:3],
        unsure=_unsure(scene),
        film=film,
    )


def _unsure(scene: Scene) -> str:
    """How an instruction that leaves the colour out is answered here."""
    goal = scene.goals[0]
    if not goal.thing:
        return ""
    kind = scene.thing(goal.thing).kind
    vague = {
        "press_button": "press the button",
        "open_drawer": "open the drawer",
        "pour": "pour the cup into the bowl",
        "wipe_surface": "wipe the patch",
        "pick_and_place": f"pick up the {kind}",
        "go_to": f"go to the {kind}",
    }.get(goal.skill, "")
    meaning = understand(scene, vague) if vague else None
    return f"“{vague}” → {meaning.message}" if meaning is not None and meaning.status == "ambiguous" else ""


def page(shown: list[Shown], config: SimConfig) -> str:
    """One file that needs no other but the films."""
    axes = f", axes <code>{html.escape(config.axes)}</code>" if config.axes else ""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width,initial-scale=1'>"
        f"<title>{len(shown)} scenes</title><style>{_STYLE}</style>",
        f"<h1>{len(shown)} scenes</h1><p class=q>Skills <code>{html.escape(config.skill)}</code>, first seed "
        f"{config.seed}{axes}. First picture: from outside; second: what the head camera sees.</p>",
    ]
    for one in shown:
        goals = "; ".join(_goal(goal) for goal in one.scene.goals)
        film = f"<video src='{html.escape(one.film)}' controls preload=metadata width=420></video>" if one.film else ""
        others = "".join(f"<li>{html.escape(text)}</li>" for text in one.others)
        unsure = f"<p>{html.escape(one.unsure)}</p>" if one.unsure else ""
        parts.append(
            f"<article>{_image(one.view, 'from outside')}{_image(one.head, 'head camera')}<div><h2>“{html.escape(one.said)}”</h2>"
            f"<p class=q>{one.skill}, seed {one.scene.seed}, {split_of(one.scene)}: {html.escape(goals)}</p>"
            f"<p>or</p><ul>{others}</ul>{unsure}{film}</div></article>"
        )
    return "\n".join(parts)


def _goal(goal: Goal) -> str:
    return f"{goal.skill}({', '.join(part for part in (goal.thing, goal.place, goal.what) if part)})"


def _image(picture: np.ndarray, what: str) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "WEBP", quality=80)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f"<img src='data:image/webp;base64,{data}' width={picture.shape[1]} height={picture.shape[0]} alt='{what}'>"


def _sheet(shown: list[Shown]) -> bytes:
    """All third-person views as one picture."""
    columns = min(6, len(shown))
    height, width = VIEW_SIZE[0] // 2, VIEW_SIZE[1] // 2
    sheet = Image.new("RGB", (columns * width, -(-len(shown) // columns) * height), (250, 250, 248))
    for number, one in enumerate(shown):
        row, column = divmod(number, columns)
        small = Image.fromarray(one.view).resize((width, height), Image.Resampling.LANCZOS)
        sheet.paste(small, (column * width, row * height))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _replace(path: Path, content: bytes) -> None:
    scratch = path.with_name(path.name + ".part")
    scratch.write_bytes(content)
    scratch.replace(path)
