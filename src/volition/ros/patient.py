"""Inference for a simulator that waits: a policy that is slow on a busy machine gets its time, and no simulated time is lost.

    OnArrival -> Patient -> ThreadedInference; poll waits where the answer is due by simulated time

For nodes with use_sim_time, where the simulator (`--lockstep`) goes on when the command of its tick has come.
"""

from __future__ import annotations

import threading
import time

from volition.runtime.inference import Answer, Inference
from volition.types import Observation

LATENCY = 0.04  # s, simulated: an answer is due so long after its observation
WAIT = 0.8  # s, real: no policy is waited for longer


class Patient:
    """An Inference; `poll` is the loop's."""

    def __init__(self, inner: Inference) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._asked = 0.0

    def start(self, instruction: str) -> None:
        self._inner.start(instruction)

    def submit(self, observation: Observation) -> None:
        with self._lock:
            self._asked = observation.stamp
        self._inner.submit(observation)

    def poll(self, now: float) -> Answer | None:
        with self._lock:
            due = self._asked + LATENCY
        end = time.monotonic() + WAIT
        while now >= due and self._inner.busy and time.monotonic() < end:
            time.sleep(0.002)
        return self._inner.poll(now)

    @property
    def busy(self) -> bool:
        return self._inner.busy

    def close(self) -> None:
        self._inner.close()
