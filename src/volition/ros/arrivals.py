"""Inference when pictures arrive rather than when the loop looks: the policy gets each chosen picture at once.

    Loop --submit: "go on"--> OnArrival <--arrived()-- ROS;  OnArrival --Observation(aligned)--> ThreadedInference

A loop that looks ten times a second finds a picture that is up to one camera period old; here that time is saved. The
observation carries the pictures' stamp and the robot's state of that moment, so the executor knows how old it is.
"""

from __future__ import annotations

import threading

from volition.ros.align import Aligner
from volition.runtime.inference import Answer, Inference
from volition.types import Observation

_EARLY = 0.25  # of the policy's period: a picture that comes so much before its time is taken, for cameras that jitter
_LIVE = 3  # policy periods: after the loop's last submit nothing more is sent


class OnArrival:
    """An Inference for policies that look. `arrived` may be called by any thread."""

    def __init__(self, inner: Inference, aligner: Aligner, period: float) -> None:
        self._inner, self._aligner, self._period = inner, aligner, period
        self._lock = threading.Lock()
        self._told: Observation | None = None
        self._last = -1.0

    def start(self, instruction: str) -> None:
        with self._lock:
            self._told, self._last = None, -1.0
        self._inner.start(instruction)

    def submit(self, observation: Observation) -> None:
        """The loop is there and asks; what it sees itself is not used but for the instruction and the time."""
        with self._lock:
            first, self._told = self._told is None, observation
        if first:
            self.arrived()

    def arrived(self) -> None:
        """Something new came: if it is a sight whose time has come, the policy gets it."""
        stamp = self._aligner.stamp()
        with self._lock:
            told = self._told
            due = self._last + (1.0 - _EARLY) * self._period
            if told is None or stamp is None or stamp < due or stamp <= self._last:
                return
            if stamp < told.stamp - self._period or stamp > told.stamp + _LIVE * self._period:
                return
            self._last = stamp
        sight = self._aligner.sight()
        if sight is not None:
            self._inner.submit(
                Observation(stamp=sight.stamp, state=sight.state, images=sight.images, instruction=told.instruction)
            )

    def poll(self, now: float) -> Answer | None:
        return self._inner.poll(now)

    @property
    def busy(self) -> bool:
        return self._inner.busy

    def close(self) -> None:
        with self._lock:
            self._told = None
        self._inner.close()
