"""Batches of windows for training, fast and in bounded memory: every window once an epoch, in random order.

    Dataset -> segments in random order -> block (decoded, in memory) -> shuffled windows -> augment -> batch

Decoding a video at random costs a seek a frame. So an epoch is cut into short segments (32 frames) of all episodes;
as many random segments as fit in half the memory are decoded in one run each, their windows are mixed and handed out
while the next block is being decoded. A batch so draws from hundreds of segments, and a frame is decoded once.
Workers are threads: decoding and numpy let go of the interpreter. What comes out depends on the seed alone, not on
their number. Batches are numpy; whoever trains turns them into tensors.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from volition.data.errors import DataError
from volition.data.share import WHOLE, Share
from volition.data.store import Dataset
from volition.data.windows import Sample, Stretch, WindowConfig, cut, read_stretch

Augment = Callable[[Sample, np.random.Generator], Sample]
_PREFETCH = 3  # batches that are ready before they are asked for
_FIRST = 256 << 20  # bytes of a block where all is kept: the first batch does not wait until all is decoded


@dataclass(frozen=True, kw_only=True)
class LoaderConfig:
    """`memory_bytes` bounds the decoded pictures held at any time; more of it mixes more segments, and a data set that fits
    into half of it is decoded once."""

    batch: int = 64
    seed: int = 0
    shuffle: bool = True
    drop_last: bool = True
    workers: int = 2
    memory_bytes: int = 512 << 20
    segment: int = 32  # frames

    def __post_init__(self) -> None:
        limits = {"batch": 65536, "workers": 256, "memory_bytes": 1 << 50, "segment": 1 << 20}
        for name, most in limits.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value <= most:
                raise DataError(f"LoaderConfig.{name} is {value!r}; it must be 1 to {most}.")


@dataclass(frozen=True)
class _Segment:
    episode: int
    begin: int
    end: int
    copy: int = 0


_Window = tuple[Stretch, int, int]  # its episode's stretch, its frame, and which of its copies in the epoch it is


class Loader:
    """`epoch(n)` iterates over the batches of epoch n. `augment` gets each sample and its own random generator.

    `often`: how often an episode's windows come, relative to the others': the least often come once an epoch, the others
    several times, differently augmented.
    """

    def __init__(
        self,
        dataset: Dataset,
        windows: WindowConfig,
        config: LoaderConfig | None = None,
        *,
        episodes: Sequence[int] | None = None,
        augment: Augment | None = None,
        often: Mapping[int, float] | None = None,
    ) -> None:
        self.dataset, self.windows, self.config = dataset, windows, config or LoaderConfig()
        self.cameras = windows.cameras_of(dataset)
        self._augment = augment
        chosen = range(dataset.episodes) if episodes is None else episodes
        self._segments = self._cut(chosen, often or {})
        self.samples = sum(segment.end - segment.begin for segment in self._segments)
        if len(self) == 0:
            raise DataError(f"{dataset.folder}: {self.samples} windows do not make one batch of {self.config.batch}.")
        self._kept: dict[_Segment, Stretch] = {}
        self._frame_bytes = sum(int(np.prod(dataset.feature(camera).shape)) for camera in self.cameras)
        self._budget = (self.config.memory_bytes - (_PREFETCH + 1) * self._batch_bytes()) // 2
        once = {(segment.episode, segment.begin): segment for segment in self._segments}  # copies share what is decoded
        self._keeps = sum(map(self._bytes, once.values())) <= self._budget
        if self._budget < self._bytes(self._segments[0]):
            raise DataError(
                f"LoaderConfig.memory_bytes is {self.config.memory_bytes}; two segments and {_PREFETCH + 1} batches "
                f"need {2 * self._bytes(self._segments[0]) + (_PREFETCH + 1) * self._batch_bytes()}."
            )

    def _cut(self, episodes: Iterable[int], often: Mapping[int, float]) -> list[_Segment]:
        """Segments of the episodes, with their copies: as many over all as `often` asks, to within one."""
        step, found, owed = self.config.segment, [], 0.0
        least = min(often.values(), default=1.0)
        if not all(np.isfinite(value) and value > 0 for value in often.values()):
            raise DataError("How often an episode comes must be a positive number; leave the episode out instead.")
        for episode in episodes:
            length = self.dataset.record(episode).length
            for begin in range(0, length, step):
                owed += often.get(episode, least) / least
                copies = max(int(owed + 1e-9), 1)
                owed -= copies
                end = min(begin + step, length)
                found += [_Segment(episode, begin, end, copy) for copy in range(copies)]
        return found

    def __len__(self) -> int:
        """Batches an epoch."""
        full, rest = divmod(self.samples, self.config.batch)
        return full + (1 if rest and not self.config.drop_last else 0)

    def epoch(self, number: int = 0, *, skip: int = 0, share: Share = WHOLE) -> Iterator[Sample]:
        """The batches of an epoch, after the first `skip`, which are not decoded: for a training that goes on. Of each
        batch only the `share` is made."""
        workers = self.config.workers
        with ThreadPoolExecutor(workers, "decode") as decoders, ThreadPoolExecutor(workers, "batch") as makers:
            waiting: deque[Future[Sample]] = deque()
            try:
                for place, rows in enumerate(self._batches(number, skip, decoders), skip):
                    own = share.among(place * self.config.batch, len(rows))
                    if not own:
                        raise DataError(
                            f"A batch has {len(rows)} rows for {share.of} processes; each needs at least one."
                        )
                    waiting.append(makers.submit(self._make, [rows[one] for one in own], number))
                    del rows  # or this batch's segments would stay in memory while the next ones are awaited
                    if len(waiting) > _PREFETCH:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:  # also when nobody wants the rest
                for future in waiting:
                    future.cancel()
                decoders.shutdown(wait=False, cancel_futures=True)

    def _batches(self, number: int, skip: int, decoders: ThreadPoolExecutor) -> Iterator[list[_Window]]:
        """The windows of each batch; reads one block ahead."""
        size, rows, left = self.config.batch, [], skip * self.config.batch
        blocks = self._blocks(number)
        while blocks and left >= (count := sum(one.end - one.begin for one in blocks[0])):
            left -= count
            blocks.popleft()
        ahead = self._decode(blocks.popleft(), decoders) if blocks else []
        first = True
        while ahead:
            stretches = [future.result() for future in ahead]
            ahead = self._decode(blocks.popleft(), decoders) if blocks else []
            for window in self._order(stretches, number)[left if first else 0 :]:
                rows.append(window)
                if len(rows) == size:
                    yield rows
                    rows = []
            first = False
            del stretches
        if rows and not self.config.drop_last:
            yield rows

    def _blocks(self, number: int) -> deque[list[_Segment]]:
        order = np.arange(len(self._segments))
        if self.config.shuffle:
            order = np.random.default_rng([self.config.seed, number]).permutation(order)
        blocks: deque[list[_Segment]] = deque()
        room = 0
        for place in order:
            segment = self._segments[place]
            if not blocks or self._bytes(segment) > room:
                blocks.append([])
                room = min(self._budget, _FIRST) if self._keeps else self._budget
            blocks[-1].append(segment)
            room -= self._bytes(segment)
        return blocks

    def _decode(
        self, block: Sequence[_Segment], decoders: ThreadPoolExecutor
    ) -> list[Future[tuple[_Segment, Stretch]]]:
        """In the order of the files, where reading on costs less than a seek; what comes out is in the block's own order."""
        places = sorted(range(len(block)), key=lambda place: (block[place].episode, block[place].begin))
        reading = {place: decoders.submit(self._read, block[place]) for place in places}
        return [reading[place] for place in range(len(block))]

    def _read(self, segment: _Segment) -> tuple[_Segment, Stretch]:
        first = replace(segment, copy=0)
        if first in self._kept:
            return segment, self._kept[first]
        stretch = read_stretch(self.dataset, self.windows, segment.episode, segment.begin, segment.end)
        if self._keeps:
            self._kept[first] = stretch
        return segment, stretch

    def _order(self, block: Sequence[tuple[_Segment, Stretch]], number: int) -> list[_Window]:
        windows = [
            (stretch, frame, segment.copy) for segment, stretch in block for frame in range(segment.begin, segment.end)
        ]
        if not self.config.shuffle:
            return windows
        first = block[0][1]
        rng = np.random.default_rng([self.config.seed, number, 1, first.begin + first.first])
        return [windows[place] for place in rng.permutation(len(windows))]

    def _make(self, rows: list[_Window], number: int) -> Sample:
        samples = []
        for stretch, frame, copy in rows:
            sample = cut(stretch, self.windows, frame)
            if self._augment is not None:
                rng = np.random.default_rng([self.config.seed, number, 2, stretch.begin + frame, copy])
                sample = self._augment(sample, rng)
            samples.append(sample)
        return collate(samples)

    def _bytes(self, segment: _Segment) -> int:
        return (segment.end - segment.begin + self.windows.reach) * self._frame_bytes

    def _batch_bytes(self) -> int:
        return 2 * self.config.batch * self.windows.history * self._frame_bytes  # samples, then stacked


def collate(samples: Sequence[Sample]) -> Sample:
    """Samples to a batch: arrays are stacked, numbers become arrays, texts a list."""
    batch: Sample = {}
    for name, first in samples[0].items():
        values = [sample[name] for sample in samples]
        batch[name] = values if isinstance(first, str) else np.stack(values)
    return batch
