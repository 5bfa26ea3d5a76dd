"""A checkpoint as an ONNX folder that is smaller: units cut, eight bits; and how long a decision takes before and after.

Checkpoint, recorded observations -> prune -> ONNX -> int8 -> a folder;  two folders, taking turns -> milliseconds
"""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from volition.export.check import moments, shown
from volition.export.engines import WORDS, Arrays, OnnxEngine
from volition.export.export import put
from volition.export.folder import LANGUAGE, POLICY, Folder, read, seal
from volition.export.policy import Speaker
from volition.export.prune import Cut, prune
from volition.export.quantise import dynamic, static, weights
from volition.export.torch_engines import EagerEngine
from volition.model.checkpoint import Checkpoint
from volition.model.vla import VLA

SUFFIX = ".onnx"


def smaller(
    folder: Path, checkpoint: Checkpoint, *, share: float, int8: bool, data: Path, observations: int, seed: int
) -> list[Cut]:
    """Into a folder that is there; the checkpoint's own model stays as it is."""
    cuts: list[Cut] = []
    if share:
        model = copy.deepcopy(checkpoint.model)
        found = replace(checkpoint, model=model)

        def run(_: VLA) -> None:
            decide_all(found, data, observations, seed)

        cuts = prune(model, share, run)
        checkpoint = found
    manifest = put(folder, checkpoint, "onnx")
    if int8:
        given = recorded(read(folder), checkpoint, data, observations, seed)
        static(folder / (POLICY + SUFFIX), [dict(one) for one in given])
        weights(folder / (POLICY + SUFFIX))
        dynamic(folder / (LANGUAGE + SUFFIX))
    seal(folder, replace(manifest, compressed={"cut": share, "int8": int8, "observations": observations}))
    return cuts


def decide_all(checkpoint: Checkpoint, data: Path, observations: int, seed: int) -> None:
    engine = EagerEngine(checkpoint)
    for moment, memory, given in shown(checkpoint, moments(checkpoint, data, observations, seed), seed):
        if moment.first:
            engine.tell(moment.sentence)
        memory.chunk(0.0, *engine.decide(given))


def recorded(folder: Folder, checkpoint: Checkpoint, data: Path, observations: int, seed: int) -> list[Arrays]:
    """What the network of a folder is given on these observations."""
    engine = OnnxEngine(folder)
    speaker, found = Speaker(folder, engine), []
    for moment, memory, given in shown(checkpoint, moments(checkpoint, data, observations, seed), seed):
        full = {**given, WORDS: speaker.words(moment.sentence)}
        memory.chunk(0.0, *engine.decide(full))
        found.append(full)
    return found


def decision_ms(
    folders: Mapping[str, Folder], given: Sequence[Arrays], *, rounds: int
) -> dict[str, tuple[float, float]]:
    """Medians of wall and processor time, with one thread, the folders taking turns."""
    engines = {name: OnnxEngine(folder, threads=1) for name, folder in folders.items()}
    wall: dict[str, list[float]] = {name: [] for name in engines}
    work: dict[str, list[float]] = {name: [] for name in engines}
    for engine in engines.values():
        engine.decide(given[0])
    for number in range(rounds):
        for name, engine in engines.items():
            begin, busy = time.perf_counter(), time.process_time()
            engine.decide(given[number % len(given)])
            wall[name].append(1e3 * (time.perf_counter() - begin))
            work[name].append(1e3 * (time.process_time() - busy))
    return {name: (statistics.median(wall[name]), statistics.median(work[name])) for name in engines}
