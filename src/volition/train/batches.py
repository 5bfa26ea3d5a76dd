"""Data sets as a model takes them: windows from the loader, through the codec, with words, as tensors.

Dataset -> Loader (windows, augmentation, a phrase) -> Batches.epoch -> (Inputs, Targets) -> trainer
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from volition.data.augment import Augmentation
from volition.data.feature import IMAGES, LOOK, STATE, TRUTH, TRUTH_THINGS
from volition.data.loader import Loader, LoaderConfig
from volition.data.share import WHOLE, Share
from volition.data.store import Dataset
from volition.data.windows import ACTION_PAD, BEFORE, BEFORE_PAD, HISTORY_PAD, Sample
from volition.model.inputs import Felt, Inputs, Question, Sentences, Targets, Truth, split_rows
from volition.robots.primitives import NAMES as PRIMITIVE_NAMES
from volition.sim.language.asks import ask
from volition.sim.scene import Goal, Scene, scene_from_json
from volition.sim.sight import MANY, ROLES
from volition.sim.stage import SIDES
from volition.train.batch_config import BatchConfig
from volition.train.knowledge import Knowledge
from volition.train.phrases import Phrases
from volition.train.reasons import reason
from volition.train.shown import Examples, shown_of, task_of
from volition.train.truths import Truths, as_float, things_of, told_of
from volition.transforms.codec import Codec

Read = Callable[[Sequence[str]], Sentences]
FELT = "felt."
SHOW = 0.8  # share of the windows that are shown demonstrations, where a model takes them


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
        self._encounters: dict[int, Scene] = {}
        self._windows = config.windows(dataset)
        self._truths = Truths(dataset, config.cameras)
        self._knows = Knowledge(dataset, config, self._truths, codec.states.names)
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

    def _change(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """In the loader's worker: other pictures, other words."""
        if self._augmentation is not None:
            sample = self._augmentation(sample, rng)
        episode, info = int(sample["episode"]), self.dataset.record(sample["episode"]).info
        step = int(sample[TRUTH][-1, self._knows.columns["step"]]) if self._knows.truth else 0
        phrases = self._phrases[bool(info.get(LOOK))]
        late = self.config.steps and self._knows.truth and self._knows.just_begun(episode, int(sample["frame"]), step)
        late = late and bool(rng.random() < 0.5)
        if self.config.steps and self._knows.truth:
            ways = phrases.step(episode, info, sample["task"], step - late)
        else:
            ways = phrases.whole(episode, info, sample["task"])
        said = ways[int(rng.integers(len(ways)))]
        words = {"task": said.text, "which": np.int64(self._task(episode, step - late))}
        if TRUTH_THINGS in self._windows.states:
            words |= {"meant_things": self._knows.things(episode, step - late, said.landmark), "other": np.bool_(False)}
            words["told"] = told_of(said.calls)
            words["are"] = self._knows.kinds(episode)
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
        if self.config.felt and self._knows.truth:
            words |= self._felt(episode, info, step, late, rng)
            words["course"] = self._knows.course(episode, step)[int(sample["frame"])]
        meant = self._knows.meant(episode, int(sample["frame"]), step, late)
        return {**sample, **words, "late": np.bool_(late), "meant": meant}

    def _felt(
        self, episode: int, info: Mapping[str, Any], step: int, late: bool, rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Other moments of the episode, told the same: what was felt, where things were, what was done. FELT + ..., R rows each"""
        column = self._windows.actions[0]
        numbers = self.dataset.numbers(episode, (STATE, TRUTH, column))
        truth, actions = numbers[TRUTH], numbers[column]
        frames = np.flatnonzero(truth[:, self._knows.columns["step"]] == step)
        frames = frames[rng.integers(len(frames), size=self.config.felt)]
        ahead = frames[:, None] + np.arange(self.config.chunk)
        places, present = self._knows.places(episode, step)
        return {
            FELT + "state": numbers[STATE][frames].astype(np.float64),
            FELT + "positions": places[frames],
            FELT + "present": present[frames],
            FELT + "actions": actions[np.minimum(ahead, len(actions) - 1)].astype(np.float64),
            FELT + "real": self._knows.meant_all(episode, step, late)[frames],
            FELT + "course": self._knows.course(episode, step)[frames],
        }

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

    def _questions(
        self, episode: int, info: Mapping[str, Any], step: int, rng: np.random.Generator
    ) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """Other goals of the scene, each once, as somebody would say them, the things that are meant, and how they are told."""
        others = self._phrases[bool(info.get(LOOK))].others(episode, info, step)
        chosen = [others[place] for place in rng.permutation(len(others))[: self.config.ask + 1].tolist()]
        return [
            (said.text, things_of(self._knows.scene(episode), goal, said.landmark), told_of(said.calls))
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

    def _task(self, episode: int, step: int) -> int:
        name = self._knows.skill(episode, step)
        return self._tasks.index(name) if name in self._tasks else -1

    def _reason(self, episode: int, info: Mapping[str, Any], step: int, sample: Sample) -> str:
        if not self._knows.truth or "scene" not in info:
            return ""
        values, names = sample[TRUTH][-1], self.codec.states.names
        thing, place = (np.array([values[self._knows.columns[f"{role}.{axis}"]] for axis in "xyz"]) for role in ROLES)
        hands = np.array([[sample[STATE][-1, names.index(f"{side}.{axis}")] for axis in "xyz"] for side in SIDES])
        finished = bool(values[self._knows.columns["finished"]] > 0.5)
        return reason(Goal(**info["goals"][step]), self._knows.scene(episode), thing, place, hands, finished)

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
        if self._knows.truth and self.config.cameras:
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
