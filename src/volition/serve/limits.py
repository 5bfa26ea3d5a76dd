"""What a server allows: how large, how often, how long, how many. Each limit has its reason; none can be switched off."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from volition.errors import ContractError


@dataclass(frozen=True, kw_only=True)
class Limits:
    clients: int = 8  # each has a policy's state and at most two messages in memory
    message_bytes: int = 8 * 2**20
    per_second: float = 50.0  # observations of one client; more are slowed down
    deadline_s: float = 10.0  # from an observation to its answer, waiting for others included
    idle_s: float = 60.0  # without an observation; a whole message must come within it
    send_s: float = 5.0  # for a client to take its answer
    opening_s: float = 5.0  # for the handshake
    spare: int = 16  # sockets beside the clients': health checks, those that are still opening

    def __post_init__(self) -> None:
        ranges = {
            "clients": (1, 1000),
            "message_bytes": (2**16, 2**28),
            "per_second": (1, 10_000),
            "deadline_s": (0.1, 600),
            "idle_s": (1, 86_400),
            "send_s": (0.1, 600),
            "opening_s": (0.1, 600),
            "spare": (1, 1000),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise ContractError(f"Limits.{name} is {value}; it must be {low} to {high}.")


class Pace:
    """A client may send `per_second` on average and as many at once; `wait` says how long to let it wait."""

    def __init__(self, per_second: float) -> None:
        self._rate = per_second
        self._left, self._at = per_second, time.monotonic()

    def wait(self) -> float:
        now = time.monotonic()
        self._left = min(self._rate, self._left + (now - self._at) * self._rate) - 1.0
        self._at = now
        return max(0.0, -self._left / self._rate)
