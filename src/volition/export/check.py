"""The exported network against the original: the same observations, the largest difference in the robot's units.

observations of a data set, or drawn by a seed -> both engines -> Codec.decode -> Difference by unit
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from volition.body.memory import Memory
from volition.data.feature import IMAGES, STATE
from volition.data.store import Dataset
from volition.errors import ContractError
from volition.export.engines import NOISE, WORDS, Engine
from volition.export.flat import draws
from volition.export.policy import Speaker
from volition.export.torch_engines import EagerEngine
from volition.model.checkpoint import Checkpoint
from volition.model.policy import looks_of
from volition.robots.g1 import g1

TOLERANCE = 1e-4  # of a metre, a radian, ...: far below what motors do, far above what rounding does
_RUN = 5  # observations one after the other, so that histories are there
_SENTENCES = ("press the red button", "put the green can into the blue bowl, please", "wipe the table")
_SPREAD = 2.0  # of the standard deviations that states are drawn with


@dataclass(frozen=True, kw_only=True)
class Moment:
    """`first`: a run begins, and nothing is remembered."""

    sentence: str
    first: bool
    images: dict[str, np.ndarray]
    state: np.ndarray  # (S,) in units


@dataclass(frozen=True, kw_only=True)
class Difference:
    observations: int
    source: str
    by_unit: dict[str, float]  # the largest of all steps and dimensions
    finished: float | None

    @property
    def largest(self) -> float:
        return max([*self.by_unit.values(), self.finished or 0.0])


def moments(checkpoint: Checkpoint, data: Path | None, count: int, seed: int) -> Iterator[Moment]:
    """So many observations, in runs of a few."""
    random = np.random.default_rng(seed)
    yield from _drawn(checkpoint, count, random) if data is None else _recorded(checkpoint, data, count, random)


def _drawn(checkpoint: Checkpoint, count: int, random: np.random.Generator) -> Iterator[Moment]:
    shapes, scale = checkpoint.design.shapes, checkpoint.codec.states
    for index in range(count):
        # Cells of one colour: a network that sees noise sees the same everywhere.
        small = random.integers(0, 256, (len(shapes.cameras), 8, 8, 3), dtype=np.uint8)
        rows, columns = (np.arange(size) * 8 // size for size in shapes.picture)
        images = {name: small[i][rows][:, columns] for i, name in enumerate(shapes.cameras)}
        state = scale.inverse(random.uniform(-_SPREAD, _SPREAD, len(scale.names)))
        yield Moment(
            sentence=_SENTENCES[index // _RUN % len(_SENTENCES)], first=index % _RUN == 0, images=images, state=state
        )


def _recorded(checkpoint: Checkpoint, data: Path, count: int, random: np.random.Generator) -> Iterator[Moment]:
    cameras, wanted = checkpoint.design.shapes.cameras, checkpoint.codec.states.names
    with Dataset(data) as dataset:
        if dataset.feature(STATE).names != wanted:
            raise ContractError(f"{data} has other numbers of the robot's state than this policy was taught with.")
        done = 0
        while done < count:
            episode = int(random.integers(dataset.episodes))
            length = min(_RUN, count - done, dataset.record(episode).length)
            begin = int(random.integers(dataset.record(episode).length - length + 1))
            frames = range(begin, begin + length)
            pictures = {camera: dataset.images(episode, IMAGES + camera, frames) for camera in cameras}
            states, recorded = dataset.numbers(episode, [STATE])[STATE], dataset.episode(episode)
            for place, frame in enumerate(frames):
                images = {camera: pictures[camera][place] for camera in cameras}
                task = recorded.task(frame)
                yield Moment(sentence=task, first=place == 0, images=images, state=states[frame])
            done += length


def shown(
    checkpoint: Checkpoint, found: Iterator[Moment], seed: int
) -> Iterator[tuple[Moment, Memory, dict[str, np.ndarray]]]:
    """Each moment as a network is shown it, but for the words."""
    shapes, random = checkpoint.design.shapes, np.random.default_rng(seed)
    memory = Memory(g1(shapes.picture[0]), checkpoint.codec, looks_of(checkpoint), dt=checkpoint.design.dt)
    for moment in found:
        if moment.first:
            memory.reset()
        given = memory.remember(moment.images, moment.state)
        if draws(checkpoint.model):
            given[NOISE] = random.standard_normal((1, shapes.chunk, shapes.actions), dtype=np.float32)
        yield moment, memory, given


def difference(
    checkpoint: Checkpoint, engine: Engine, speaker: Speaker, data: Path | None, count: int, seed: int
) -> Difference:
    eager, spec = EagerEngine(checkpoint), checkpoint.codec.spec
    largest, finished, seen = np.zeros(len(spec.names)), None, 0
    for moment, memory, given in shown(checkpoint, moments(checkpoint, data, count, seed), seed):
        if moment.first:
            eager.tell(moment.sentence)
        values, sure, *found = eager.decide(given)
        other, other_sure, *_ = engine.decide({**given, WORDS: speaker.words(moment.sentence)})
        if values.shape != other.shape or (sure is None) != (other_sure is None):
            raise ContractError(f"The original gives {values.shape}, the exported one {other.shape}.")
        chunk = memory.chunk(0.0, values, sure, *found).values
        units = [
            checkpoint.codec.decode(one.astype(np.float64), moment.state.astype(np.float32)) for one in (values, other)
        ]
        if not np.isfinite(units[1]).all() or not np.allclose(units[0], chunk):
            raise ContractError("The exported network gives numbers that are not finite.")
        largest = np.maximum(largest, np.abs(units[0] - units[1]).max(axis=0))
        if sure is not None and other_sure is not None:
            finished = max(finished or 0.0, abs(sure - other_sure))
        seen += 1
    by_unit: dict[str, float] = {}
    for dimension, value in zip(spec.dimensions, largest, strict=True):
        unit = dimension.unit or "1"
        by_unit[unit] = max(by_unit.get(unit, 0.0), float(value))
    source = "drawn by the seed" if data is None else str(data)
    return Difference(observations=seen, source=source, by_unit=by_unit, finished=finished)
