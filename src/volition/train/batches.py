"""Data sets as a model takes them: windows from the loader, through the codec, with words, as tensors.

Dataset -> Loader (windows, augmentation, a phrase) -> Batches.epoch -> (Inputs, Targets) -> trainer
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from volition.body.course import COURSE, courses, felt_by
from volition.data.augment import Augmentation
from volition.data.feature import ACTION, IMAGES, LOOK, STATE, TRUTH, TRUTH_CELLS, TRUTH_THINGS
from volition.data.loader import Loader, LoaderConfig
from volition.data.share import WHOLE, Share
from volition.data.statistics import Moments
from volition.data.store import Dataset
from volition.data.windows import ACTION_PAD, BEFORE, BEFORE_PAD, HISTORY_PAD, Sample, WindowConfig
from volition.model.inputs import Felt, Inputs, Question, Sentences, Targets, Truth, split_rows
from volition.robots.primitives import NAMES as PRIMITIVE_NAMES
from volition.sim.language.asks import ask
from volition.sim.scene import Goal, Scene, scene_from_json
from volition.sim.sight import MANY, ROLES
from volition.sim.stage import SIDES
from volition.sim.things import COLOURS, KINDS
from volition.train.errors import TrainError
from volition.train.phrases import Phrases
from volition.train.reasons import reason
from volition.train.shown import Examples, shown_of, task_of
from volition.train.taught import main_action, names_of
from volition.train.truths import Truths, as_float, things_of, told_of
from volition.transforms.codec import Codec, Frame, hands_of
from volition.transforms.scale import Kind, scale_of
from volition.types import ActionSpec

Read = Callable[[Sequence[str]], Sentences]
LATE = 10  # frames
FELT = "felt."
_KINDS, _COLOURS = list(KINDS), list(COLOURS)
SHOW = 0.8  # share of the windows that are shown demonstrations, where a model takes them
# A button comes out again: nobody sees that it was pressed. What the teacher does afterwards (it backs off) would teach
# to back off from a button that nobody has pressed yet.
FLEETING = ("press_button",)


@dataclass(frozen=True, kw_only=True)
class BatchConfig:
    """What a model wants to see of a data set. `phrases`: ways to say an episode's goals; `steps`: one goal at a time;
    `ask`: each window is also asked what so many other goals of its scene mean, where its things are known; `felt`: so many other
    moments of its episode come with it, without pictures, for hands that go by places."""

    action: str = "ee"
    cameras: tuple[str, ...] = ("head", "left_wrist", "right_wrist")
    history: int = 1
    history_step: int = 1
    chunk: int = 10
    before: int = 0
    frame: Frame = "absolute"
    scale: Kind = "mean_std"
    phrases: int = 16
    steps: bool = True
    truth: bool = True  # where the data set has it
    ask: int = 0
    scenery: bool = False  # what stands where, whatever is said
    felt: int = 0
    shown: int = 0  # demonstrations of the same task, beside each window
    key_frames: int = 4  # of each of them
    reasons: bool = False  # also what there is to say before acting, from the truth

    def windows(self, dataset: Dataset) -> WindowConfig:
        """The columns to read, checked to be there."""
        known = {feature.name for feature in dataset.features}
        truth = tuple(n for n in (TRUTH, TRUTH_CELLS) if n in known) if self.truth and TRUTH in known else ()
        # What is said before acting, and demonstrations, are of what was done and of nothing else.
        things = (TRUTH_THINGS,) if truth and (self.ask or self.scenery) and TRUTH_THINGS in known else ()
        return WindowConfig(
            cameras=tuple(IMAGES + camera for camera in self.cameras),
            states=(STATE, *truth, *things),
            actions=(column_of(dataset, self.action),),
            history=self.history,
            history_step=self.history_step,
            chunk=self.chunk,
            before=self.before,
        )


def column_of(dataset: Dataset, action: str) -> str:
    """The column that holds an action space: the main one, or `action.<name>`."""
    if main_action(dataset) == action:
        return ACTION
    names = [feature.name for feature in dataset.features if feature.kind == "action"]
    if f"{ACTION}.{action}" in names:
        return f"{ACTION}.{action}"
    main = main_action(dataset)
    raise TrainError(
        f"{dataset.folder} has no action space {action!r}; it has {', '.join([main, *(n.removeprefix('action.') for n in names if n != ACTION)])}."
    )


def codec_of(datasets: Sequence[Dataset], config: BatchConfig, spec: ActionSpec) -> Codec:
    """The scales of states and of chunks, measured over all frames of the data sets. Numbers that hardly vary stay as they are."""
    names = _same(datasets, lambda one: names_of(one.feature(STATE)), "names of the state")
    hands = hands_of(spec, names, config.frame)
    state, chunk = Moments((len(names),)), Moments((len(spec.names),))
    acted = [one for one in datasets if not (one.episodes and one.record(0).info.get(LOOK))]
    if not acted:
        raise TrainError("All data sets are of pictures to look at; give one in which something is done, too.")
    for dataset in acted:
        column = column_of(dataset, config.action)
        if names_of(dataset.feature(column)) != spec.names:
            raise TrainError(f"{dataset.folder}: {column} has other numbers than the action space {spec.name}.")
        for episode in range(dataset.episodes):
            numbers = dataset.numbers(episode, (STATE, column))
            states = numbers[STATE].astype(np.float64)
            state.add(states)
            for step in range(min(config.chunk, len(states))):
                later = numbers[column][step:].astype(np.float64)[:, None]
                chunk.add(hands.relative(later, states[: len(later)])[:, 0])
    discrete = [dimension.name for dimension in spec.dimensions if dimension.meaning == "discrete"]
    return Codec(
        spec=spec,
        frame=config.frame,
        states=scale_of(state.result(), names, kind=config.scale, still="keep"),
        actions=scale_of(chunk.result(), spec.names, kind=config.scale, still="keep", plain=discrete),
    )


class Batches:
    """Epochs of (Inputs, Targets) from one data set; the same for the same seed, whatever the number of workers."""

    def __init__(
        self,
        dataset: Dataset,
        config: BatchConfig,
        codec: Codec,
        read: Read,
        loader: LoaderConfig,
        *,
        episodes: Sequence[int] | None = None,
        augmentation: Augmentation | None = None,
        tasks: Sequence[str] = (),
        often: Mapping[int, float] | None = None,
    ) -> None:
        """`tasks`: names whose place in the list is a window's task, from the skill that the episode's info names."""
        self.dataset, self.config, self.codec = dataset, config, codec
        self._read, self._augmentation, self._tasks = read, augmentation, list(tasks)
        # A scene that is only looked at is seen a few times: what matters is that there are many, and each sentence that
        # nobody has read yet costs a frozen language encoder as much as a window costs the rest.
        self._phrases = {False: Phrases(config.phrases), True: Phrases(1)}
        self._scenes: dict[int, Scene] = {}
        self._encounters: dict[int, Scene] = {}
        self._kinds: dict[int, np.ndarray] = {}
        self._courses: dict[tuple[int, int], np.ndarray] = {}
        self._known_places: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
        self._all_meant: dict[tuple[int, int, bool], np.ndarray] = {}
        self._windows = config.windows(dataset)
        self._truth = (
            {name: place for place, name in enumerate(dataset.feature(TRUTH).names or ())} if self._known else {}
        )
        self._truths = Truths(dataset, config.cameras)
        self._examples = self._shows(episodes) if config.shown else None
        self.loader = Loader(dataset, self._windows, loader, episodes=episodes, augment=self._change, often=often)

    def _shows(self, episodes: Sequence[int] | None) -> Examples:
        config = self.config
        return Examples(
            self.dataset, self.codec, self._windows.actions[0], config.cameras[0],
            episodes=config.shown, frames=config.key_frames, among=episodes,
        )  # fmt: skip

    @property
    def samples(self) -> int:
        return self.loader.samples

    def __len__(self) -> int:
        return len(self.loader)

    def epoch(self, number: int, *, skip: int = 0, share: Share = WHOLE) -> Iterator[tuple[Inputs, Targets]]:
        for batch in self.loader.epoch(number, skip=skip, share=share):
            yield self._tensors(batch)

    @property
    def _known(self) -> bool:
        return TRUTH in self._windows.states

    def _change(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """In the loader's worker: other pictures, other words."""
        if self._augmentation is not None:
            sample = self._augmentation(sample, rng)
        episode, info = int(sample["episode"]), self.dataset.record(sample["episode"]).info
        step = int(sample[TRUTH][-1, self._truth["step"]]) if self._known else 0
        phrases = self._phrases[bool(info.get(LOOK))]
        late = self.config.steps and self._known and self._just_begun(episode, int(sample["frame"]), step)
        late = late and bool(rng.random() < 0.5)
        if self.config.steps and self._known:
            ways = phrases.step(episode, info, sample["task"], step - late)
        else:
            ways = phrases.whole(episode, info, sample["task"])
        said = ways[int(rng.integers(len(ways)))]
        words = {"task": said.text, "which": np.int64(self._task(info, step - late))}
        if TRUTH_THINGS in self._windows.states:
            words |= {"meant_things": self._things(episode, info, step - late, said.landmark), "other": np.bool_(False)}
            words["told"] = told_of(said.calls)
            words["are"] = self._are(episode, info)
            questions = self._questions(episode, info, step, rng)
            if info.get(LOOK) and len(questions) > 1:  # nothing is done in it: it may be asked for anything
                (task, things, told), *questions = questions
                words |= {"task": task, "meant_things": things, "told": told, "other": np.bool_(True)}
            if self.config.ask:
                words |= self._asking(questions)
            if self.config.phrases > 1 and info.get("split") == "train" and "encounter" in info:
                return {**sample, **words, **self._anew(info, sample, rng)}
        if self.config.reasons:
            words["reason"] = self._reason(episode, info, step, sample)
        if self._examples is not None:  # now and then nothing is shown, so that the words are listened to as well
            some = rng.random() < SHOW
            words |= (
                self._examples.pick(task_of(info, step - late), rng, without=episode)
                if some
                else self._examples.nothing()
            )
        if self.config.felt and self._known:
            words |= self._felt(episode, info, step, late, rng)
            words["course"] = self._course(episode, info, step)[int(sample["frame"])]
        meant = self._meant(episode, info, int(sample["frame"]), step, late)
        return {**sample, **words, "late": np.bool_(late), "meant": meant}

    def _felt(
        self, episode: int, info: Mapping[str, Any], step: int, late: bool, rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Other moments of the episode, told the same: what was felt, where things were, what was done. FELT + ..., R rows each"""
        column = self._windows.actions[0]
        numbers = self.dataset.numbers(episode, (STATE, TRUTH, column))
        truth, actions = numbers[TRUTH], numbers[column]
        frames = np.flatnonzero(truth[:, self._truth["step"]] == step)
        frames = frames[rng.integers(len(frames), size=self.config.felt)]
        ahead = frames[:, None] + np.arange(self.config.chunk)
        places, present = self._places(episode, info, step)
        return {
            FELT + "state": numbers[STATE][frames].astype(np.float64),
            FELT + "positions": places[frames],
            FELT + "present": present[frames],
            FELT + "actions": actions[np.minimum(ahead, len(actions) - 1)].astype(np.float64),
            FELT + "real": self._meant_all(episode, info, step, late)[frames],
            FELT + "course": self._course(episode, info, step)[frames],
        }

    def _course(self, episode: int, info: Mapping[str, Any], step: int) -> np.ndarray:
        """How things went, by each frame of an episode from when a step began (T, COURSE), worked out once; nothing in looks,
        whose frames do not follow each other."""
        if (episode, step) not in self._courses:
            numbers, names = self.dataset.numbers(episode, (STATE, TRUTH)), self.codec.states.names
            found = np.zeros((len(numbers[TRUTH]), COURSE))
            begin = int(np.argmax(numbers[TRUTH][:, self._truth["step"]] == step))
            if not info.get(LOOK) and felt_by(names):
                places, present = self._places(episode, info, step)
                thing = np.where(present[:, :1], places[:, 0], np.nan)
                felt = numbers[STATE].astype(np.float64)
                found = courses(names, felt, thing, 1.0 / self.dataset.fps, begin)
            self._courses[episode, step] = found
        return self._courses[episode, step]

    def _places(self, episode: int, info: Mapping[str, Any], step: int) -> tuple[np.ndarray, np.ndarray]:
        """Where thing and place of a step are by each frame of an episode, (T, ROLES, 3) in the pelvis frame, and whether there are such and
        the first camera has had them in its picture since the step began, (T, ROLES)."""
        if (episode, step) not in self._known_places:
            truth = self.dataset.numbers(episode, (TRUTH,))[TRUTH].astype(np.float64)
            where = [[self._truth[f"{role}.{axis}"] for axis in "xyz"] for role in ROLES]
            places, present = truth[:, where], truth[:, [self._truth[f"{role}.present"] for role in ROLES]] > 0.5
            camera = self._truths.first
            inside = truth[:, [self._truth[f"{camera}.{role}.inside"] for role in ROLES]] > 0.5
            meant = self._things(episode, info, step)[: len(ROLES)]
            if TRUTH_THINGS in {feature.name for feature in self.dataset.features} and (meant >= 0).all():
                things = self.dataset.numbers(episode, (TRUTH_THINGS,))[TRUTH_THINGS].reshape(len(truth), MANY, -1)
                known = np.pad(things.astype(np.float64), ((0, 0), (0, 1), (0, 0)))
                places, present = known[:, meant, :3], np.repeat([meant < MANY], len(truth), axis=0)
                inside = known[:, meant, self._truths.column(f"{camera}.inside")] > 0.5
            if not info.get(LOOK):
                begin = int(np.argmax(truth[:, self._truth["step"]] == step))
                inside[:begin] = False
                present = present & np.logical_or.accumulate(inside)
            self._known_places[episode, step] = places, present
        return self._known_places[episode, step]

    def _things(self, episode: int, info: Mapping[str, Any], step: int, landmark: str = "") -> np.ndarray:
        """Numbers of the things that are meant, as `things_of`; -1 where an episode's goals are not known."""
        if "scene" not in info or step >= len(info.get("goals", ())):
            return np.full(3, -1)
        return things_of(self._scene(episode, info), Goal(**info["goals"][step]), landmark)

    def _scene(self, episode: int, info: Mapping[str, Any]) -> Scene:
        if episode not in self._scenes:
            self._scenes[episode] = scene_from_json(info["scene"])
        return self._scenes[episode]

    def _anew(self, info: Mapping[str, Any], sample: Sample, rng: np.random.Generator) -> dict[str, Any]:
        """A frame of a scene for the primitives, asked something anew: the same picture, other words, another answer."""
        zones = info["asked"][int(sample["frame"])]["zones"]
        if info["seed"] not in self._encounters:
            self._encounters[info["seed"]] = scene_from_json(info["encounter"])
        scene = self._encounters[info["seed"]]
        said = ask(scene, zones, rng)
        column, names = self._windows.actions[0], [thing.name for thing in scene.things]
        return {
            "task": said.text,
            column: np.full_like(sample[column], float(PRIMITIVE_NAMES.index(said.primitive))),
            "meant_things": np.array([names.index(said.thing) if said.thing else MANY, MANY, MANY]),
            "told": told_of(()),
            "other": np.bool_(True),
            "late": np.bool_(False),
            "meant": np.ones(self.config.chunk, dtype=bool),
        }

    def _meant_all(self, episode: int, info: Mapping[str, Any], step: int, late: bool) -> np.ndarray:
        """`_meant` of every frame of an episode, and none of what comes after its end: (T, K) bool, worked out once."""
        key = (episode, step, late)
        if key not in self._all_meant:
            frames = range(self.dataset.record(episode).length)
            meant = np.stack([self._meant(episode, info, frame, step, late) for frame in frames])
            ahead = np.arange(len(frames))[:, None] + np.arange(self.config.chunk)
            self._all_meant[key] = meant & (ahead < len(frames))
        return self._all_meant[key]

    def _are(self, episode: int, info: Mapping[str, Any]) -> np.ndarray:
        """Kind and colour of each thing of the scene as numbers, (MANY, 2); -1 where there is none."""
        if episode not in self._kinds:
            are = np.full((MANY, 2), -1)
            for place, thing in enumerate(info.get("scene", {}).get("things", ())[:MANY]):
                are[place] = _KINDS.index(thing["kind"]), _COLOURS.index(thing["colour"])
            self._kinds[episode] = are
        return self._kinds[episode]

    def _questions(
        self, episode: int, info: Mapping[str, Any], step: int, rng: np.random.Generator
    ) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """Other goals of the scene, each once, as somebody would say them, the things that are meant, and how they are told."""
        others = self._phrases[bool(info.get(LOOK))].others(episode, info, step)
        chosen = [others[place] for place in rng.permutation(len(others))[: self.config.ask + 1].tolist()]
        return [
            (said.text, things_of(self._scene(episode, info), goal, said.landmark), told_of(said.calls))
            for goal, said in chosen
        ]

    def _asking(self, questions: Sequence[tuple[str, np.ndarray, np.ndarray]]) -> dict[str, Any]:
        """As many as are asked of every window; where there are fewer, some ask nothing."""
        count = self.config.ask
        asked, nothing = list(questions[:count]), ("", np.full(3, MANY), told_of(()))
        texts, things, told = zip(*asked, *[nothing] * (count - len(asked)), strict=True)
        return {
            "asked": np.arange(count) < len(asked), "asked_task": np.array(texts, dtype=object),
            "asked_things": np.stack(things), "asked_told": np.stack(told),
        }  # fmt: skip

    def _meant(self, episode: int, info: Mapping[str, Any], frame: int, step: int, late: bool) -> np.ndarray:
        """Which actions of the chunk are for what is told: none that belong to another step, or to what comes after a
        thing whose doing cannot be seen afterwards. (K,) bool"""
        meant = np.ones(self.config.chunk, dtype=bool)
        if info.get(LOOK):
            return ~meant
        if not self._known:
            return meant
        truth = self.dataset.numbers(episode, (TRUTH,))[TRUTH][frame : frame + self.config.chunk]
        count = len(truth)
        if self.config.steps:
            meant[:count] &= (truth[:, self._truth["step"]] == step) & (not late)
        if self._skill(info, step) in FLEETING:
            meant[:count] &= truth[:, self._truth["finished"]] < 0.5
        return meant

    def _just_begun(self, episode: int, frame: int, step: int) -> bool:
        """Whether a step's first second is under way: then what the step before was told is done, and may be asked."""
        if not step:
            return False
        steps = self.dataset.numbers(episode, (TRUTH,))[TRUTH][max(frame - LATE, 0) : frame, self._truth["step"]]
        return bool((steps < step).any())

    def _task(self, info: Mapping[str, Any], step: int) -> int:
        name = self._skill(info, step)
        return self._tasks.index(name) if name in self._tasks else -1

    @staticmethod
    def _skill(info: Mapping[str, Any], step: int) -> str:
        goals = info.get("goals") or ()
        return str(goals[step]["skill"] if step < len(goals) else info.get("skill", ""))

    def _reason(self, episode: int, info: Mapping[str, Any], step: int, sample: Sample) -> str:
        if not self._known or "scene" not in info:
            return ""
        values, names = sample[TRUTH][-1], self.codec.states.names
        thing, place = (np.array([values[self._truth[f"{role}.{axis}"]] for axis in "xyz"]) for role in ROLES)
        hands = np.array([[sample[STATE][-1, names.index(f"{side}.{axis}")] for axis in "xyz"] for side in SIDES])
        finished = bool(values[self._truth["finished"]] > 0.5)
        return reason(Goal(**info["goals"][step]), self._scene(episode, info), thing, place, hands, finished)

    def _asked(self, batch: Sample) -> Question:
        count = self.config.ask
        return Question(
            sentences=split_rows(self._read(batch["asked_task"].ravel().tolist()), count),
            asked=torch.from_numpy(batch["asked"]),
            truth=split_rows(
                self._truths.asked(batch) if self.config.cameras else self._truths.read_asked(batch), count
            ),
        )

    def _truth_of(self, batch: Sample) -> Truth:
        if self._known and self.config.cameras:
            return self._truths.of(batch)
        return self._truths.read(batch) if "told" in batch else Truth()

    def _moments(self, batch: Sample) -> Felt:
        state = batch[FELT + "state"]  # (B, R, S)
        return Felt(
            state=as_float(self.codec.state(state)),
            positions=as_float(batch[FELT + "positions"]),
            present=torch.from_numpy(batch[FELT + "present"]),
            actions=as_float(self.codec.encode(batch[FELT + "actions"], state)),
            real=torch.from_numpy(batch[FELT + "real"]),
            course=as_float(batch[FELT + "course"]),
        )

    def _tensors(self, batch: Sample) -> tuple[Inputs, Targets]:
        column = self._windows.actions[0]
        states = batch[STATE]  # (B, T, S)
        now = states[:, -1]
        inputs = Inputs(
            images={camera: torch.from_numpy(batch[IMAGES + camera]) for camera in self.config.cameras},
            state=as_float(self.codec.state(states)),
            seen=torch.from_numpy(~batch[HISTORY_PAD]),
            sentences=self._read(batch["task"]),
            done=as_float(self.codec.encode(batch[BEFORE + column], now)) if self.config.before else None,
            done_mask=torch.from_numpy(~batch[BEFORE_PAD]) if self.config.before else None,
            shown=shown_of(batch) if self.config.shown else None,
            course=as_float(batch["course"]) if "course" in batch else None,
        )
        targets = Targets(
            actions=as_float(self.codec.encode(batch[column], now)),
            real=torch.from_numpy(~batch[ACTION_PAD] & batch["meant"]),
            reasoning=self._read(batch["reason"]) if self.config.reasons else None,
            task=torch.from_numpy(batch["which"]),
            truth=self._truth_of(batch),
            question=self._asked(batch) if "asked" in batch else None,
            felt=self._moments(batch) if FELT + "state" in batch else None,
        )
        return inputs, targets


def _same(datasets: Sequence[Dataset], value: Callable[[Dataset], Any], what: str) -> Any:
    first, *others = [value(one) for one in datasets]
    for dataset, other in zip(datasets[1:], others, strict=True):
        if other != first:
            raise TrainError(f"{dataset.folder} and {datasets[0].folder} differ in the {what}; they cannot be mixed.")
    return first
