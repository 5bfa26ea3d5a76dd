"""What `volition eval` tries: every suite is a list of jobs, each decided by its seed and nothing else.

SUITES[name](counts) -> Jobs -> runner.py -> rows -> tables
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from volition.errors import ContractError
from volition.sim.choices import CHAIN, layout
from volition.sim.language.held_out import split_of
from volition.sim.randomise import Axes, Draw
from volition.sim.scene import Goal, Scene

FIRST = 70_000_000  # the first seed of reports: no data set and no training evaluation comes so far
HANDS = ("press_button", "pick_and_place", "open_drawer", "pour", "wipe_surface")
THINGS = (*HANDS, "go_to")  # skills that are about things: those may be of kinds and colours that training never had
TRIED = (*THINGS, "move")
HARDER = 2.0  # strength of an axis in the robustness suite: twice what training sees
LATENCIES_MS = (100, 200, 300)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One trial. `split` is of the scene, `words` of the phrasing; `told` is the goal that the words ask for instead."""

    suite: str
    condition: str
    skill: str
    seed: int
    words: str = "train"
    steps: int = 1
    axes: dict[str, float] = field(default_factory=dict)
    latency_s: float | None = None
    limit_s: float | None = None  # of every goal; None: its skill's own
    told: int | None = None  # which of the skill's other goals in the scene; None: the scene's own

    @property
    def key(self) -> str:
        return f"{self.suite}/{self.condition}/{self.skill}/{self.seed}"

    def scene(self) -> Scene:
        scene = layout(
            self.skill, Draw(self.seed, Axes(**self.axes)), steps=self.steps if self.skill == CHAIN else None
        )
        if self.latency_s is not None:
            scene = replace(scene, physics=replace(scene.physics, latency_s=self.latency_s))
        if self.told is not None:
            scene = replace(scene, goals=(other_goals(scene)[self.told],))
        return scene

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def other_goals(scene: Scene) -> list[Goal]:
    """What the same skill could be told to do in the scene instead, with another thing or another place."""
    from volition.sim.skills import SKILLS

    own = scene.goals[0]
    return [goal for goal in SKILLS[own.skill].goals(scene) if goal != own]


def seeds(skill: str, count: int, split: str, *, first: int = FIRST, steps: int = 1) -> Iterator[int]:
    """The first `count` seeds whose scenes are of this split."""
    seed, found = first, 0
    while found < count:
        scene = layout(skill, Draw(seed), steps=steps if skill == CHAIN else None)
        if split_of(scene) == split:
            found += 1
            yield seed
        seed += 1


def skills(count: int, names: Sequence[str] = TRIED) -> list[Job]:
    return [
        Job(suite="skills", condition="skills", skill=name, seed=seed)
        for name in names
        for seed in seeds(name, count, "train")
    ]


def phrasings(count: int, names: Sequence[str] = TRIED) -> list[Job]:
    """The same scenes as in `skills`, asked for with held-out sentences: what differs are the words alone."""
    return [replace(job, suite="phrasings", condition="phrasings", words="phrasings") for job in skills(count, names)]


def pairs(count: int, names: Sequence[str] = TRIED) -> list[Job]:
    """Colours on kinds of things, and places on the table, that training never had."""
    return [
        Job(suite="pairs", condition=split, skill=name, seed=seed)
        for split in ("pairs", "layouts")
        for name in names
        if name in THINGS
        for seed in seeds(name, count, split)
    ]


def swap(count: int, names: Sequence[str] = TRIED) -> list[Job]:
    """The scenes of `skills`, asked for another thing in them: does the policy follow the words?"""
    return [
        replace(job, suite="swap", condition="swap", told=0)
        for job in skills(count, names)
        if other_goals(layout(job.skill, Draw(job.seed)))
    ]


def chains(count: int, names: Sequence[str] = ()) -> list[Job]:
    return [
        Job(suite="chains", condition="five steps", skill=CHAIN, seed=seed, steps=5)
        for seed in seeds(CHAIN, count, "train", steps=5)
    ]


def steps(count: int, names: Sequence[str] = ()) -> list[Job]:
    """Commands of one to four steps; those of five are `chains`."""
    return [
        Job(suite="steps", condition=f"{many} step{'s' * (many > 1)}", skill=CHAIN, seed=seed, steps=many)
        for many in range(1, 5)
        for seed in seeds(CHAIN, count, "train", steps=many)
    ]


def robustness(count: int, names: Sequence[str] = TRIED) -> list[Job]:
    """One axis at a time at twice its strength, and latencies of 100 to 300 ms."""
    plain = skills(count, names)
    found: list[Job] = []
    for axis in fields(Axes):
        if axis.name not in ("layout", "latency"):
            found += [replace(job, suite="robustness", condition=axis.name, axes={axis.name: HARDER}) for job in plain]
    for latency in LATENCIES_MS:
        found += [
            replace(job, suite="robustness", condition=f"latency {latency} ms", latency_s=latency / 1000)
            for job in plain
        ]
    return found


SUITES: dict[str, Callable[..., list[Job]]] = {
    "skills": skills,
    "phrasings": phrasings,
    "pairs": pairs,
    "swap": swap,
    "steps": steps,
    "chains": chains,
    "robustness": robustness,
}


def jobs_of(names: Sequence[str], episodes: int, only: Sequence[str] = ()) -> list[Job]:
    """All jobs of these suites; `only` some skills."""
    for name in names:
        if name not in SUITES:
            raise ContractError(f"There is no suite {name!r}; there are {', '.join(SUITES)}, and `all`.")
    for name in only:
        if name not in TRIED:
            raise ContractError(f"{name!r} is not tried; skills are {', '.join(TRIED)}.")
    return [job for name in names for job in SUITES[name](episodes, tuple(only) or TRIED)]


def asked(suite: str, episodes: int, skills: str) -> list[Job]:
    """As the command line says it: names with commas between, or `all` suites."""
    return jobs_of(list(SUITES) if suite == "all" else _names(suite), episodes, _names(skills))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
