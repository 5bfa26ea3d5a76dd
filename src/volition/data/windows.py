"""Training samples cut from episodes: what was seen up to a frame, and the actions from there on.

    Dataset, WindowConfig -> Windows[i] -> {camera: (T, H, W, 3), state: (T, S), action: (K, A), masks, task, ...}

A window at frame t has the pictures and states of t - (T-1) * step ... t and the actions t ... t + K - 1 (the action
recorded with a frame is what was done from that frame on). Outside the episode the first or last frame is repeated
and `history_pad` / `action_pad` is True. With `before`, the actions t - before ... t - 1 come as `before.<action>`,
oldest first, with `before_pad`. Any window at any time; `loader.py` is the fast way through all of them.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from volition.data.errors import DataError
from volition.data.feature import ACTION, STATE
from volition.data.store import Dataset

Sample = dict[str, Any]
HISTORY_PAD, ACTION_PAD, BEFORE_PAD = "history_pad", "action_pad", "before_pad"
BEFORE = "before."


@dataclass(frozen=True, kw_only=True)
class WindowConfig:
    """Which columns and how many steps. `history` observation steps, `history_step` frames apart; `chunk` actions, and
    `before` actions that were done before."""

    cameras: tuple[str, ...] | None = None  # image features; None: all
    states: tuple[str, ...] = (STATE,)
    actions: tuple[str, ...] = (ACTION,)
    history: int = 1
    history_step: int = 1
    chunk: int = 16
    before: int = 0

    def __post_init__(self) -> None:
        for name, least, most in (
            ("history", 1, 1000),
            ("history_step", 1, 1000),
            ("chunk", 1, 10_000),
            ("before", 0, 1000),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or not least <= value <= most:
                raise DataError(f"WindowConfig.{name} is {value!r}; it must be {least} to {most}.")

    @property
    def reach(self) -> int:
        """Frames of pictures a window looks back."""
        return (self.history - 1) * self.history_step

    @property
    def memory(self) -> int:
        """Frames of numbers a window looks back."""
        return max(self.reach, self.before)

    def cameras_of(self, dataset: Dataset) -> tuple[str, ...]:
        """The cameras, checked to be there along with the other columns."""
        cameras = tuple(dataset.metadata.stored) if self.cameras is None else self.cameras
        for name, image in (*((c, True) for c in cameras), *((n, False) for n in (*self.states, *self.actions))):
            if (dataset.feature(name).kind == "image") != image:
                raise DataError(f"WindowConfig: {name} is {'not a' if image else 'a'} camera.")
            if dataset.feature(name).kind == "text":
                raise DataError(f"WindowConfig: {name} is a text; states and actions are numbers.")
        return cameras


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Consecutive frames of one episode, decoded: `pictures` from frame `first` on, `numbers` of the whole episode."""

    episode: int
    begin: int  # index in the data set of the episode's first frame
    length: int  # of the episode
    first: int
    pictures: Mapping[str, np.ndarray]
    numbers: Mapping[str, np.ndarray]
    first_number: int  # the frame that numbers[name][0] is of
    tasks: tuple[str, ...]
    which: np.ndarray  # (length,) task at each frame


def read_stretch(dataset: Dataset, config: WindowConfig, episode: int, begin: int, end: int) -> Stretch:
    """What the windows at frames begin..end-1 need, decoded in one pass and not kept in the data set's cache."""
    record, cameras = dataset.record(episode), config.cameras_of(dataset)
    first, remembered = max(0, begin - config.reach), max(0, begin - config.memory)
    arrays = dataset.numbers(episode, (*config.states, *config.actions), reserved=True)
    tasks, which = dataset.tasks_of(episode, arrays)
    stop = min(record.length, end + config.chunk - 1)
    return Stretch(
        episode=episode,
        begin=record.begin,
        length=record.length,
        first=first,
        pictures={name: dataset.images(episode, name, range(first, end), keep=False) for name in cameras},
        numbers={
            n: _numbers(dataset, episode, n, arrays[n][remembered:stop]) for n in (*config.states, *config.actions)
        },
        first_number=remembered,
        tasks=tasks,
        which=which,
    )


def cut(stretch: Stretch, config: WindowConfig, frame: int) -> Sample:
    """The window at one frame; all arrays are its own."""
    past = frame - np.arange(config.history - 1, -1, -1) * config.history_step
    future = frame + np.arange(config.chunk)
    seen, done = np.maximum(past, 0), np.minimum(future, stretch.length - 1)
    sample: Sample = {name: pictures[seen - stretch.first] for name, pictures in stretch.pictures.items()}
    for name in config.states:
        sample[name] = stretch.numbers[name][seen - stretch.first_number]
    for name in config.actions:
        sample[name] = stretch.numbers[name][done - stretch.first_number]
    sample[HISTORY_PAD], sample[ACTION_PAD] = past < 0, future >= stretch.length
    if config.before:
        earlier = frame - np.arange(config.before, 0, -1)
        for name in config.actions:
            sample[BEFORE + name] = stretch.numbers[name][np.maximum(earlier, 0) - stretch.first_number]
        sample[BEFORE_PAD] = earlier < 0
    sample["task"] = stretch.tasks[int(stretch.which[frame])]
    sample["episode"], sample["frame"] = stretch.episode, frame
    return sample


class Windows:
    """Random access: `windows[i]` is the window at the i-th frame of the chosen episodes."""

    def __init__(self, dataset: Dataset, config: WindowConfig, episodes: Sequence[int] | None = None) -> None:
        self.dataset, self.config = dataset, config
        self.cameras = config.cameras_of(dataset)
        self.episodes = tuple(range(dataset.episodes)) if episodes is None else tuple(episodes)
        self._ends = np.cumsum([dataset.record(episode).length for episode in self.episodes]).tolist()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> Sample:
        if not 0 <= index < len(self):
            raise IndexError(f"window {index} of {len(self)}")  # what ends a for loop over a sequence
        place = bisect.bisect_right(self._ends, index)
        episode = self.episodes[place]
        frame = index - (self._ends[place - 1] if place else 0)
        dataset, config = self.dataset, self.config
        past = np.maximum(frame - np.arange(config.history - 1, -1, -1) * config.history_step, 0)
        bare = WindowConfig(
            cameras=(), states=config.states, actions=config.actions, history=config.history,
            history_step=config.history_step, chunk=config.chunk, before=config.before,
        )  # fmt: skip
        sample = cut(read_stretch(dataset, bare, episode, frame, frame + 1), bare, frame)
        return {name: dataset.images(episode, name, past.tolist()) for name in self.cameras} | sample


def _numbers(dataset: Dataset, episode: int, name: str, values: np.ndarray) -> np.ndarray:
    """As float32, or whole numbers as they are. NaN would spread from one batch through all weights: refused here."""
    if values.dtype.kind != "f":
        return values.copy()
    if not np.isfinite(values).all():
        raise DataError(
            f"{dataset.folder}, episode {episode}: {name} is not finite; leave the episode out or repair it."
        )
    return values.astype(np.float32)
