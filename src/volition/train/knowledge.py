"""What a data set knows of the moments of its episodes, each worked out once: who stood where, how things went, what was meant.

columns truth, truth.things + an episode's info -> Knowledge -> batches.py
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from volition.body.course import COURSE, courses, felt_by
from volition.data.feature import LOOK, STATE, TRUTH, TRUTH_THINGS
from volition.data.store import Dataset
from volition.sim.scene import Goal, Scene, scene_from_json
from volition.sim.sight import MANY, ROLES
from volition.sim.things import COLOURS, KINDS
from volition.train.batch_config import BatchConfig
from volition.train.truths import Truths, things_of

_LATE = 10  # frames
_KINDS, _COLOURS = list(KINDS), list(COLOURS)
# A button comes out again: nobody sees that it was pressed. What the teacher does afterwards (it backs off) would teach
# to back off from a button that nobody has pressed yet.
FLEETING = ("press_button",)


class Knowledge:
    """Where the data set has no truth, or nobody wants it, all that is done is meant, and nothing else is known."""

    def __init__(self, dataset: Dataset, config: BatchConfig, truths: Truths, names: Sequence[str]) -> None:
        """`names`: of the state's numbers."""
        self._dataset, self._config, self._truths, self._names = dataset, config, truths, tuple(names)
        known = TRUTH in config.windows(dataset).states
        self.columns = {name: place for place, name in enumerate(dataset.feature(TRUTH).names or ())} if known else {}
        self._scenes: dict[int, Scene] = {}
        self._kinds: dict[int, np.ndarray] = {}
        self._courses: dict[tuple[int, int], np.ndarray] = {}
        self._places: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
        self._meant: dict[tuple[int, int, bool], np.ndarray] = {}

    @property
    def truth(self) -> bool:
        return bool(self.columns)

    def _info(self, episode: int) -> Mapping[str, Any]:
        return self._dataset.record(episode).info

    def looked_at(self, episode: int) -> bool:
        """Whether nothing is done in it: its frames are of a scene seen from anywhere, one after another."""
        return bool(self._info(episode).get(LOOK))

    def course(self, episode: int, step: int) -> np.ndarray:
        """How things went, by each frame of an episode from when a step began (T, COURSE), worked out once; nothing in looks,
        whose frames do not follow each other."""
        if (episode, step) not in self._courses:
            numbers, names = self._dataset.numbers(episode, (STATE, TRUTH)), self._names
            found = np.zeros((len(numbers[TRUTH]), COURSE))
            begin = int(np.argmax(numbers[TRUTH][:, self.columns["step"]] == step))
            if not self.looked_at(episode) and felt_by(names):
                places, present = self.places(episode, step)
                thing = np.where(present[:, :1], places[:, 0], np.nan)
                felt = numbers[STATE].astype(np.float64)
                found = courses(names, felt, thing, 1.0 / self._dataset.fps, begin)
            self._courses[episode, step] = found
        return self._courses[episode, step]

    def places(self, episode: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Where thing and place of a step are by each frame of an episode, (T, ROLES, 3) in the pelvis frame, and whether there are such and
        the first camera has had them in its picture since the step began, (T, ROLES)."""
        if (episode, step) not in self._places:
            truth = self._dataset.numbers(episode, (TRUTH,))[TRUTH].astype(np.float64)
            where = [[self.columns[f"{role}.{axis}"] for axis in "xyz"] for role in ROLES]
            places, present = truth[:, where], truth[:, [self.columns[f"{role}.present"] for role in ROLES]] > 0.5
            camera = self._truths.first
            inside = truth[:, [self.columns[f"{camera}.{role}.inside"] for role in ROLES]] > 0.5
            meant = self.things(episode, step)[: len(ROLES)]
            if TRUTH_THINGS in {feature.name for feature in self._dataset.features} and (meant >= 0).all():
                things = self._dataset.numbers(episode, (TRUTH_THINGS,))[TRUTH_THINGS].reshape(len(truth), MANY, -1)
                known = np.pad(things.astype(np.float64), ((0, 0), (0, 1), (0, 0)))
                places, present = known[:, meant, :3], np.repeat([meant < MANY], len(truth), axis=0)
                inside = known[:, meant, self._truths.column(f"{camera}.inside")] > 0.5
            if not self.looked_at(episode):
                begin = int(np.argmax(truth[:, self.columns["step"]] == step))
                inside[:begin] = False
                present = present & np.logical_or.accumulate(inside)
            self._places[episode, step] = places, present
        return self._places[episode, step]

    def things(self, episode: int, step: int, landmark: str = "") -> np.ndarray:
        """Numbers of the things that are meant, as `things_of`; -1 where an episode's goals are not known."""
        info = self._info(episode)
        if "scene" not in info or step >= len(info.get("goals", ())):
            return np.full(3, -1)
        return things_of(self.scene(episode), Goal(**info["goals"][step]), landmark)

    def scene(self, episode: int) -> Scene:
        if episode not in self._scenes:
            self._scenes[episode] = scene_from_json(self._info(episode)["scene"])
        return self._scenes[episode]

    def meant(self, episode: int, frame: int, step: int, late: bool) -> np.ndarray:
        """Which actions of the chunk are for what is told: none that belong to another step, or to what comes after a
        thing whose doing cannot be seen afterwards. (K,) bool"""
        meant = np.ones(self._config.chunk, dtype=bool)
        if self.looked_at(episode):
            return ~meant
        if not self.truth:
            return meant
        truth = self._dataset.numbers(episode, (TRUTH,))[TRUTH][frame : frame + self._config.chunk]
        count = len(truth)
        if self._config.steps:
            meant[:count] &= (truth[:, self.columns["step"]] == step) & (not late)
        if self.skill(episode, step) in FLEETING:
            meant[:count] &= truth[:, self.columns["finished"]] < 0.5
        return meant

    def just_begun(self, episode: int, frame: int, step: int) -> bool:
        """Whether a step's first second is under way: then what the step before was told is done, and may be asked."""
        if not step:
            return False
        steps = self._dataset.numbers(episode, (TRUTH,))[TRUTH][max(frame - _LATE, 0) : frame, self.columns["step"]]
        return bool((steps < step).any())

    def meant_all(self, episode: int, step: int, late: bool) -> np.ndarray:
        """`meant` of every frame of an episode, and none of what comes after its end: (T, K) bool, worked out once."""
        key = (episode, step, late)
        if key not in self._meant:
            frames = range(self._dataset.record(episode).length)
            meant = np.stack([self.meant(episode, frame, step, late) for frame in frames])
            ahead = np.arange(len(frames))[:, None] + np.arange(self._config.chunk)
            self._meant[key] = meant & (ahead < len(frames))
        return self._meant[key]

    def kinds(self, episode: int) -> np.ndarray:
        """Kind and colour of each thing of the scene as numbers, (MANY, 2); -1 where there is none."""
        if episode not in self._kinds:
            are = np.full((MANY, 2), -1)
            for place, thing in enumerate(self._info(episode).get("scene", {}).get("things", ())[:MANY]):
                are[place] = _KINDS.index(thing["kind"]), _COLOURS.index(thing["colour"])
            self._kinds[episode] = are
        return self._kinds[episode]

    def skill(self, episode: int, step: int) -> str:
        info = self._info(episode)
        goals = info.get("goals") or ()
        return str(goals[step]["skill"] if step < len(goals) else info.get("skill", ""))
