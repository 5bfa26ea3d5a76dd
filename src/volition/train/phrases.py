"""Other words for the same goals: an episode is recorded with one sentence, training hears it said in many ways.

    info of an episode (its scene and goals) --Phrases.of--> sentences --a draw for each window--> the model

Only episodes of our own simulator know their scene; others keep the sentence they were recorded with, or are said in the
`ways` that their info lists.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from volition.sim.language.held_out import split_of
from volition.sim.language.reference import Reference, resolve
from volition.sim.language.say import say
from volition.sim.roles import calls_of
from volition.sim.scene import Goal, Scene, scene_from_json
from volition.sim.skills import SKILLS


@dataclass(frozen=True, kw_only=True)
class Said:
    """A sentence; the thing by which it tells another one: the can, in "the button next to the can", "" if none; and how it calls
    the thing, the place and that one, None for what it does not speak of: nothing at all where nobody knows."""

    text: str
    landmark: str = ""
    calls: tuple[Reference | None, ...] = ()


class Phrases:
    """`many` ways a goal is said at most. Sentences held out from training are never among them."""

    def __init__(self, many: int, seed: int = 0) -> None:
        self._many, self._seed = many, seed
        self._whole: dict[tuple[int, str], tuple[Said, ...]] = {}
        self._steps: dict[tuple[int, int], tuple[Said, ...]] = {}
        self._others: dict[tuple[int, int], tuple[tuple[Goal, Said], ...]] = {}

    def whole(self, episode: int, info: Mapping[str, Any], recorded: str) -> tuple[Said, ...]:
        """Ways to say all goals of an episode at once; the recorded one is the first, and its landmark is not known."""
        if "scene" not in info or "goals" not in info:
            ways = (recorded, *info.get("ways", ()))  # the recorded one may be another at each frame
            return _different(Said(text=text) for text in ways)[: max(self._many, 1)]
        key = (episode, recorded)  # others' episodes may have a sentence for each of their parts
        if key not in self._whole:
            more = self._said(episode, info, None) if self._many > 1 else ()
            self._whole[key] = _different((Said(text=recorded), *more))[: max(self._many, 1)]
        return self._whole[key]

    def step(self, episode: int, info: Mapping[str, Any], recorded: str, step: int) -> tuple[Said, ...]:
        """Ways to say one of an episode's goals; the same as `whole` where it has one goal or nobody knows its goals."""
        if len(info.get("goals", ())) < 2 or "scene" not in info:
            return self.whole(episode, info, recorded)
        key = (episode, step)
        if key not in self._steps:
            self._steps[key] = self._said(episode, info, step)
        return self._steps[key]

    def others(self, episode: int, info: Mapping[str, Any], step: int) -> tuple[tuple[Goal, Said], ...]:
        """What else could be asked for in the episode's scene, of this step's skill, and ways to say each, all sorts alike: what is
        rare is hard to learn. Nothing that is held out from training."""
        if "scene" not in info or step >= len(info.get("goals", ())):
            return ()
        key = (episode, step)
        if key not in self._others:
            scene, own = scene_from_json(info["scene"]), Goal(**info["goals"][step])
            goals = [goal for goal in SKILLS[own.skill].goals(scene) if goal != own and (goal.thing or goal.place)]
            goals = [goal for goal in goals if split_of(replace(scene, goals=(goal,))) == "train"]
            random = np.random.default_rng([self._seed, episode, step, zlib.crc32(b"others")])
            said = [
                (goal, _say(scene, [goal], random, evenly=True))
                for goal in goals
                for _ in range(max(self._many // 4, 1))
            ]
            self._others[key] = tuple(dict.fromkeys(said))
        return self._others[key]

    def _said(self, episode: int, info: Mapping[str, Any], step: int | None) -> tuple[Said, ...]:
        scene = scene_from_json(info["scene"])
        goals = [Goal(**goal) for goal in info["goals"]]
        said = goals if step is None else [goals[step]]
        random = np.random.default_rng([self._seed, episode, 0 if step is None else step + 1, zlib.crc32(b"phrases")])
        return _different(_say(scene, said, random) for _ in range(max(self._many, 1)))


def _say(scene: Scene, goals: Sequence[Goal], random: np.random.Generator, *, evenly: bool = False) -> Said:
    said = say(scene, goals, random, "train", evenly=evenly)
    calls = calls_of(scene, goals[0], said.references) if len(goals) == 1 else ()
    beside = calls[2] if calls else next((one.landmark for one in said.references if one.landmark is not None), None)
    meant = resolve(scene, beside) if beside is not None else ()
    return Said(text=said.text, landmark=meant[0].name if len(meant) == 1 else "", calls=calls)


def _different(said: Iterable[Said]) -> tuple[Said, ...]:
    """Each text once, the first of its kind."""
    found: dict[str, Said] = {}
    for one in said:
        found.setdefault(one.text, one)
    return tuple(found.values())
