"""`volition models`: the family as a table, measured on the machine it is printed on.

RECIPES -> a model each, random weights -> parameters, what it sees, ms a decision
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table

from volition.model.command import ModelsCommand
from volition.model.inputs import Inputs
from volition.model.language.bpe import train_bpe
from volition.model.maker import Maker
from volition.model.recipes import RECIPES, Recipe, recipe
from volition.model.shapes import Shapes
from volition.model.vla import VLA
from volition.robots.g1 import g1
from volition.robots.primitives import NAMES

HEADINGS = ("recipe", "parts", "gives", "sees", "parameters", "trained", "ms a decision")
WIDE = 120  # characters
SENTENCE = "put the red can into the green bowl"
STATE = 54  # numbers of the G1's proprioception


@dataclass(frozen=True, kw_only=True)
class Line:
    recipe: Recipe
    parameters: int
    trainable: int
    decision_ms: float
    shapes: Shapes


def models(command: ModelsCommand) -> int:
    """Print the table; returns 0."""
    chosen = [recipe(name) for name in command.recipes] or list(RECIPES.values())
    lines = [measure(one, command.size, command.pixels) for one in chosen]
    if command.markdown:
        print(markdown(lines, command))
        return 0
    console = Console()
    shown = range(len(HEADINGS)) if console.width >= WIDE else [0, 2, 4, 5, 6]  # parts and senses need room
    table = Table(title=f"Recipes, size {command.size}, three cameras of {command.pixels} pixels")
    for column in shown:
        table.add_column(HEADINGS[column], justify="right" if column >= 4 else "left", no_wrap=column == 0)
    for line in lines:
        table.add_row(*(cells(line)[column] for column in shown))
    console.print(table)
    return 0


def cells(line: Line) -> list[str]:
    return [
        line.recipe.name,
        line.recipe.about,
        line.recipe.gives,
        _sees(line.shapes),
        f"{line.parameters / 1e6:.1f} M",
        f"{line.trainable / 1e6:.1f} M",
        f"{line.decision_ms:.0f}",
    ]


def markdown(lines: list[Line], command: ModelsCommand) -> str:
    rows = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" * len(HEADINGS)]
    rows += ["| " + " | ".join(cells(line)) + " |" for line in lines]
    return "\n".join(rows)


def shapes_for(one: Recipe, pixels: int, *, tokenizer: str | None = None) -> Shapes:
    """A recipe's shapes on the G1: its own history and chunk, three cameras, hands and base; or the ten primitives."""
    robot = g1(pixels)
    action = robot.action("primitive" if one.name == "clip-classifier" else "ee")
    discrete = one.name == "clip-classifier"
    return Shapes(
        cameras=tuple(camera.name for camera in robot.cameras),
        picture=(pixels, pixels),
        state=STATE,
        actions=len(action.names),
        chunk=1 if discrete else int(one.batch.get("chunk", 10)),
        history=int(one.batch.get("history", 1)),
        before=int(one.batch.get("before", 0)),
        shown=int(one.batch.get("shown", 0)),
        classes=len(NAMES) if discrete else None,
        space=f"{robot.name}/{action.name}",
        tasks=("pick_and_place", "pour", "open_drawer", "press_button", "wipe_surface"),
        tokenizer=tokenizer,
    )


def measure(one: Recipe, size: str, pixels: int, *, rounds: int = 5) -> Line:
    tokenizer = train_bpe([SENTENCE], 300).to_str()
    shapes = shapes_for(one, pixels, tokenizer=tokenizer)
    model = one.build(Maker(shapes, size)).eval()
    return Line(
        recipe=one,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        trainable=sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
        decision_ms=decision_ms(model, shapes, rounds),
        shapes=shapes,
    )


def decision_ms(model: VLA, shapes: Shapes, rounds: int) -> float:
    """The median; the sentence is read once, as in a run."""
    picture = torch.zeros(1, shapes.history, *shapes.picture, 3, dtype=torch.uint8)
    inputs = Inputs(
        images=dict.fromkeys(shapes.cameras, picture),
        state=torch.zeros(1, shapes.history, shapes.state),
        seen=torch.ones(1, shapes.history, dtype=torch.bool),
        sentences=model.read([SENTENCE]),
        done=torch.zeros(1, shapes.before, shapes.actions) if shapes.before else None,
        done_mask=torch.ones(1, shapes.before, dtype=torch.bool) if shapes.before else None,
    )
    random = torch.Generator().manual_seed(0)
    took = []
    with torch.inference_mode():
        model.decide(inputs, rng=random)
        for _ in range(rounds):
            begin = time.perf_counter()
            model.decide(inputs, rng=random)
            took.append(time.perf_counter() - begin)
    return 1e3 * statistics.median(took)


def _sees(shapes: Shapes) -> str:
    parts = [f"{shapes.history} pictures" if shapes.history > 1 else "a picture", "state", "a sentence"]
    parts += [f"{shapes.before} actions before"] if shapes.before else []
    return ", ".join([*parts, f"{shapes.shown} demonstrations"] if shapes.shown else parts)
