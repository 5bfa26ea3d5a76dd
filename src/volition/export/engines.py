"""What runs an exported network: arrays by name in, arrays by name out. `onnxruntime` without torch, two with it.

token ids --Engine.words--> words;  words, pictures, state --Engine.decide--> Decision
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from volition.errors import AssetError
from volition.export.folder import LANGUAGE, POLICY, Folder

Arrays = Mapping[str, np.ndarray]
WORDS, NOISE = "words", "noise"


class Decision(NamedTuple):
    """`sure`: how likely what was asked is done, if it tells. `places` (2, 3) and `there` (2,): where the thing and the place were found, where
    hands go by places (`Memory.found`)."""

    chunk: np.ndarray  # (K, A) in the model's scale
    sure: float | None = None
    places: np.ndarray | None = None
    there: np.ndarray | None = None


def decision(given: Sequence[np.ndarray]) -> Decision:
    """What a network gives, each of a batch of one: the chunk, if it tells how sure it is, and if it finds places these and how sure it is of them."""
    chunk, *rest = (one[0] for one in given)
    sure = float(rest[0]) if len(rest) % 2 else None
    places, there = rest[-2:] if len(rest) > 1 else (None, None)
    return Decision(chunk, sure, places, there)


class Engine(Protocol):
    def words(self, ids: np.ndarray) -> np.ndarray:
        """(1, L) int64 -> (1, L, W) float32"""
        ...

    def decide(self, given: Arrays) -> Decision:
        """Given what a Memory shows, `words`, and `noise` if it draws."""
        ...


class OnnxEngine:
    """`threads` None: as many as there are cores."""

    def __init__(self, folder: Folder, *, threads: int | None = None) -> None:
        self._language = _session(folder.file(LANGUAGE), 1)  # a sentence is too short for two
        self._policy = _session(folder.file(POLICY), threads)
        self._wanted = [one.name for one in self._policy.get_inputs()]

    def words(self, ids: np.ndarray) -> np.ndarray:
        return np.asarray(self._language.run(None, {"ids": ids})[0])

    def decide(self, given: Arrays) -> Decision:
        # A network that does not use an input (`seen` where there is no history) has lost it.
        return decision(
            [np.asarray(one) for one in self._policy.run(None, {name: given[name] for name in self._wanted})]
        )


def engine_of(folder: Folder, *, threads: int | None = None) -> Engine:
    if folder.manifest.engine == "onnx":
        return OnnxEngine(folder, threads=threads)
    from volition.export.torch_engines import SavedEngine

    return SavedEngine(folder)


def _session(path: Path, threads: int | None):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a dozen types of its own for a bad file
        raise AssetError(f"{path} cannot be run by onnxruntime: {str(error).splitlines()[0]}.") from error
