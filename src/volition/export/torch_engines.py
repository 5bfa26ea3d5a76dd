"""The engines that need torch: the original model, which all others are compared with, and what torch itself saved.

Checkpoint -> EagerEngine;  TorchScript or torch.export folder -> SavedEngine
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from volition.errors import AssetError
from volition.export.engines import NOISE, WORDS, Arrays, Decision, decision
from volition.export.flat import decided
from volition.export.folder import LANGUAGE, POLICY, Folder
from volition.model.checkpoint import Checkpoint
from volition.model.inputs import Sentences
from volition.model.policy import inputs_of


class EagerEngine:
    """`decide` is given what `model.read` made of the sentence itself, so that the exported way of words is compared too."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._model, self._told = checkpoint.model, None

    def tell(self, sentence: str) -> None:
        self._told: Sentences | None = self._model.read([sentence])

    def decide(self, given: Arrays) -> Decision:
        if self._told is None:
            raise AssetError("EagerEngine was told no sentence; call tell before decide.")
        arrays = {name: value for name, value in given.items() if name not in (WORDS, NOISE)}
        noise = torch.from_numpy(given[NOISE]) if NOISE in given else None
        with torch.inference_mode():
            return decision([one.numpy() for one in decided(self._model, inputs_of(arrays, self._told), noise)])


class SavedEngine:
    def __init__(self, folder: Folder) -> None:
        load = LOADERS[folder.manifest.engine]
        self._language, self._policy = load(folder.file(LANGUAGE)), load(folder.file(POLICY))
        looks = folder.manifest.looks
        self._names = [f"image.{camera}" for camera in looks.cameras] + ["state", "seen", WORDS]
        self._names += ["done", "done_mask"] if looks.before else []
        self._names += ["expected"] if looks.places else []
        self._names += ["course"] if looks.course else []
        self._names += [NOISE] if folder.manifest.noise else []

    def words(self, ids: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return self._language(torch.from_numpy(ids)).numpy()

    def decide(self, given: Arrays) -> Decision:
        with torch.inference_mode():
            return decision(
                [one.numpy() for one in self._policy(*(torch.from_numpy(given[name]) for name in self._names))]
            )


def _script(path: Path) -> Callable[..., Any]:
    return _loaded(path, lambda: torch.jit.load(str(path), map_location="cpu"))


def _program(path: Path) -> Callable[..., Any]:
    return _loaded(path, lambda: torch.export.load(str(path)).module())


def _loaded(path: Path, load: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    try:
        return load()
    except (RuntimeError, OSError, ValueError) as error:
        raise AssetError(f"{path} cannot be read by torch: {str(error).splitlines()[0]}.") from error


LOADERS: dict[str, Callable[[Path], Callable[..., Any]]] = {"torchscript": _script, "export": _program}
