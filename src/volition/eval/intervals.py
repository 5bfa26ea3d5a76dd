"""Confidence intervals for the rates that reports print."""

from __future__ import annotations

import math

from volition.errors import ContractError


def wilson(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval (low, high) for a rate; z = 1.96 gives 95 %. No trials: (0, 1), nothing is known.

    Unlike mean +- z * sd it stays inside 0..1 and is not empty at 0 or all successes, where small studies live.
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
    """
    if trials < 0 or not 0 <= successes <= trials:
        raise ContractError(f"wilson got {successes} successes of {trials} trials; it needs 0 <= successes <= trials.")
    if trials == 0:
        return 0.0, 1.0
    rate = successes / trials
    scale = 1 + z * z / trials
    middle = (rate + z * z / (2 * trials)) / scale
    half = z / scale * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials))
    # At the ends the exact bound is 0 or 1; rounding must not miss it.
    return (0.0 if successes == 0 else middle - half), (1.0 if successes == trials else middle + half)
