"""Two policies on the same seeds: in how many trials only one of them succeeds, and whether that could be chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from volition.eval.runner import Row


def compared(rows: Sequence[Row], others: Sequence[Row]) -> list[dict[str, Any]]:
    """Pair by pair on the same seeds, for each suite: McNemar's exact test, and the interval of the difference."""
    found: list[dict[str, Any]] = []
    for suite in dict.fromkeys(row["suite"] for row in rows):
        pairs = [(a["success"], b["success"]) for a, b in zip(rows, others, strict=True) if a["suite"] == suite]
        better = sum(a and not b for a, b in pairs)
        worse = sum(b and not a for a, b in pairs)
        count = len(pairs)
        difference = (better - worse) / count
        # Newcombe's simple interval of a paired difference; the test below is exact.
        spread = math.sqrt(max(better + worse - (better - worse) ** 2 / count, 0.0)) / count
        found.append(
            {
                "suite": suite,
                "trials": count,
                "better": better,
                "worse": worse,
                "difference": difference,
                "low": difference - 1.96 * spread,
                "high": difference + 1.96 * spread,
                "p": mcnemar(better, worse),
            }
        )
    return found


def mcnemar(better: int, worse: int) -> float:
    """The two-sided exact p-value: as unlikely as this if each disagreement were a coin's toss."""
    count = better + worse
    if count == 0:
        return 1.0
    tail = sum(math.comb(count, k) for k in range(min(better, worse) + 1)) / 2**count
    return min(1.0, 2 * tail)
