"""Small pieces for the tests of ROS: a state at a time, messages without ROS, and processes that are ended for sure."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from volition.robots.g1 import g1
from volition.types import RobotState

SPEC = g1(16)


def state(stamp: float, *, angle: float = 0.0, x: float = 0.0) -> RobotState:
    still = np.zeros(len(SPEC.joints))
    return RobotState(
        stamp=stamp,
        position=still + angle,
        velocity=still,
        effort=still,
        base_position=np.array([x, 0.0, 0.79]),
        base_quaternion=np.array([1.0, 0.0, 0.0, 0.0]),
        base_velocity=np.zeros(3),
        base_angular_velocity=np.zeros(3),
    )


def image(pixels: np.ndarray, *, encoding: str = "rgb8", padding: int = 0) -> SimpleNamespace:
    """What a node gets as an Image message, of ROS 1 or 2."""
    height, width, _ = pixels.shape
    rows = np.zeros((height, 3 * width + padding), dtype=np.uint8)
    rows[:, : 3 * width] = (pixels[:, :, ::-1] if encoding == "bgr8" else pixels).reshape(height, -1)
    return SimpleNamespace(encoding=encoding, height=height, width=width, step=3 * width + padding, data=rows.tobytes())


def wait_for(what: Callable[[], object], seconds: float, why: str) -> None:
    """Until it is true; fails with `why` when it does not become so in time."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"waited {seconds} s for {why}"
        time.sleep(0.01)


@contextmanager
def process(log: Path, *words: str, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process of this environment: ended by SIGTERM, and killed if that does not do."""
    with log.open("wb") as out:
        command = [sys.executable, *words]
        running = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=os.environ | (environment or {}))
    try:
        yield running
    finally:
        if running.poll() is None:
            running.terminate()
            try:
                running.wait(60)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()
