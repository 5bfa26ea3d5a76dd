"""Measures how often a command is cut into the right steps, by its words alone: `python -m volition.eval.splitting`.

A chain that the grammar says in a scene is cut right if it has as many parts as goals, and each part, read in that
scene by `understand`, means its goal and nothing else. Writes docs/studies/splitting.json and splitting.md.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.progress import track

from volition.errors import ContractError, said_plainly
from volition.eval.intervals import wilson
from volition.model.steps import words
from volition.model.steps.split import split
from volition.sim.choices import CHAIN, layout
from volition.sim.language.deeds import DEEDS
from volition.sim.language.manners import manners
from volition.sim.language.say import say
from volition.sim.language.templates import TEMPLATES
from volition.sim.language.understand import understand
from volition.sim.language.words import MOST_STEPS, SPLITS
from volition.sim.randomise import Draw
from volition.sim.scene import Goal, Scene
from volition.sim.skills import SKILLS

FOLDER = Path("docs/studies")
FREE = Path(__file__).parents[3] / "tests/model/data/commands_heldout.jsonl"
FIRST = 61_000_000  # the first seed
KEPT = 30  # misses of each line that are written down


@dataclass
class Line:
    """One row of the table."""

    name: str
    what: str
    right: int = 0
    trials: int = 0
    misses: list[dict[str, object]] = field(default_factory=list)

    def add(self, text: str, got: tuple[str, ...], right: bool) -> None:
        self.trials += 1
        self.right += right
        if not right and len(self.misses) < KEPT:
            self.misses.append({"text": text, "got": list(got)})


def chain_of(seed: int) -> tuple[Scene, tuple[Goal, ...]]:
    """A chain's scene with its goals; among those of every second one is a movement."""
    random = np.random.default_rng([seed, 3])
    scene = layout(CHAIN, Draw(seed))
    goals = list(scene.goals)
    if len(goals) < MOST_STEPS and random.random() < 0.5:
        movements = SKILLS["move"].goals(scene)
        goals.insert(int(random.integers(len(goals) + 1)), movements[int(random.integers(len(movements)))])
    return scene, tuple(goals)


def right(scene: Scene, goals: tuple[Goal, ...], parts: tuple[str, ...]) -> bool:
    """Whether each part means its goal, in their order."""
    if len(parts) != len(goals):
        return False
    return all(understand(scene, part).goals == (goal,) for part, goal in zip(parts, goals, strict=True))


def chains(line: Line, said: str, count: int, change: Callable[[str], str] = str) -> None:
    for seed in track(range(FIRST, FIRST + count), line.name, console=Console(stderr=True), transient=True):
        scene, goals = chain_of(seed)
        text = change(say(scene, goals, np.random.default_rng([seed, 4]), said).text)
        parts = split(text)
        line.add(text, parts, right(scene, goals, parts))


def unpunctuated(text: str) -> str:
    """As a speech recogniser writes it."""
    return re.sub(r"[.,;:!?]", "", text).lower()


def single(said: str) -> Iterator[str]:
    """Every sentence of one step in every manner, with long names of things: none of them may be cut."""
    for template in TEMPLATES:
        if template.split == said:
            text = template.text.format(
                thing="the left red can next to the blue plate", place="the bowl on the right", on="in", onto="into"
            )
            yield from (manner.text.format(text) for manner in manners(said, None, command=template.command))
    for deed in DEEDS:
        yield from (text.format(x="the person in red") for text in deed.texts(said))


@contextmanager
def unlisted() -> Iterator[None]:
    """As if the splitter had never heard of the verbs of held-out commands: they must be known by their place."""
    heard = {word for template in TEMPLATES if template.split == "train" for word in template.text.split()}
    new = {template.verb for template in TEMPLATES if template.split != "train"} - heard
    verbs, base = words.VERBS, words.BASE
    words.VERBS, words.BASE = verbs - new, {form: verb for form, verb in base.items() if verb not in new}
    try:
        yield
    finally:
        words.VERBS, words.BASE = verbs, base


def free(line: Line, part: str) -> None:
    """Commands written by hand: the parts are compared as texts."""
    for row in map(json.loads, FREE.read_text(encoding="utf-8").splitlines()):
        if row["split"] == part:
            got = split(row["text"])
            line.add(row["text"], got, [_bare(text) for text in got] == [_bare(text) for text in row["steps"]])


def _bare(text: str) -> str:
    return text.lower().strip(" .?!")


def measure(count: int) -> list[Line]:
    found: list[Line] = []
    for said in SPLITS:
        name = "training" if said == "train" else "held-out"
        line = Line(f"chains, {name} phrasings", "two to five steps, every second one with a movement")
        chains(line, said, count)
        bare = Line(f"the same, no punctuation, {name}", "as a speech recogniser writes it, all in lower case")
        chains(bare, said, count // 3, unpunctuated)
        whole = Line(f"one step, {name} phrasings", "every sentence of one step, in every manner: not cut")
        for text in single(said):
            got = split(text)
            whole.add(text, got, got == (text,))
        found += [line, bare, whole]
    line = Line(
        "held-out phrasings, their verbs taken from the list", "72 verbs fewer, which none of training's sentences has"
    )
    with unlisted():
        chains(line, "phrasings", count // 3)
    found.append(line)
    for part in ("dev", "test"):
        line = Line(f"written by hand, {part}", "see docs/commands.md")
        free(line, part)
        found.append(line)
    return found


def table(lines: list[Line]) -> str:
    rows = ["| what | cut right | of | share | 95 % interval |", "|---|---|---|---|---|"]
    for line in lines:
        low, high = wilson(line.right, line.trials)
        share = line.right / max(line.trials, 1)
        rows.append(f"| {line.name} | {line.right} | {line.trials} | {share:.2%} | {low:.2%} - {high:.2%} |")
    return "\n".join(rows)


def main(count: int = 2000, dry: bool = False) -> None:
    """Print and write how often commands are cut right. Example: python -m volition.eval.splitting --count 300 --dry

    Args:
        count: chains of each kind; a third of that for the harder ones.
        dry: print only.
    """
    if count < 3:
        raise ContractError(f"--count is {count}; it must be 3 or more.")
    if not FREE.is_file():
        raise ContractError(f"There is no {FREE}; it lies in the repository's tests.")
    begin = time.perf_counter()
    lines = measure(count)
    print(table(lines))
    print(f"\n{time.perf_counter() - begin:.0f} s")
    for line in lines:
        for miss in line.misses[:3]:
            print(f"  {line.name}: {miss['text']!r} -> {miss['got']}")
    if not dry:
        FOLDER.mkdir(parents=True, exist_ok=True)
        command = f"python -m volition.eval.splitting --count {count}"
        told = {"command": command, "first_seed": FIRST, "lines": [asdict(line) for line in lines]}
        _replace(FOLDER / "splitting.json", json.dumps(told, indent=1) + "\n")
        what = "\n".join(f"- **{line.name}**: {line.what}" for line in lines)
        text = (
            f"# Cutting commands into steps\n\nMade by `{command}`, first seed {FIRST}. What is measured and what falls "
            f"short: [Commands](../commands.md).\n\n{table(lines)}\n\n{what}\n"
        )
        _replace(FOLDER / "splitting.md", text)


def _replace(path: Path, text: str) -> None:
    scratch = path.with_name(path.name + ".part")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)


if __name__ == "__main__":
    with said_plainly():
        tyro.cli(main)
