"""What a server counts, as the Prometheus text of `GET /metrics`.

server -> count(name, label), observe(name, seconds) --text--> Prometheus
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable

_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # s

COUNTERS = {
    "volition_observations_total": ("result", "Observations by what became of them."),
    "volition_connections_total": ("result", "Connections by how they were opened or refused."),
    "volition_bytes_total": ("direction", "Bytes of messages."),
    "volition_slowed_total": ("", "Observations that waited because their client sent too many a second."),
}
TIMES = {
    "volition_inference_seconds": "Time the policy took for an observation.",
    "volition_wait_seconds": "Time an observation waited for the policy, which takes one at a time.",
}


class Metrics:
    """For the event loop's thread alone. `gauges` are asked when somebody looks."""

    def __init__(self, gauges: dict[str, tuple[str, Callable[[], float]]]) -> None:
        self._gauges = gauges
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in COUNTERS}
        self._times = {name: [0] * (len(_BUCKETS) + 1) for name in TIMES}
        self._sums = dict.fromkeys(TIMES, 0.0)

    def count(self, name: str, label: str = "", by: int = 1) -> None:
        self._counts[name][label] += by

    def observe(self, name: str, seconds: float) -> None:
        self._times[name][bisect_left(_BUCKETS, seconds)] += 1
        self._sums[name] += seconds

    def total(self, name: str, label: str = "") -> int:
        return self._counts[name][label]

    def text(self) -> str:
        lines: list[str] = []
        for name, (label, meaning) in COUNTERS.items():
            lines += [f"# HELP {name} {meaning}", f"# TYPE {name} counter"]
            found = self._counts[name] or ({} if label else {"": 0})
            lines += [f'{name}{{{label}="{key}"}} {n}' if label else f"{name} {n}" for key, n in found.items()]
        for name, meaning in TIMES.items():
            lines += [f"# HELP {name} {meaning}", f"# TYPE {name} histogram"]
            passed = 0
            for edge, number in zip((*map(str, _BUCKETS), "+Inf"), self._times[name], strict=True):
                passed += number
                lines.append(f'{name}_bucket{{le="{edge}"}} {passed}')
            lines += [f"{name}_sum {self._sums[name]:.6f}", f"{name}_count {passed}"]
        for name, (meaning, value) in self._gauges.items():
            lines += [f"# HELP {name} {meaning}", f"# TYPE {name} gauge", f"{name} {value():g}"]
        return "\n".join(lines) + "\n"
