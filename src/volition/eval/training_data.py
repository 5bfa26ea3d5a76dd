"""What a lesson has of each data set: which episodes, which are held out, their windows and sentences.

Dataset, TrainCommand -> Split -> batches_of -> Batches, or a Mixture of several data sets
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from volition.body.proprioception import SPEEDS
from volition.data.augment import Augmentation
from volition.data.loader import LoaderConfig
from volition.data.store import Dataset
from volition.model.inputs import Sentences
from volition.model.vla import VLA
from volition.sim.scene import scene_from_json
from volition.train.batch_config import BatchConfig
from volition.train.batches import Batches
from volition.train.command import TrainCommand
from volition.train.errors import TrainError
from volition.train.mixture import Mixture, MixtureConfig
from volition.train.phrases import Phrases
from volition.train.reasons import examples
from volition.transforms.codec import Codec


@dataclass(frozen=True, kw_only=True)
class Split:
    """Episodes by skill, for training and held out."""

    skills: dict[str, list[int]]
    held_out: list[int]

    @property
    def train(self) -> list[int]:
        return sorted(episode for episodes in self.skills.values() for episode in episodes)


def split(dataset: Dataset, command: TrainCommand) -> Split:
    """The same episodes are held out whenever it is asked, and whatever is added to the data set later."""
    asked = None if command.skills == "all" else {name.strip() for name in command.skills.split(",")}
    found: dict[str, list[int]] = {}
    held: list[int] = []
    for episode in range(dataset.episodes):
        skill = str(dataset.record(episode).info.get("skill", ""))
        if asked is not None and skill not in asked:
            continue
        if np.random.default_rng([command.train.seed, episode]).random() < command.held_out:
            held.append(episode)
        else:
            found.setdefault(skill, []).append(episode)
    if asked is not None and asked - found.keys():
        known = sorted({str(dataset.record(one).info.get("skill", "")) for one in range(dataset.episodes)})
        raise TrainError(
            f"{dataset.folder} has no episodes of {', '.join(sorted(asked - found.keys()))}; it has {', '.join(known)}."
        )
    return Split(skills=found, held_out=held)


def batches_of(
    datasets: Sequence[Dataset],
    splits: Sequence[Split],
    command: TrainCommand,
    view: BatchConfig,
    codec: Codec,
    model: VLA,
    tasks: Sequence[str],
    which: str,
) -> Mixture | Batches | None:
    """Windows of all data sets, skills as often as each other where that is asked for."""
    sets: dict[str, Batches] = {}
    weights: dict[str, float] = {}
    for place, (dataset, part) in enumerate(zip(datasets, splits, strict=True)):
        training = which == "train"
        episodes = part.train if training else part.held_out
        frames = sum(dataset.record(episode).length for episode in episodes)
        if not frames:
            continue
        many, name = len(datasets), f"{place}:{dataset.folder.name}"
        loader = LoaderConfig(
            batch=min(command.batch if many == 1 else max(command.batch // many, 4), frames),
            seed=command.train.seed,
            workers=command.loaders or max(1, (os.cpu_count() or 1) // 4),
            memory_bytes=max(command.memory_mb // many, 16) << 20,
        )
        sets[name] = Batches(
            dataset, view, codec, _unread if model.lesson == "eyes" else model.read, loader, episodes=episodes, tasks=tasks,
            augmentation=_augmentation(command, codec.states.names) if training else None,
            often=_often(dataset, part) if training and command.balance else None,
        )  # fmt: skip
        weights[name] = command.weights[place] if command.weights else frames
    if len(sets) < 2:
        return next(iter(sets.values()), None)
    return Mixture(sets, weights, MixtureConfig(batch=command.batch, seed=command.train.seed))


def _unread(sentences: Sequence[str]) -> Sentences:
    """For lessons without words: what a frozen encoder makes of a sentence costs as much as a picture."""
    none = torch.zeros(len(sentences), 1, dtype=torch.long)
    return Sentences(ids=none, mask=torch.ones_like(none, dtype=torch.bool))


def _augmentation(command: TrainCommand, state: Sequence[str]) -> Augmentation | None:
    speeds = tuple(place for place, name in enumerate(state) if name in SPEEDS)
    still = command.still if speeds else 0.0
    if not (command.shift or command.colour or still):
        return None
    return Augmentation(shift=command.shift, colour=command.colour, still=still, speeds=speeds)


def _often(dataset: Dataset, part: Split) -> dict[int, float]:
    """So that each skill has as many windows, however many and long its episodes are."""
    found: dict[int, float] = {}
    for episodes in part.skills.values():
        frames = sum(dataset.record(episode).length for episode in episodes)
        found |= dict.fromkeys(episodes, 1.0 / frames)
    return found


def sentences_of(datasets: Sequence[Dataset], splits: Sequence[Split], view: BatchConfig) -> list[str]:
    """All that training will hear said, for a tokenizer."""
    phrases, found = Phrases(view.phrases), []
    for dataset, part in zip(datasets, splits, strict=True):
        for episode in part.train:
            record = dataset.record(episode)
            for task in record.tasks:
                found += [said.text for said in phrases.whole(episode, record.info, task)]
            if view.reasons and "scene" in record.info:
                known = scene_from_json(record.info["scene"])
                found += [text for goal in known.goals for text in examples(goal, known)]
    return found
