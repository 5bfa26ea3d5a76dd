"""What a model wants to see of data sets, the columns in which they have it, and the scales of what is in them.

BatchConfig --windows(data set)--> the loader's windows        data sets --codec_of--> Codec
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from volition.data.feature import ACTION, IMAGES, LOOK, STATE, TRUTH, TRUTH_CELLS, TRUTH_THINGS
from volition.data.statistics import Moments
from volition.data.store import Dataset
from volition.data.windows import WindowConfig
from volition.train.errors import TrainError
from volition.train.taught import main_action, names_of
from volition.transforms.codec import Codec, Frame, hands_of
from volition.transforms.scale import Kind, scale_of
from volition.types import ActionSpec


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


def _same(datasets: Sequence[Dataset], value: Callable[[Dataset], Any], what: str) -> Any:
    first, *others = [value(one) for one in datasets]
    for dataset, other in zip(datasets[1:], others, strict=True):
        if other != first:
            raise TrainError(f"{dataset.folder} and {datasets[0].folder} differ in the {what}; they cannot be mixed.")
    return first
