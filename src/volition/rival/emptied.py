"""How many beads are believed to be in a cup: all of them, until it has leaned far enough for long enough."""

from __future__ import annotations

from volition.rival.belief import Belief
from volition.sim.scene import Thing
from volition.sim.things import BEADS

LEANING = 1.9  # rad: so far over a cup empties ...
EMPTY_S = 2.5  # ... in so long


class Emptied:
    def __init__(self, belief: Belief) -> None:
        self._belief = belief
        self._since: float | None = None
        self._empty = False

    def count(self, cup: Thing) -> int:
        """Ask it at every decision."""
        belief = self._belief
        if belief.upright(cup.name) < LEANING:
            self._since = None
        elif self._since is None:
            self._since = belief.time
        elif belief.time - self._since > EMPTY_S:
            self._empty = True
        return 0 if self._empty else BEADS
