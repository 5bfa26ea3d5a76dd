"""Films of the experts at work: `python -m volition.eval.skill_film` writes a small looping picture and a contact sheet a skill.

They go to docs/media/skills, where the pages show them. `write_film` writes an mp4 of one scene for `volition sim`.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from volition.eval.episode import Outcome, run_episode
from volition.eval.film import Mp4, Poster, animate
from volition.eval.rollout import Rig
from volition.robots.g1 import g1
from volition.runtime.report import Tick
from volition.sim.chain import MOST
from volition.sim.choices import CHAIN, layout
from volition.sim.errand import Errand, expert_for
from volition.sim.language.say import say
from volition.sim.randomise import Draw
from volition.sim.scene import Scene
from volition.sim.session import VIEW
from volition.sim.skills import SKILLS
from volition.sim.stage import Stage

FOLDER = Path("docs/media/skills")
WIDTH, HEIGHT = 640, 426
VIEW_SIZE = (300, 420)  # height, width of the still view
FPS = 10
SHOTS = 6  # pictures a row of the contact sheet


def look(stage: Stage) -> np.ndarray:
    """The view from outside: at a table over the robot's shoulder on the side of its goal, on the floor from farther off."""
    renderer = stage.session.renderer
    assert renderer is not None, "build the Stage with a view"
    x, y, _ = stage.position("pelvis")
    if stage.scene.table is None:
        return renderer.view(VIEW, look_at=np.array([x, y, 0.6]), distance=3.6, azimuth=120, elevation=-28)
    goal = stage.scene.goals[0]
    side = -1.0 if goal.thing and stage.scene.thing(goal.thing).position[1] > y else 1.0
    return renderer.view(VIEW, look_at=np.array([0.28, y, 0.92]), distance=1.25, azimuth=side * 62, elevation=-30)


def act(scene: Scene, instruction: str, on_frame: Callable[[Stage, Tick], None], size: tuple[int, int]) -> Outcome:
    """The expert in this scene; `on_frame` FPS times a second."""
    spec = g1(256)
    stage = Stage(scene, spec, cameras=True, view=size)
    errand = Errand(stage)
    every = round(spec.control_rate_hz / FPS)

    def tick(now: Tick) -> None:
        if now.index % every == 0:
            on_frame(stage, now)

    outcome = run_episode(Rig(spec), errand, expert_for(errand), instruction, on_tick=tick)
    stage.close()
    return outcome


def write_film(scene: Scene, instruction: str, path: Path) -> Outcome:
    """An mp4 of the expert, with what was said, what it does and what the shield says."""
    poster = Poster(WIDTH, HEIGHT)
    with Mp4(path, width=WIDTH, height=HEIGHT, fps=FPS, quality=30) as video:

        def frame(stage: Stage, now: Tick) -> None:
            head = stage.session.robot.look()["head"]
            video.add(
                poster.frame(
                    look(stage), head, instruction=instruction, running=now.note, shield=now.shield, time=now.stamp
                )
            )

        return act(scene, instruction, frame, poster.view_size)


def contact_sheet(scene: Scene, instruction: str) -> np.ndarray:
    """SHOTS pictures of one episode in a row."""
    frames: list[np.ndarray] = []
    act(scene, instruction, lambda stage, now: frames.append(look(stage)), (180, 240))
    chosen = [frames[round(index)] for index in np.linspace(0, len(frames) - 1, SHOTS)]
    return np.concatenate(chosen, axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skills", nargs="+", default=[*SKILLS, CHAIN], choices=[*SKILLS, CHAIN])
    parser.add_argument("--seed", type=int, default=2000, help="seed of the film; the sheet's rows follow it")
    parser.add_argument("--rows", type=int, default=3, help="episodes on a contact sheet")
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for skill in arguments.skills:
        rows = []
        for seed in range(arguments.seed, arguments.seed + arguments.rows):
            scene = layout(skill, Draw(seed), steps=MOST)
            text = say(scene, scene.goals, np.random.default_rng(seed)).text
            if seed == arguments.seed:
                with tempfile.TemporaryDirectory() as scratch:
                    film = Path(scratch) / "film.mp4"
                    write_film(scene, text, film)
                    width, fps = (400, 4) if skill == CHAIN else (480, 6)  # a chain is long
                    animate(film, FOLDER / f"{skill}.webp", width=width, fps=fps, quality=35)
            rows.append(contact_sheet(scene, text))
        sheet = Image.fromarray(np.concatenate(rows, axis=0))
        sheet.save(FOLDER / f"{skill}-sheet.webp", quality=60)
        print(f"{skill}: {FOLDER / skill}.webp, {FOLDER / skill}-sheet.webp")


if __name__ == "__main__":
    main()
