"""Does a policy know which thing is meant? `python -m volition.eval.grounding CHECKPOINT`: asked of everything in fresh scenes.

    Checkpoint, skills -> scenes, all that may be asked in each -> where the model believes thing and place to be
    -> the nearest thing of the scene -> how often it is the one that was meant, by how it was called

For policies with the auxiliary `grounding`. Quick: nothing moves, each scene is looked at once, as the robot stands at
its beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table

from volition.errors import ContractError, said_plainly
from volition.eval.intervals import wilson
from volition.eval.suites import seeds
from volition.model.auxiliaries.grounding import Grounding
from volition.model.checkpoint import Checkpoint, load
from volition.model.policy import LearnedPolicy
from volition.robots.g1 import g1
from volition.sim.choices import layout, skills_of
from volition.sim.language.reference import Reference, resolve
from volition.sim.language.say import say
from volition.sim.randomise import Draw
from volition.sim.roles import roles_of
from volition.sim.scene import Goal, Scene
from volition.sim.senses import Senses
from volition.sim.sight import ROLES, Sight
from volition.sim.skills import SKILLS
from volition.sim.stage import Stage
from volition.types import Observation

WHAT = (*ROLES, "beside")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One thing that the words of one instruction mean."""

    skill: str
    seed: int
    text: str
    role: str  # "thing" or "place", or "beside" for what these are told by
    called: str  # Reference.tag: by its colour, its place, its neighbour ...
    right: bool
    off: float  # m, from where it is


def ask(checkpoint: Checkpoint, skill: str, seed: int, *, split: str, ways: int) -> Iterator[Asked]:
    """Everything that may be asked of a skill in one scene, each in so many ways."""
    if "grounding" not in checkpoint.model.auxiliaries:
        raise ContractError("This policy was not taught where things are; train a recipe with the auxiliary grounding.")
    robot = g1(checkpoint.design.shapes.picture[0])
    scene = layout(skill, Draw(seed))
    stage = Stage(scene, robot, cameras=True)
    try:
        sim, sight = stage.session.robot, Sight(stage)
        places = {thing.name: stage.in_pelvis(sight.look(thing.name, ())[0]) for thing in scene.things}
        state = sim.read()
        seen = Senses(scene).observe(Observation(stamp=state.stamp, state=state, images=sim.look(), instruction=""))
    finally:
        stage.close()
    policy = LearnedPolicy(checkpoint, robot)
    random = np.random.default_rng([seed, 3])
    for goal in SKILLS[skill].goals(scene):
        for _ in range(ways):
            yield from _answer(checkpoint, policy, seen, scene, goal, places, random, split)


def _answer(
    checkpoint: Checkpoint,
    policy: LearnedPolicy,
    seen: Observation,
    scene: Scene,
    goal: Goal,
    places: dict[str, np.ndarray],
    random: np.random.Generator,
    split: str,
) -> Iterator[Asked]:
    said = say(scene, [goal], random, split)
    policy.reset(said.text)
    policy.infer(seen)
    assert policy.given is not None
    model = checkpoint.model
    with torch.inference_mode():
        context = model.think(policy.given).context
        found = None if context.spots is None else context.spots.places
        if found is None:
            found = cast(Grounding, model.auxiliaries["grounding"]).positions(context)
    guesses = found[0].double().cpu().numpy()
    roles = roles_of(scene, goal)
    meant = [(ROLES[roles.index(mention.thing)], mention.thing, mention.reference) for mention in said.mentions]
    for role, name, reference in (*meant, *_beside(scene, said.references)):
        away = {one: float(np.linalg.norm(places[one] - guesses[WHAT.index(role)])) for one in places}
        right = min(away, key=away.__getitem__) == name
        yield Asked(
            skill=goal.skill, seed=scene.seed, text=said.text, role=role, called=reference.tag, right=right, off=away[name]
        )  # fmt: skip


def _beside(scene: Scene, references: Sequence[Reference]) -> Iterator[tuple[str, str, Reference]]:
    """The thing by which another one is told; of two, the first, as in training."""
    landmarks = [reference.landmark for reference in references if reference.landmark is not None]
    for landmark in landmarks[:1]:
        meant = resolve(scene, landmark)
        if len(meant) == 1:
            yield WHAT[2], meant[0].name, landmark


def table(found: Sequence[Asked], title: str) -> Table:
    shown = Table(title=title)
    for heading in ("skill", "what", "called by its", "right", "95 %", "median cm off"):
        shown.add_column(heading, justify="left" if heading in ("skill", "what", "called by its") else "right")
    for skill in dict.fromkeys(one.skill for one in found):
        for role in WHAT:
            group = [one for one in found if (one.skill, one.role) == (skill, role)]
            tags = sorted({one.called for one in group})
            for tag in tags:
                shown.add_row(skill, role, tag, *_figures([one for one in group if one.called == tag]))
            if tags:
                shown.add_row(skill, role, "[bold]any[/bold]", *_figures(group), end_section=True)
    shown.add_row("[bold]all[/bold]", "", "", *_figures(found))
    return shown


def _figures(group: Sequence[Asked]) -> tuple[str, str, str]:
    right = sum(one.right for one in group)
    low, high = wilson(right, len(group))
    off = 100 * float(np.median([one.off for one in group]))
    return f"{right} of {len(group)}", f"{100 * low:.0f}-{100 * high:.0f} %", f"{off:.1f}"


def main(
    checkpoint: Annotated[Path, tyro.conf.Positional],
    skills: str = "press_button,pick_and_place,open_drawer,pour,wipe_surface,go_to",
    scenes: int = 50,
    split: str = "train",
    ways: int = 2,
) -> None:
    """Print how often a checkpoint knows which thing is meant, in scenes that no data set has.

    Example: python -m volition.eval.grounding out/quick/last --skills press_button

    Args:
        checkpoint: folder of a policy with the auxiliary grounding.
        skills: names with commas between.
        scenes: of each skill.
        split: `phrasings` for sentences held out from training, `train` for others.
        ways: sentences for everything that may be asked.
    """
    loaded = load(checkpoint)
    jobs = [(skill, seed) for skill in skills_of(skills) for seed in seeds(skill, scenes, "train")]
    found = [
        one
        for skill, seed in track(jobs, "Scenes", console=Console(stderr=True))
        for one in ask(loaded, skill, seed, split=split, ways=ways)
    ]
    Console().print(table(found, f"{checkpoint}: which thing is meant ({split})"))


if __name__ == "__main__":
    with said_plainly():
        tyro.cli(main)
