"""An exported folder as a Policy, `ExportedPolicy(read(path), robot)`: no torch where its format needs none.

Observation -> Memory -> Engine.decide -> Memory -> ActionChunk;  instruction -> tokenizer -> Engine.words
"""

from __future__ import annotations

import numpy as np

from volition.body.memory import Memory
from volition.errors import AssetError, InstructionError, PolicyError
from volition.export.engines import NOISE, WORDS, Engine, engine_of
from volition.export.folder import POLICY, TOKENIZER, Folder, sha256
from volition.robots.description import differences
from volition.safety.calibration import Calibration, read_calibration
from volition.types import ActionChunk, ActionSpec, Observation, RobotSpec


def weights_of(found: Folder) -> str:
    """The hash by which a calibration knows an exported policy."""
    return sha256(found.file(POLICY))


def calibration_of(found: Folder) -> Calibration | None:
    """Its own, not the checkpoint's: an exported policy says nothing of its doubt, and what is seen from outside (how its
    chunks contradict each other, how long it takes) means something else alone. None: it has none."""
    return read_calibration(found.path, weights_of(found))


class Speaker:
    """Sentences to what the exported language encoder makes of them; the last one is remembered."""

    def __init__(self, folder: Folder, engine: Engine) -> None:
        from tokenizers import Tokenizer

        path = folder.path / TOKENIZER
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises Exception itself
            raise AssetError(f"{path} cannot be read: {error}.") from error
        self._engine, self._longest = engine, folder.manifest.longest
        self._known: tuple[str, np.ndarray] | None = None

    def words(self, sentence: str) -> np.ndarray:
        """(1, L, W)"""
        if self._known is None or self._known[0] != sentence:
            ids = self._tokenizer.encode(sentence).ids
            if not 1 <= len(ids) <= self._longest:
                raise InstructionError(
                    f"The sentence {sentence[:60]!r}... has {len(ids)} tokens and this policy reads 1 to {self._longest}; "
                    "say it shorter."
                )
            self._known = sentence, self._engine.words(np.array([ids], dtype=np.int64))
        return self._known[1]


class ExportedPolicy:
    """`seed` is of heads that draw; `threads` of onnxruntime. Refuses a robot that differs from the one it was taught on."""

    def __init__(self, found: Folder, robot: RobotSpec, *, seed: int = 0, threads: int | None = None) -> None:
        manifest = found.manifest
        wrong = differences(found.robot, robot, action=found.codec.spec.name, cameras=manifest.looks.cameras)
        if wrong:
            raise PolicyError(f"This policy was taught on another robot: {'; '.join(wrong)}.")
        self._codec, self._noise, self._seed = found.codec, manifest.noise, seed
        self._memory = Memory(robot, found.codec, manifest.looks, dt=manifest.dt)
        self._engine = engine_of(found, threads=threads)
        self._speaker = Speaker(found, self._engine)
        self._words: np.ndarray | None = None

    @property
    def action_spec(self) -> ActionSpec:
        return self._codec.spec

    def reset(self, instruction: str) -> None:
        self._words = None
        self._memory.reset()
        self._random = np.random.default_rng(self._seed)
        self._words = self._speaker.words(instruction)

    def infer(self, observation: Observation) -> ActionChunk:
        if self._words is None:
            raise PolicyError("ExportedPolicy has no instruction; call reset(instruction) before infer.")
        given = {**self._memory.see(observation), WORDS: self._words}
        if self._noise is not None:
            given[NOISE] = self._random.standard_normal((1, *self._noise), dtype=np.float32)
        return self._memory.chunk(observation.stamp, *self._engine.decide(given))
