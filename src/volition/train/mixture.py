"""Several data sets as one, by weight: each batch has rows of all of them. Between `batches.py` and `trainer.py`.

    {name: (Batches, weight)} -> rows of smaller batches -> Mixture.epoch -> mixed batches

A batch of 64 from weights .7, .2, .1 has 44 or 45, 12 or 13, and 6 or 7 rows of them: each set gets the whole number
below or above its share, and over the batches its share exactly. Which, is a function of the seed and the number of the
batch (systematic sampling: 64 evenly spaced marks on a line that is cut by the weights, shifted for each batch), so
that any batch can be skipped to. Each set goes round its own epochs at its own pace.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from volition.data.share import WHOLE, Share
from volition.model.inputs import Sentences, rows
from volition.train.contracts import Batch, Batches
from volition.train.errors import TrainError

Thing = TypeVar("Thing")
_GOLDEN = (math.sqrt(5) - 1) / 2  # its multiples fall evenly between 0 and 1
_UNKNOWN = {"task": -1}  # fields that a set may not have, and what says so


@dataclass(frozen=True, kw_only=True)
class MixtureConfig:
    """`batches` an epoch of the mixture has; 0: as many as the rows of all sets make."""

    batch: int = 64
    batches: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("batch", 1), ("batches", 0), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise TrainError(f"MixtureConfig.{name} is {value!r}; it must be a whole number of at least {least}.")


class Mixture:
    """Is itself `Batches`. Batches of one set must all have the same number of rows (drop the last one)."""

    def __init__(
        self, sets: Mapping[str, Batches], weights: Mapping[str, float], config: MixtureConfig | None = None
    ) -> None:
        self.sets, self.config = dict(sets), config or MixtureConfig()
        if not sets or set(sets) != set(weights):
            raise TrainError(f"The sets are {', '.join(sets) or 'none'}, the weights of {', '.join(weights) or 'none'}; they must be the same names.")  # fmt: skip
        for name, weight in weights.items():
            if not (math.isfinite(weight) and weight > 0):
                raise TrainError(f"The weight of {name} is {weight!r}; it must be positive. Leave the set out instead.")
            if len(sets[name]) == 0:
                raise TrainError(f"The set {name} has no batches.")
        whole = math.fsum(weights.values())
        self.shares = {name: weights[name] / whole for name in sets}
        self._edges = np.append(0.0, np.cumsum(list(self.shares.values())))
        self._edges[-1] = 1.0
        self._sizes: dict[str, int] = {}
        self._begin = float(np.random.default_rng([config.seed if config else 0, 0x4D4958]).random())

    def __len__(self) -> int:
        if self.config.batches:
            return self.config.batches
        total = sum(self._size(name) * len(one) for name, one in self.sets.items())
        return max(1, total // self.config.batch)

    def counts(self, first: int, last: int) -> np.ndarray:
        """Rows of each set in the batches `first` up to before `last`, counted over all epochs: (batches, sets)."""
        shift = (self._begin + np.arange(first, last, dtype=np.float64) * _GOLDEN) % 1.0
        marks = np.ceil(self.config.batch * self._edges - shift[:, None])  # marks before each cut
        marks[:, 0], marks[:, -1] = 0, self.config.batch
        return np.diff(marks, axis=1).astype(np.int64)

    def epoch(self, number: int, *, skip: int = 0, share: Share = WHOLE) -> Iterator[Batch]:
        first = number * len(self) + skip
        behind = np.zeros(len(self.sets), dtype=np.int64)
        for block in range(0, first, 1 << 16):
            behind += self.counts(block, min(first, block + (1 << 16))).sum(axis=0)
        streams = [_Rows(name, one, self._size(name), int(behind[place]), share)
                   for place, (name, one) in enumerate(self.sets.items())]  # fmt: skip
        for batch in range(first, (number + 1) * len(self)):
            wanted = self.counts(batch, batch + 1)[0]
            parts = [part for stream, count in zip(streams, wanted, strict=True) for part in stream.take(int(count))]
            if not parts:
                raise TrainError(
                    f"A batch has {self.config.batch} rows for {share.of} processes; each needs at least one."
                )
            yield concatenate(parts)

    def _size(self, name: str) -> int:
        """Rows of a batch of one set: looked at once."""
        if name not in self._sizes:
            inputs, _ = next(iter(self.sets[name].epoch(0)))
            self._sizes[name] = inputs.size
        return self._sizes[name]


class _Rows:
    """One set as an endless row of rows, from `behind` on, of which only the `share` is made; its batches are of `size`."""

    def __init__(self, name: str, data: Batches, size: int, behind: int, share: Share) -> None:
        self._name, self._size, self._share = name, size, share
        self._place, self._used = divmod(behind, size)  # of the next batch, counted over epochs; rows taken of it
        self._length = len(data)
        self._batches = self._endless(data)
        self._batch: Batch | None = None

    def take(self, count: int) -> Iterator[Batch]:
        """Its share of the next rows, in pieces of the set's own batches."""
        while count:
            if self._batch is None:
                self._batch = self._next()
            inputs, targets = self._batch
            end = min(self._used + count, self._size)
            piece = slice(len(self._own(self._used)), len(self._own(end)))
            if piece.stop > piece.start:
                yield rows(inputs, piece), rows(targets, piece)
            count -= end - self._used
            self._used = end
            if self._used == self._size:
                self._batch, self._used, self._place = None, 0, self._place + 1

    def _own(self, count: int) -> range:
        """Which of the present batch's first `count` rows are made here."""
        return self._share.among(self._place % self._length * self._size, count)

    def _next(self) -> Batch:
        batch = next(self._batches)
        wanted = len(self._own(self._size))
        if batch[0].size != wanted:
            raise TrainError(f"The set {self._name} has batches of {wanted} and of {batch[0].size} rows; let it drop the last one.")  # fmt: skip
        return batch

    def _endless(self, data: Batches) -> Iterator[Batch]:
        epoch, skip = divmod(self._place, self._length)
        while True:
            yield from data.epoch(epoch, skip=skip, share=self._share)
            epoch, skip = epoch + 1, 0


def concatenate(parts: Sequence[Thing]) -> Thing:
    """Rows of several batches one below the other. Sentences are padded to the longest."""
    with torch.autocast("cpu", enabled=False):  # under which rows of float16 (features) cannot be put together
        return _join(parts, "batch")


def _join(parts: Sequence[Any], name: str) -> Any:
    first = parts[0]
    if all(part is None for part in parts):
        return None
    if any(part is None for part in parts):
        raise TrainError(
            f"Some sets have {name}, others do not: they cannot share a batch. Leave it out of all of them."
        )
    if isinstance(first, Sentences):
        return _pad(parts)
    if isinstance(first, Tensor):
        shapes = sorted({tuple(part.shape[1:]) for part in parts})
        if len(shapes) > 1:
            raise TrainError(
                f"{name} has rows of the shapes {' and '.join(map(str, shapes))}; sets of a mixture must agree."
            )
        return torch.cat(list(parts))
    if isinstance(first, tuple):
        return tuple(_join(column, name) for column in zip(*parts, strict=True))
    if isinstance(first, Mapping):
        if len({frozenset(part) for part in parts}) > 1:
            raise TrainError(f"{name} are {' and '.join(sorted({', '.join(sorted(part)) for part in parts}))}; sets of a mixture must agree.")  # fmt: skip
        return {key: _join([part[key] for part in parts], f"{name}[{key!r}]") for key in first}
    if is_dataclass(first) and not isinstance(first, type):
        return type(first)(**{one.name: _join(_known(parts, one.name), one.name) for one in fields(first)})
    raise TrainError(f"{name} is a {type(first).__name__}, which a mixture cannot put together.")


def _known(parts: Sequence[Any], field: str) -> list[Any]:
    """The values of a field; where some sets have none and a number says so, that number in each row."""
    values = [getattr(part, field) for part in parts]
    if field in ("question", "felt", "scenery") and any(value is None for value in values):
        return [None] * len(values)  # where some sets cannot ask, nobody is asked
    if field not in _UNKNOWN or all(value is None for value in values):
        return values
    sizes = [part.actions.shape[0] if hasattr(part, "actions") else part.size for part in parts]
    like = next(value for value in values if value is not None)
    return [like.new_full((size,), _UNKNOWN[field]) if value is None else value for value, size in zip(values, sizes, strict=True)]  # fmt: skip


def _pad(parts: Sequence[Sentences]) -> Sentences:
    length = max(part.ids.shape[-1] for part in parts)
    short = [length - part.ids.shape[-1] for part in parts]
    embedded = [part.embedded for part in parts]
    if any(one is None for one in embedded) and any(one is not None for one in embedded):
        raise TrainError(
            "Some sets have embedded sentences, others do not; read them all with the same language encoder."
        )
    return Sentences(
        ids=torch.cat([F.pad(part.ids, (0, less)) for part, less in zip(parts, short, strict=True)]),
        mask=torch.cat([F.pad(part.mask, (0, less)) for part, less in zip(parts, short, strict=True)]),
        embedded=None
        if embedded[0] is None
        else torch.cat(
            [F.pad(one, (0, 0, 0, less)) for one, less in zip(embedded, short, strict=True) if one is not None]
        ),
    )
