"""Linear maps from a joint's motion to a plan of future ticks that ends at rest; the limiter checks and stores such plans.

Time is counted in control ticks of dt and derivatives are backward differences, as the limits are checked:
a' = a + j dt, v' = v + a' dt, p' = p + v' dt. The jerks that bring (v, a) to (0, 0) in N ticks with the smallest sum
of squares are a linear function of (v, a), and so are all velocities, accelerations and positions on the way
(a velocity that is cubic in time: about 15 % longer than the fastest S-curve). The same for (p, v, a) to (0, 0, 0)
(a quintic). All N at once are one matrix, so checking every tick of every plan of every joint is one product.
Every jerk counts, also the first one (from the motion now) and the last one (into rest).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

JERK, ACCELERATION, VELOCITY, POSITION = range(4)  # kinds of rows


@dataclass(frozen=True, kw_only=True)
class PlanTable:
    """Plans of several lengths as one matrix, tick by tick; a plan shorter than the longest stays where it ended."""

    ticks: tuple[int, ...]  # N of each plan
    matrix: np.ndarray  # (longest * 4 * plans, state): for each tick the four kinds of all plans

    def roll(self, motion: np.ndarray) -> np.ndarray:
        """Every kind of every plan at every tick for motions (state, n): (longest, 4, plans, n).

        The product is far below the size from which a BLAS uses threads, which would wait for other cores in the tick.
        """
        rows = self.matrix @ motion
        return rows.reshape(self.ticks[-1], 4, len(self.ticks), -1)


def plan_table(ticks: tuple[int, ...], state: int, dt: float) -> PlanTable:
    """Least-squares jerk plans that bring the last `state` components of (p, v, a) to zero in each of `ticks`."""
    matrix = np.zeros((ticks[-1], 4, len(ticks), state))
    for plan, length in enumerate(ticks):
        motion = np.eye(3)[:, 3 - state :]  # rows p, v, a; columns the state they start from
        for tick, jerk in enumerate(_least_jerk(length, state, dt)):
            acceleration = motion[2] + jerk * dt
            velocity = motion[1] + acceleration * dt
            motion = np.stack([motion[0] + velocity * dt, velocity, acceleration])
            matrix[tick, :, plan] = np.stack([jerk, acceleration, velocity, motion[0]])
        matrix[length:, POSITION, plan] = motion[0]
    return PlanTable(ticks=ticks, matrix=matrix.reshape(-1, state))


def beside(first: PlanTable, second: PlanTable) -> PlanTable:
    """The plans of both, as one table over the components of both states; they have the same longest plan."""
    plans = len(first.ticks), len(second.ticks)
    state = first.matrix.shape[1], second.matrix.shape[1]
    matrix = np.zeros((first.ticks[-1], 4, sum(plans), sum(state)))
    matrix[:, :, : plans[0], : state[0]] = first.matrix.reshape(-1, 4, plans[0], state[0])
    matrix[:, :, plans[0] :, state[0] :] = second.matrix.reshape(-1, 4, plans[1], state[1])
    return PlanTable(ticks=(*first.ticks, *second.ticks), matrix=matrix.reshape(-1, sum(state)))


def plan_lengths(shortest: int, longest: int, most: int = 9) -> tuple[int, ...]:
    """Every length where they are few; evenly spread in ratio where they would be many."""
    if longest - shortest < most:
        return tuple(range(shortest, longest + 1))
    spread = np.geomspace(shortest, longest, most)
    return tuple(sorted({round(float(length)) for length in spread}))


def _least_jerk(length: int, state: int, dt: float) -> np.ndarray:
    step = np.array([[1, dt, dt * dt], [0, 1, dt], [0, 0, 1.0]])
    push = np.array([dt**3, dt**2, dt])
    reach = np.stack([np.linalg.matrix_power(step, length - 1 - tick) @ push for tick in range(length)], axis=1)
    free = np.linalg.matrix_power(step, length)
    keep = slice(3 - state, 3)
    scale = np.array([1 / dt**3, 1 / dt**2, 1 / dt])[keep, None]  # equal magnitudes, for the pseudo-inverse
    return -np.linalg.pinv(scale * reach[keep], rcond=1e-12) @ (scale * free[keep, keep])
