"""What `volition bench latency` measures: recipes with random weights, a checkpoint, or an exported policy.

LatencyConfig -> Subject: decide(observation) -> ActionChunk, with a Stopwatch at every stage of it
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from volition.body.memory import Memory
from volition.eval.latency_config import LatencyConfig
from volition.eval.stopwatch import Stopwatch
from volition.export.engines import NOISE, WORDS, engine_of
from volition.export.folder import is_exported, read
from volition.export.policy import Speaker
from volition.export.untrained import untrained
from volition.model.checkpoint import Checkpoint, load
from volition.model.policy import found_in, inputs_of, looks_of
from volition.model.recipes import RECIPES
from volition.model.table import SENTENCE
from volition.model.vla import VLA
from volition.robots.g1 import g1
from volition.types import ActionChunk, ActionSpec, Observation, RobotSpec

PREPARE, UNITS, NETWORK = "prepared", "in the robot's units", "network"
SENTENCE_ONCE, VISION, FUSION, HEAD = "sentence, once a command", "vision", "words, state, fusion", "head"
_SENTENCES = 20  # new ones, of which the stage `SENTENCE_ONCE` is measured


class Subject(Protocol):
    name: str
    robot: RobotSpec
    spec: ActionSpec
    stages: tuple[str, ...]  # of `decide`, in order, and of `begin`

    def begin(self, watch: Stopwatch) -> None: ...

    def decide(self, observation: Observation) -> ActionChunk: ...


def subjects(config: LatencyConfig) -> Iterator[Subject]:
    if config.policy is not None:
        path = config.policy
        yield Exported(path, config.threads) if is_exported(path) else Learned(str(path), load(path))
        return
    for name in RECIPES if config.all else config.recipes:
        yield Learned(f"{name}, {config.size}, random weights", untrained(name, config.size, config.pixels))


class Learned:
    """Hooks at the parts of the model; the head is what is left of a decision."""

    stages: tuple[str, ...] = (SENTENCE_ONCE, PREPARE, VISION, FUSION, HEAD, UNITS)

    def __init__(self, name: str, checkpoint: Checkpoint) -> None:
        self.name, self._model = name, checkpoint.model
        self.robot, self.spec = g1(checkpoint.design.shapes.picture[0]), checkpoint.codec.spec
        self._memory = Memory(self.robot, checkpoint.codec, looks_of(checkpoint), dt=checkpoint.design.dt)
        self._random = torch.Generator().manual_seed(0)

    def begin(self, watch: Stopwatch) -> None:
        self._watch = watch
        for sentence in _sentences():
            with watch(SENTENCE_ONCE):
                self._told = self._model.read([sentence])
        self._parts = Parts(self._model)

    def decide(self, observation: Observation) -> ActionChunk:
        watch, parts = self._watch, self._parts
        with watch(PREPARE):
            inputs = inputs_of(self._memory.see(observation), self._told)
        parts.clear()
        begin = watch.now()
        with torch.inference_mode():
            context = self._model.think(inputs).context
            values, finished = self._model.conclude(context, inputs, rng=self._random)
        wall, work = watch.now()
        whole, seen, joined = (wall - begin[0], work - begin[1]), parts.spent("views"), parts.spent("rest")
        watch.note(VISION, seen)
        watch.note(FUSION, joined)
        watch.note(HEAD, (whole[0] - seen[0] - joined[0], whole[1] - seen[1] - joined[1]))
        with watch(UNITS):
            sure = None if finished is None else float(finished[0])
            places = [one[0].double().numpy() for one in found_in(context)]
            return self._memory.chunk(observation.stamp, values[0].double().numpy(), sure, *places)


class Parts:
    """What the views, and all other parts before the head together, have spent since `clear`."""

    def __init__(self, model: VLA) -> None:
        self._begun: dict[str, tuple[float, float]] = {}
        self._spent: dict[str, list[tuple[float, float]]] = {"views": [], "rest": []}
        for name, part in model.named_children():
            if name not in ("head", "auxiliaries"):
                kind = "views" if name == "views" else "rest"
                part.register_forward_pre_hook(self._before(kind))
                part.register_forward_hook(self._after(kind))

    def clear(self) -> None:
        for laps in self._spent.values():
            laps.clear()

    def spent(self, name: str) -> tuple[float, float]:
        laps = self._spent[name]
        return sum(wall for wall, _ in laps), sum(work for _, work in laps)

    def _before(self, name: str) -> Any:
        def hook(*_: Any) -> None:
            self._begun[name] = Stopwatch.now()

        return hook

    def _after(self, name: str) -> Any:
        def hook(*_: Any) -> None:
            (wall, work), begin = Stopwatch.now(), self._begun[name]
            self._spent[name].append((wall - begin[0], work - begin[1]))

        return hook


class Exported:
    """An exported network is one stage: what happens in it, its engine knows alone."""

    stages: tuple[str, ...] = (SENTENCE_ONCE, PREPARE, NETWORK, UNITS)

    def __init__(self, path: Path, threads: int) -> None:
        found = read(path)
        manifest = found.manifest
        self.name, self.robot, self.spec = f"{path} ({manifest.engine})", g1(manifest.picture[0]), found.codec.spec
        self._memory = Memory(self.robot, found.codec, manifest.looks, dt=manifest.dt)
        self._engine, self._noise = engine_of(found, threads=threads), manifest.noise
        self._speaker, self._random = Speaker(found, self._engine), np.random.default_rng(0)

    def begin(self, watch: Stopwatch) -> None:
        self._watch = watch
        for sentence in _sentences():
            with watch(SENTENCE_ONCE):
                self._words = self._speaker.words(sentence)

    def decide(self, observation: Observation) -> ActionChunk:
        watch = self._watch
        with watch(PREPARE):
            given = {**self._memory.see(observation), WORDS: self._words}
            if self._noise is not None:
                given[NOISE] = self._random.standard_normal((1, *self._noise), dtype=np.float32)
        with watch(NETWORK):
            decision = self._engine.decide(given)
        with watch(UNITS):
            return self._memory.chunk(observation.stamp, *decision)


def _sentences() -> list[str]:
    """Each once, so that none is remembered; the first is the engine's warming up and the last stays."""
    return [f"{SENTENCE}, {number}" for number in range(_SENTENCES)]
