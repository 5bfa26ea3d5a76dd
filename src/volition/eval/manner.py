"""In which manner a policy is run where somebody wants it otherwise than usual: way of execution, frames lost, doubt.

Manner -> Rig.rollout -> Executor, Inference, Guard, Doubt of the loop
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from volition.errors import ContractError
from volition.runtime.doubt import Doubt
from volition.runtime.inference import Answer, Inference
from volition.runtime.oversight import Oversight
from volition.runtime.ways import Way
from volition.safety.config import ShieldConfig
from volition.types import ActionSpec, Observation


@dataclass(frozen=True, kw_only=True)
class Manner:
    way: Way = "blend"
    added_s: float = 0.0  # latency beside the scene's own
    lost: float = 0.0  # share of the observations that never reach the policy
    seed: int = 0  # of which are lost
    shield: ShieldConfig | None = None
    doubt: Callable[[ActionSpec], Doubt] | None = None
    oversight: Oversight | None = None  # whom doubt may ask

    def __post_init__(self) -> None:
        if not 0.0 <= self.lost < 1.0:
            raise ContractError(f"Manner.lost is {self.lost}; it must be a share of the frames, 0 to below 1.")
        if not 0.0 <= self.added_s <= 10.0:
            raise ContractError(f"Manner.added_s is {self.added_s}; it must be 0 to 10 s.")


class LosingInference:
    """Some observations get lost on their way. Which ones is decided by their stamp: the same whoever asks."""

    def __init__(self, inner: Inference, share: float, seed: int) -> None:
        self._inner, self._share, self._seed = inner, share, seed

    @property
    def busy(self) -> bool:
        return self._inner.busy

    def start(self, instruction: str) -> None:
        self._inner.start(instruction)

    def submit(self, observation: Observation) -> None:
        random = np.random.default_rng([self._seed, round(observation.stamp * 1e6)])
        if random.random() >= self._share:
            self._inner.submit(observation)

    def poll(self, now: float) -> Answer | None:
        return self._inner.poll(now)

    def close(self) -> None:
        self._inner.close()
