"""Demonstrations to show to a policy: key frames of a few episodes of the same task, as tensors.

Dataset, task --Examples.pick--> arrays of one window, or Shown for a policy that runs
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch

from volition.data.feature import IMAGES, STATE
from volition.data.store import Dataset
from volition.model.inputs import Shown
from volition.train.errors import TrainError
from volition.transforms.codec import Codec

KEYS = ("shown.images", "shown.state", "shown.actions", "shown.mask")


def task_of(info: Mapping[str, Any], step: int = 0) -> str:
    """What two episodes have in common that are of one task: the skill, and for a movement which one."""
    goals = info.get("goals") or ()
    if step < len(goals):
        return f"{goals[step]['skill']} {goals[step].get('what', '')}".strip()
    return str(info.get("skill", ""))


class Examples:
    """Of the episodes of one data set that have a single goal. Their key frames are evenly spaced, first and last among them."""

    def __init__(
        self,
        dataset: Dataset,
        codec: Codec,
        column: str,
        camera: str,
        *,
        episodes: int,
        frames: int,
        among: Iterable[int] | None = None,
    ) -> None:
        self._dataset, self._codec, self._column, self._camera = dataset, codec, column, IMAGES + camera
        self._count, self._frames = episodes, frames
        self._by_task: dict[str, list[int]] = {}
        for episode in range(dataset.episodes) if among is None else among:
            info = dataset.record(episode).info
            if len(info.get("goals") or ()) <= 1:
                self._by_task.setdefault(task_of(info), []).append(episode)

    def pick(self, task: str, random: np.random.Generator, *, without: int = -1) -> dict[str, np.ndarray]:
        """Of other episodes of the task than `without`; where there are too few, the rest is absent."""
        known = [episode for episode in self._by_task.get(task, ()) if episode != without]
        count = min(self._count, len(known))
        chosen = [known[place] for place in random.permutation(len(known))[:count]]
        return self._arrays(chosen)

    def nothing(self) -> dict[str, np.ndarray]:
        return self._arrays([])

    def shown(self, task: str, random: np.random.Generator) -> Shown:
        """For one run of a policy."""
        if task not in self._by_task:
            raise TrainError(
                f"{self._dataset.folder} has no episode of {task}; it has {', '.join(sorted(self._by_task))}."
            )
        return shown_of({key: value[None] for key, value in self.pick(task, random).items()})

    def _arrays(self, episodes: list[int]) -> dict[str, np.ndarray]:
        shape = self._dataset.feature(self._camera).shape
        lead = (self._count, self._frames)
        images = np.zeros((*lead, *shape), dtype=np.uint8)
        state = np.zeros((*lead, len(self._codec.states.names)), dtype=np.float32)
        actions = np.zeros((*lead, len(self._codec.spec.names)), dtype=np.float32)
        for place, episode in enumerate(episodes):
            length = self._dataset.record(episode).length
            frames = np.linspace(0, length - 1, self._frames).round().astype(int)
            numbers = self._dataset.numbers(episode, (STATE, self._column))
            felt = numbers[STATE][frames].astype(np.float64)
            images[place] = self._dataset.images(episode, self._camera, frames.tolist())
            state[place] = self._codec.state(felt)
            actions[place] = self._codec.encode(numbers[self._column][frames].astype(np.float64)[:, None], felt)[:, 0]
        mask = np.arange(self._count) < len(episodes)
        return dict(zip(KEYS, (images, state, actions, mask), strict=True))


def shown_of(batch: Mapping[str, np.ndarray]) -> Shown:
    images, state, actions, mask = (torch.from_numpy(batch[key]) for key in KEYS)
    return Shown(images=images, state=state, actions=actions, mask=mask)
