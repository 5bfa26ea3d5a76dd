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
    """Plans of several lengths as one matrix: all jerk rows, plan after plan, then acceleration, velocity, position."""

    ticks: tuple[int, ...]  # N of each plan
    columns: tuple[np.ndarray, ...]  # (rows, 1) for each component of the state
    starts: np.ndarray  # (4 * plans,) the row where each kind of each plan begins
    places: np.ndarray  # (plans, longest) the position rows of each plan, its last one repeated

    def roll(self, motion: tuple[np.ndarray, ...]) -> np.ndarray:
        """Every row for motions, one (n,) a component: (rows, n). Not `@`: a threaded BLAS would wait for other cores in the tick."""
        rows = self.columns[0] * motion[0]
        for column, component in zip(self.columns[1:], motion[1:], strict=True):
            rows += column * component
        return rows

    def extremes(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Largest and smallest value of each kind in each plan: (4, plans, n) twice."""
        shape = (4, len(self.ticks), rows.shape[1])
        most, least = np.maximum.reduceat(rows, self.starts), np.minimum.reduceat(rows, self.starts)
        return most.reshape(shape), least.reshape(shape)

    def farthest(self, rows: np.ndarray) -> np.ndarray:
        """Largest magnitude of each kind in each plan: (4, plans, n)."""
        most = np.maximum.reduceat(np.abs(rows), self.starts)
        return most.reshape(4, len(self.ticks), rows.shape[1])

    def positions(self, rows: np.ndarray) -> np.ndarray:
        """The position rows, a view."""
        return rows[self.starts[POSITION * len(self.ticks)] :]

    def first_jerks(self, rows: np.ndarray) -> np.ndarray:
        """The jerk of each plan's first tick: (plans, n)."""
        return rows[self.starts[: len(self.ticks)]]


def plan_table(ticks: tuple[int, ...], state: int, dt: float) -> PlanTable:
    """Least-squares jerk plans that bring the last `state` components of (p, v, a) to zero in each of `ticks`."""
    kinds: list[list[np.ndarray]] = [[], [], [], []]
    for length in ticks:
        motion = np.eye(3)[:, 3 - state :]  # rows p, v, a; columns the state they start from
        for jerk in _least_jerk(length, state, dt):
            acceleration = motion[2] + jerk * dt
            velocity = motion[1] + acceleration * dt
            motion = np.stack([motion[0] + velocity * dt, velocity, acceleration])
            for kind, row in zip(kinds, (jerk, acceleration, velocity, motion[0]), strict=True):
                kind.append(row)
    offsets = np.concatenate([[0], np.cumsum(ticks)])
    block = int(offsets[-1])
    matrix = np.array([row for kind in kinds for row in kind])  # (4 * block, state)
    within = np.minimum(np.arange(ticks[-1])[None], np.array(ticks)[:, None] - 1)
    return PlanTable(
        ticks=ticks,
        columns=tuple(np.ascontiguousarray(column[:, None]) for column in matrix.T),
        starts=np.concatenate([offsets[:-1] + kind * block for kind in range(4)]),
        places=POSITION * block + offsets[:-1, None] + within,
    )


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
