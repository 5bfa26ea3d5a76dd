"""Faults in an episode's pictures: what cannot be decoded, and cameras that stand still while the robot moves.

Decodes every picture once, in runs, and keeps none.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from volition.data.errors import DataError
from volition.data.lint_finding import Finding
from volition.data.store import Dataset

FROZEN_SECONDS = 1.0
FROZEN_FRAMES = 8  # at least, whatever the rate
SAME = 7.0  # levels of 255: the mean of a block may differ so much by coding alone (5.6 seen at quality 20)
MOVED = 0.1  # of the range in the data set: what a state must move meanwhile
_BLOCK = 8  # pixels a side
_RUN = 64  # frames decoded at once


def check_pictures(dataset: Dataset, episode: int, camera: str, travel: np.ndarray | None) -> Iterator[Finding]:
    """`travel` (T, D) are the states as shares of their ranges, None if there are none."""
    length = dataset.record(episode).length
    longest, begin = (0, 0), 0  # frames of the longest frozen run, its first one
    first: np.ndarray | None = None
    for start in range(0, length, _RUN):
        frames = range(start, min(start + _RUN, length))
        try:
            pictures = dataset.images(episode, camera, frames, keep=False)
        except DataError as error:
            at, said = _first_broken(dataset, episode, camera, frames, error)
            yield Finding(kind="unreadable", episode=episode, frame=at, where=camera, what=str(said).rstrip("."))
            return
        for frame, picture in zip(frames, pictures, strict=True):
            now = _blocks(picture)
            if first is None or np.abs(now - first).max() > SAME:
                first, begin = now, frame
            run = frame - begin + 1
            if run > longest[0] and _moves(travel, begin, frame):
                longest = (run, begin)
    if longest[0] >= max(FROZEN_FRAMES, FROZEN_SECONDS * dataset.fps):
        what = f"the same picture for {longest[0]} frames while the robot moves"
        yield Finding(kind="frozen", episode=episode, frame=longest[1], where=camera, what=what)


def _moves(travel: np.ndarray | None, begin: int, end: int) -> bool:
    return travel is not None and bool(np.abs(travel[end] - travel[begin]).max(initial=0.0) > MOVED)


def _blocks(picture: np.ndarray) -> np.ndarray:
    """Means of 8 x 8 blocks (a last, narrower one is left out): what coding changes little and motion much."""
    height, width = (max(1, size // _BLOCK) for size in picture.shape[:2])
    side = tuple(min(_BLOCK, size) for size in picture.shape[:2])
    cut = picture[: height * side[0], : width * side[1]].reshape(height, side[0], width, side[1], 3)
    return cut.mean(axis=(1, 3), dtype=np.float32)


def _first_broken(
    dataset: Dataset, episode: int, camera: str, frames: range, error: DataError
) -> tuple[int, DataError]:
    for frame in frames:
        try:
            dataset.images(episode, camera, [frame], keep=False)
        except DataError as found:
            return frame, found
    return frames[0], error
