"""Header stamps and the loop's clock as one time: real and monotonic, or a simulator's from /clock.

    header.stamp --of--> the loop's seconds;  Stamps waits by the machine's clock, SimulatedTime for /clock

The machine's monotonic and system clocks are compared once, when a Stamps is made. A system clock that is set while the
robot runs makes stamps look stale or in the future, which the shield answers with the safe action: activate again.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from volition.ros.errors import RosError
from volition.runtime.clock import RealClock

AHEAD = 10.0  # s: the clock begins here, so that what was stamped before it began still has a stamp of at least 0
FUTURE = 1.0  # s: what is stamped farther ahead is refused
SILENT = 2.0  # s, real: a simulator that sends no time for so long is gone


class Stamps(RealClock):
    """A Clock, made at the ROS time `ros_now` (s)."""

    def __init__(self, ros_now: float) -> None:
        super().__init__()
        self._offset = ros_now - self.now()

    def now(self) -> float:
        return super().now() + AHEAD

    def of(self, ros_time: float) -> float:
        """A header stamp (s) in the loop's time; 0 for one from before it began."""
        return max(0.0, ros_time - self._offset)

    def ros_now(self) -> float:
        """Now, as a header stamp."""
        return self.now() + self._offset


class SimulatedTime:
    """A Clock that is told its time (`tick`, from any thread): for nodes with use_sim_time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._now = 0.0

    def tick(self, ros_time: float) -> None:
        with self._changed:
            self._now = max(self._now, ros_time + AHEAD)
            self._changed.notify_all()

    def now(self) -> float:
        with self._changed:
            return self._now

    def sleep_until(self, time_: float, /) -> None:
        """Raises when /clock stands still: whoever moves the robot must not wait for ever."""
        heard = time.monotonic()
        with self._changed:
            while self._now < time_ - 1e-6:
                before = self._now
                self._changed.wait(0.1)
                if self._now > before:
                    heard = time.monotonic()
                elif time.monotonic() - heard > SILENT:
                    raise RosError(f"/clock has stood still for {SILENT:g} s; is the simulator gone?")

    def of(self, ros_time: float) -> float:
        return max(0.0, ros_time + AHEAD)

    def ros_now(self) -> float:
        return max(0.0, self.now() - AHEAD)


def seconds(stamp: Any) -> float:
    """Of a stamp or duration in a message, of ROS 1 or ROS 2."""
    return stamp.to_sec() if hasattr(stamp, "to_sec") else stamp.sec + stamp.nanosec * 1e-9


def stamped(clock: Stamps | SimulatedTime, ros_time: float, what: str) -> float:
    """A header stamp (s) in the loop's time. One from the future would stay the newest for ever, so it is refused."""
    stamp, now = clock.of(ros_time), clock.now()
    if stamp > now + FUTURE:
        raise RosError(
            f"A {what} is stamped {stamp - now:.1f} s in the future; "
            "the clocks of the robot and of this machine must agree."
        )
    return stamp
