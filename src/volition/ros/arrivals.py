"""Inference when pictures arrive rather than when the loop looks: the policy gets each chosen picture at once.

    Loop --submit: "go on"--> OnArrival <--arrived()-- ROS;  OnArrival --Observation(aligned)--> ThreadedInference

A loop that looks ten times a second finds a picture that is up to one camera period old; here that time is saved. The
observation carries the pictures' stamp and the robot's state of that moment, so the executor knows how old it is.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np

from volition.ros.align import Aligner
from volition.runtime.inference import Answer, Inference
from volition.runtime.sight import Sight
from volition.types import Observation

_EARLY = 0.25  # of the policy's period: a picture that comes so much before its time is taken, for cameras that jitter
SILENT = 0.5  # s without a picture that fits, before the loop is told that it sees nothing
_LIVE = 3  # policy periods: after the loop's last submit nothing more is sent


class OnArrival:
    """An Inference for policies that look. `arrived` may be called by any thread. `sight`: whether pictures can be
    believed; those that cannot are not shown, and `Eyes` tell the loop."""

    def __init__(self, inner: Inference, aligner: Aligner, period: float, *, sight: Sight | None = None) -> None:
        self._inner, self._aligner, self._period, self._sight = inner, aligner, period, sight
        self._lock = threading.Lock()
        self._told: Observation | None = None
        self._last = -1.0
        self._live = -1.0  # when the loop was there last
        self._blind = ""

    def start(self, instruction: str) -> None:
        with self._lock:
            self._told, self._last, self._blind = None, -1.0, ""
            if self._sight is not None:
                self._sight.reset()
        self._inner.start(instruction)

    def submit(self, observation: Observation) -> None:
        """The loop is there and asks; what it sees itself is not used but for the instruction and the time."""
        with self._lock:
            first, self._told, self._live = self._told is None, observation, observation.stamp
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
            if stamp < self._live - self._period or stamp > self._live + _LIVE * self._period:
                return
            self._last = stamp
        sight = self._aligner.sight()
        if sight is not None and self._believed(sight.images, sight.stamp):
            self._inner.submit(
                Observation(stamp=sight.stamp, state=sight.state, images=sight.images, instruction=told.instruction)
            )

    def problem(self, now: float) -> str:
        """What is wrong with the pictures, in words; asked by the loop, which asks for nothing while anything is."""
        with self._lock:
            self._live = max(self._live, now)
            last, blind = self._last, self._blind
        if blind:
            return blind
        return f"no pictures have come for {now - last:.1f} s" if 0 <= last < now - SILENT else ""

    def _believed(self, images: Mapping[str, np.ndarray], stamp: float) -> bool:
        if self._sight is None:
            return True
        with self._lock:  # pictures of two cameras may arrive in two threads
            self._blind = self._sight.check(images, stamp)
            return not self._blind

    def poll(self, now: float) -> Answer | None:
        return self._inner.poll(now)

    @property
    def busy(self) -> bool:
        return self._inner.busy

    def close(self) -> None:
        with self._lock:
            self._told = None
        self._inner.close()


class Eyes(Sight):
    """What the loop asks, where the pictures do not go through it: the OnArrival that has seen them."""

    def __init__(self, arrivals: OnArrival) -> None:
        super().__init__(())
        self._arrivals = arrivals

    def check(self, images: Mapping[str, np.ndarray], now: float) -> str:
        return self._arrivals.problem(now)
