"""Mean, spread, range and quantiles of every number of a data set, in one pass and bounded memory.

    frames of an episode -> Moments / PictureMoments -> one episode's statistics -> merged -> meta/stats.json

Names and shapes are those of `lerobot`: count (1,); min, max, mean, std, q01, q10, q50, q90, q99 with the
feature's last axis (the others are pooled), for pictures (3, 1, 1) in 0..1. Quantiles of numbers are those of all frames together (rank error
about 0.1 %); `lerobot` averages the episodes' quantiles, which is something else when episodes differ. Only for
pictures, whose quantiles nothing depends on, the average is taken here too.
`check_statistics` and `check_spread` are for whoever normalises: they refuse what would divide by nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from volition.data.atomic import read_json, write_json
from volition.data.errors import DataError
from volition.data.feature import Feature

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
KEYS = ("min", "max", "mean", "std", "count", *QUANTILES)
_KEPT = 4096  # points a sketch keeps for each number

Statistics = dict[str, dict[str, np.ndarray]]  # feature -> statistic -> array


class Moments:
    """Running statistics of (T, *shape) blocks of one feature, for each number of the last axis.

    Of a feature with several axes the others are pooled, as `lerobot` does; `count` is frames all the same.

    Mean and variance by Chan's parallel formula (1979). Quantiles from a sketch: the sorted values themselves until
    there are 2 x 4096, then every second of them with twice the weight, and so on: exact for small data.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.count = shape, 0
        size, self._pooled = shape[-1], int(np.prod(shape[:-1]))
        self._mean, self._square = np.zeros(size), np.zeros(size)  # of the values; sum of squared deviations
        self._min, self._max = np.full(size, np.inf), np.full(size, -np.inf)
        self._points: list[np.ndarray] = []  # blocks (n, size), each point standing for `_weight` frames
        self._held, self._weight, self._skip = 0, 1, 0

    def add(self, values: np.ndarray) -> None:
        if len(values) == 0:
            return
        if values.shape[1:] != self.shape:
            raise DataError(f"Statistics of shape {self.shape} were given {values.shape[1:]}.")
        block = np.asarray(values, dtype=np.float64).reshape(-1, self.shape[-1])
        mean = block.mean(axis=0)
        self._combine(len(block), mean, ((block - mean) ** 2).sum(axis=0), block.min(axis=0), block.max(axis=0))
        self._sketch(block)

    def result(self) -> dict[str, np.ndarray]:
        if self.count == 0:
            raise DataError("Statistics of no frames; record at least one.")
        points = np.concatenate(self._points)
        quantiles = np.quantile(points, list(QUANTILES.values()), axis=0)
        found = {"min": self._min, "max": self._max, "mean": self._mean, "std": np.sqrt(self._square / self.count)}
        found |= dict(zip(QUANTILES, quantiles, strict=True))
        return found | {"count": np.array([self.count // self._pooled])}

    def _combine(self, count: int, mean: np.ndarray, square: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
        total, delta = self.count + count, mean - self._mean
        self._mean = self._mean + delta * (count / total)
        self._square = self._square + square + delta**2 * (self.count * count / total)
        self._min, self._max, self.count = np.minimum(self._min, low), np.maximum(self._max, high), total

    def _sketch(self, block: np.ndarray) -> None:
        """Take every `_weight`-th frame (the same frames however the data is cut into blocks)."""
        taken = block[self._skip :: self._weight]
        self._skip = (self._skip - len(block)) % self._weight
        if len(taken):
            self._points.append(taken.copy())
            self._held += len(taken)
        while self._held > 2 * _KEPT:
            points = np.concatenate(self._points)
            # Frame 0 stays, and so does the grid: the next frame to take is one of every second of the old ones.
            self._skip += self._weight if self._held % 2 else 0
            self._points, self._weight = [points[::2]], 2 * self._weight
            self._held = len(self._points[0])


class PictureMoments:
    """Exact statistics of one episode's uint8 pictures, from three histograms of 256 bins."""

    def __init__(self) -> None:
        self.count = 0  # frames
        self._bins = np.zeros((3, 256), dtype=np.int64)

    def add(self, picture: np.ndarray) -> None:
        """One (H, W, 3) picture; large ones are thinned to about 150 pixels a side, as `lerobot` does."""
        step = max(1, max(picture.shape[:2]) // 150) if max(picture.shape[:2]) >= 300 else 1
        thin = picture[::step, ::step]
        for channel in range(3):
            self._bins[channel] += np.bincount(thin[..., channel].ravel(), minlength=256)
        self.count += 1

    def result(self) -> dict[str, np.ndarray]:
        if self.count == 0:
            raise DataError("Statistics of no pictures; record at least one.")
        levels, total = np.arange(256) / 255.0, self._bins.sum(axis=1)
        mean = (self._bins @ levels) / total
        std = np.sqrt(np.maximum((self._bins @ levels**2) / total - mean**2, 0))
        cumulative = np.cumsum(self._bins, axis=1)
        found = {"mean": mean, "std": std}
        for key, share in {"min": 0.0, "max": 1.0, **QUANTILES}.items():
            rank = np.maximum(np.ceil(share * total), 1)
            found[key] = levels[[int(np.searchsorted(cumulative[c], rank[c])) for c in range(3)]]
        return {key: value.reshape(3, 1, 1) for key, value in found.items()} | {"count": np.array([self.count])}


def merge(parts: Iterable[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Statistics of several blocks from the statistics of each: exact, except quantiles, which are averaged.

    For data sets whose frames are not at hand: LeRobot v2.1, which keeps statistics by episode, and pictures.
    """
    parts = list(parts)
    counts = np.array([float(part["count"][0]) for part in parts])
    share = (counts / counts.sum()).reshape(-1, *[1] * parts[0]["mean"].ndim)
    stack = {key: np.stack([part[key] for part in parts]) for key in parts[0] if key != "count"}
    mean = (stack["mean"] * share).sum(axis=0)
    variance = ((stack["std"] ** 2 + (stack["mean"] - mean) ** 2) * share).sum(axis=0)
    found = {"min": stack["min"].min(axis=0), "max": stack["max"].max(axis=0), "mean": mean, "std": np.sqrt(variance)}
    found |= {key: (stack[key] * share).sum(axis=0) for key in stack if key in QUANTILES}
    return found | {"count": np.array([int(counts.sum())])}


class Running:
    """Statistics of a whole data set while it grows: `add` each episode in order, `result` at any time."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._moments = {name: Moments(shape) for name, shape in shapes.items()}
        self._pictures: Statistics = {}

    def add(self, arrays: Mapping[str, np.ndarray]) -> None:
        for name, moments in self._moments.items():
            moments.add(arrays[name])

    def add_pictures(self, name: str, statistics: Mapping[str, np.ndarray]) -> None:
        """Of one episode, or of all episodes so far when a data set is continued."""
        before = self._pictures.get(name)
        self._pictures[name] = dict(statistics) if before is None else merge([before, statistics])

    def result(self) -> Statistics:
        return {name: moments.result() for name, moments in self._moments.items()} | self._pictures


def write_statistics(path: Path, statistics: Statistics) -> None:
    write_json(path, {name: {key: value.tolist() for key, value in of.items()} for name, of in statistics.items()})


def read_statistics(path: Path) -> Statistics:
    """stats.json as it is written by anybody; what is in it is checked by `check_statistics`."""
    try:
        return {
            name: {key: np.asarray(value, dtype=np.float64) for key, value in of.items()}
            for name, of in read_json(path).items()
        }
    except (AttributeError, TypeError, ValueError) as error:
        raise DataError(f"{path} does not hold statistics by feature and kind: {error}.") from error


def check_statistics(statistics: Mapping[str, Mapping[str, np.ndarray]], features: Iterable[Feature]) -> None:
    """Raise unless each feature has mean, std, min, max and count, finite, of its shape and possible together."""
    for feature in features:
        if feature.kind == "text":
            continue
        found = statistics.get(feature.name)
        if found is None:
            raise DataError(f"The statistics lack {feature.name}; they have {', '.join(sorted(statistics)) or 'none'}.")
        shape = (3, 1, 1) if feature.kind == "image" else feature.shape[-1:]
        for key in ("min", "max", "mean", "std"):
            if key not in found:
                raise DataError(f"The statistics of {feature.name} lack {key!r}; compute them again.")
        for key, value in found.items():
            if key != "count" and value.shape != shape:
                raise DataError(f"The statistics' {feature.name}.{key} has shape {value.shape}; it must be {shape}.")
            if not np.isfinite(value).all():
                raise DataError(f"The statistics' {feature.name}.{key} is not finite; compute them again.")
        slack = 1e-5 * (1 + np.abs(found["mean"]))
        inside = (found["min"] <= found["mean"] + slack) & (found["mean"] <= found["max"] + slack)
        if not inside.all() or (found["std"] < 0).any():
            raise DataError(f"The statistics of {feature.name} contradict themselves (min, mean, max, std); recompute.")


def constant_dimensions(
    statistics: Mapping[str, Mapping[str, np.ndarray]], feature: Feature, tolerance: float = 1e-4
) -> list[str]:
    """The names of a feature's numbers that hardly vary: dividing by their spread would blow noise up."""
    found = statistics[feature.name]
    still = (found["std"] < tolerance) | (found["max"] - found["min"] < tolerance)
    return [feature.names[at] if feature.names else str(at) for at in np.flatnonzero(still).tolist()]


def check_spread(
    statistics: Mapping[str, Mapping[str, np.ndarray]], features: Iterable[Feature], tolerance: float = 1e-4
) -> None:
    """Raise if a number that is to be normalised is nearly constant; name it and say what can be done."""
    for feature in features:
        still = constant_dimensions(statistics, feature, tolerance)
        if still:
            raise DataError(
                f"{feature.name} hardly varies in {', '.join(still)} (spread under {tolerance:g}); "
                "leave these numbers out, leave them as they are, or record data in which they move."
            )
