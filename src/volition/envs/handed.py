"""Inference by somebody outside the loop: the loop's observation is taken out, and a chunk for it is handed in.

Loop --submit--> Handed.observation -> whoever steps the loop -> Handed.answer(chunk) --poll, latency_s later--> Loop
"""

from __future__ import annotations

from collections import deque

from volition.errors import ContractError
from volition.runtime.inference import Answer
from volition.types import ActionChunk, Observation


class Handed:
    """An Inference. Each observation that is answered has its answer `latency_s` after its stamp, as with
    SimulatedInference; only that answers which take longer than a policy tick are all in flight at once here."""

    def __init__(self, latency_s: float) -> None:
        self._latency = latency_s
        self._flying: deque[ActionChunk] = deque()
        self.observation: Observation | None = None  # the last, until it is answered

    @property
    def busy(self) -> bool:
        return bool(self._flying)

    def start(self, instruction: str) -> None:
        self._flying.clear()
        self.observation = None

    def submit(self, observation: Observation) -> None:
        self.observation = observation

    def answer(self, chunk: ActionChunk) -> None:
        if self.observation is None or chunk.stamp != self.observation.stamp:
            raise ContractError(f"A chunk of {chunk.stamp} s was handed in; no observation of that time waits for one.")
        self.observation = None
        self._flying.append(chunk)

    def poll(self, now: float) -> Answer | None:
        if not self._flying or now < self._flying[0].stamp + self._latency - 1e-6:
            return None
        chunk = self._flying.popleft()
        return Answer(stamp=chunk.stamp, latency_s=self._latency, chunk=chunk)

    def close(self) -> None:
        self._flying.clear()
