"""Policy inference beside the control loop: observations go in, Answers come out later, and the loop never waits.

    Loop --submit(Observation)--> Inference --poll(now)--> Answer(chunk or error) --> Guard.admit --> Executor

ThreadedInference runs in real time, SimulatedInference in virtual time. Both work on one observation at a time and,
when several have come meanwhile, go on with the latest: an old picture is worth nothing.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from volition.errors import ContractError, PolicyError, VolitionError
from volition.policy import Policy
from volition.types import ActionChunk, Observation

_SWITCH = 0.001  # s: how soon a policy that computes in Python hands the interpreter to the control loop


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of one observation: a chunk or the exception that came instead; `latency_s` from start to answer."""

    stamp: float  # of the observation
    latency_s: float
    chunk: ActionChunk | None = None
    error: Exception | None = None


class Inference(Protocol):
    """`start` tells the policy its task and raises if it refuses; `busy` while an answer is being made."""

    def start(self, instruction: str) -> None: ...

    def submit(self, observation: Observation) -> None: ...

    def poll(self, now: float) -> Answer | None: ...

    @property
    def busy(self) -> bool: ...

    def close(self) -> None: ...


class ThreadedInference:
    """Real time: one worker thread. A policy that is slow, raises or hangs costs its chunks and nothing else.

    A thread cannot be killed: one that hangs is left behind (it is a daemon, so the process can end), and `start`
    refuses until it has come back.
    """

    def __init__(self, policy: Policy, *, start_deadline_s: float = 60.0, close_deadline_s: float = 1.0) -> None:
        self._policy = policy
        self._start_deadline, self._close_deadline = start_deadline_s, close_deadline_s
        self._wake = threading.Condition()
        self._worker: threading.Thread | None = None
        self._task: str | None = None  # an instruction the worker has to take up
        self._refusal: Exception | None = None  # what the policy's reset raised
        self._pending: Observation | None = None
        self._working = self._closing = False
        self._run = 0  # counts starts, so that an answer to an earlier run is dropped
        self._answers: deque[Answer] = deque(maxlen=16)

    @property
    def busy(self) -> bool:
        with self._wake:
            return self._working or self._pending is not None

    def start(self, instruction: str) -> None:
        deadline = time.monotonic() + self._start_deadline
        # Python's own 5 ms would be spent again at each of the loop's waits: most of what a tick may be late.
        sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH))
        with self._wake:
            if self._worker is None or not self._worker.is_alive():
                self._worker = threading.Thread(target=self._serve, name="volition-inference", daemon=True)
                self._closing = self._working = False
                self._worker.start()
            elif self._closing:
                raise PolicyError("The policy has not come back from its last inference; it cannot be started again.")
            self._run += 1
            self._pending, self._refusal = None, None
            self._answers.clear()
            self._task = instruction
            self._wake.notify_all()
            # The policy is told its task in the worker too, so that one that hangs here is noticed as well.
            ready = self._wake.wait_for(
                lambda: self._task is None and not self._working, timeout=deadline - time.monotonic()
            )
            if not ready:
                self._task = None
                raise PolicyError(f"The policy did not take its instruction within {self._start_deadline:g} s.")
            if isinstance(self._refusal, VolitionError):
                raise self._refusal
            if self._refusal is not None:
                raise PolicyError(f"The policy refused its instruction: {_text(self._refusal)}") from self._refusal

    def submit(self, observation: Observation) -> None:
        with self._wake:
            self._pending = observation
            self._wake.notify_all()

    def poll(self, now: float) -> Answer | None:
        with self._wake:
            return self._answers.popleft() if self._answers else None

    def close(self) -> None:
        with self._wake:
            self._closing, self._pending, self._task = True, None, None
            self._wake.notify_all()
            worker = self._worker
        if worker is not None and worker is not threading.current_thread():
            worker.join(self._close_deadline)

    @property
    def hangs(self) -> bool:
        """Closed, but the policy has not come back."""
        return self._closing and self._worker is not None and self._worker.is_alive()

    def _serve(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closing or self._task is not None or self._pending is not None)
                if self._closing:
                    return
                task, observation, run = self._task, self._pending, self._run
                self._task = None
                if task is None:
                    self._pending = None
                self._working = True
            refusal, answer = None, None
            if task is not None:
                try:
                    self._policy.reset(task)
                except Exception as error:  # it reaches the caller of start()
                    refusal = error
            elif observation is not None:
                answer = _infer(self._policy, observation)
            with self._wake:
                self._working = False
                if run == self._run:
                    if task is not None:
                        self._refusal = refusal
                    if answer is not None:
                        self._answers.append(answer)
                self._wake.notify_all()


class SimulatedInference:
    """Virtual time: the answer is computed at once and delivered when `latency_s` of the loop's clock has passed.

    `latency_s=None` takes the wall time that each inference took; a fixed number makes the run deterministic.
    """

    def __init__(self, policy: Policy, latency_s: float | None) -> None:
        if latency_s is not None and not 0.0 <= latency_s <= 60.0:
            raise ContractError(
                f"SimulatedInference.latency_s is {latency_s}; it must be 0 to 60 s, or None to measure."
            )
        self._policy, self._latency = policy, latency_s
        self._flying: tuple[float, Answer, float] | None = None  # when it is ready, and since when
        self._pending: Observation | None = None

    @property
    def busy(self) -> bool:
        return self._flying is not None

    def start(self, instruction: str) -> None:
        self._flying = self._pending = None
        try:
            self._policy.reset(instruction)
        except VolitionError:
            raise
        except Exception as error:
            raise PolicyError(f"The policy refused its instruction: {_text(error)}") from error

    def submit(self, observation: Observation) -> None:
        if self._flying is None:
            self._launch(observation, observation.stamp)
        else:
            self._pending = observation

    def poll(self, now: float) -> Answer | None:
        if self._flying is None:
            return None
        ready, answer, began = self._flying
        if began - 1e-6 <= now < ready - 1e-6:  # a clock that went back must not keep the answer for ever
            return None
        self._flying = None
        if self._pending is not None:
            # As a worker would: it takes up the latest observation the moment it is free.
            observation, self._pending = self._pending, None
            self._launch(observation, max(ready, observation.stamp))
        return answer

    def close(self) -> None:
        self._flying = self._pending = None

    def _launch(self, observation: Observation, begin: float) -> None:
        answer = _infer(self._policy, observation, self._latency)
        self._flying = (begin + answer.latency_s, answer, begin)


def _infer(policy: Policy, observation: Observation, latency_s: float | None = None) -> Answer:
    begin = time.perf_counter()
    chunk: ActionChunk | None = None
    failure: Exception | None = None
    try:
        chunk = policy.infer(observation)
        if not isinstance(chunk, ActionChunk):
            chunk, failure = None, PolicyError(f"The policy returned {type(chunk).__name__}, not an ActionChunk.")
    except Exception as error:  # whatever a policy raises, the control loop must go on
        failure = error
    latency = time.perf_counter() - begin if latency_s is None else latency_s
    return Answer(stamp=observation.stamp, latency_s=latency, chunk=chunk, error=failure)


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
