"""What runs an exported network: arrays by name in, arrays by name out. `onnxruntime` without torch, two with it.

token ids --Engine.words--> words;  words, pictures, state --Engine.decide--> chunk, how likely it is done
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from volition.errors import AssetError
from volition.export.folder import LANGUAGE, POLICY, Folder

Arrays = Mapping[str, np.ndarray]
WORDS, NOISE = "words", "noise"


class Engine(Protocol):
    def words(self, ids: np.ndarray) -> np.ndarray:
        """(1, L) int64 -> (1, L, W) float32"""
        ...

    def decide(self, given: Arrays) -> tuple[np.ndarray, float | None]:
        """What a Memory shows, `words`, and `noise` if it draws -> (K, A) in the model's scale, and if it tells, how
        likely what was asked is done."""
        ...


class OnnxEngine:
    """`threads` None: as many as there are cores."""

    def __init__(self, folder: Folder, *, threads: int | None = None) -> None:
        self._language = _session(folder.file(LANGUAGE), 1)  # a sentence is too short for two
        self._policy = _session(folder.file(POLICY), threads)
        self._wanted = [one.name for one in self._policy.get_inputs()]

    def words(self, ids: np.ndarray) -> np.ndarray:
        return np.asarray(self._language.run(None, {"ids": ids})[0])

    def decide(self, given: Arrays) -> tuple[np.ndarray, float | None]:
        # A network that does not use an input (`seen` where there is no history) has lost it.
        chunk, *rest = self._policy.run(None, {name: given[name] for name in self._wanted})
        return np.asarray(chunk)[0], float(np.asarray(rest[0])[0]) if rest else None


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
