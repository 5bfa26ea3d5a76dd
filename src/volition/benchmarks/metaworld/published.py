"""What others report on these 50 tasks: success in per cent by tier, and the mean of the four tiers.

The table that goes with results.py. Where a row was measured by its own authors it is as they print it; protocols differ
in details that they do not all state (the horizon of 400 or 500 steps, the size of pictures, a history of them).
"""

from __future__ import annotations

from dataclasses import dataclass

_SMOLVLA = "SmolVLA, Shukor et al. 2025, arXiv:2506.01844"


@dataclass(frozen=True, kw_only=True)
class Published:
    name: str
    parameters: str
    tiers: tuple[float, float, float, float]  # easy, medium, hard, very hard
    average: float  # as printed
    source: str


PUBLISHED = (
    Published(name="Diffusion Policy", parameters="", tiers=(23.1, 10.7, 1.9, 6.1), average=10.5, source=_SMOLVLA),
    Published(name="TinyVLA", parameters="1.3 B", tiers=(77.6, 21.5, 11.4, 15.8), average=31.6, source=_SMOLVLA),
    Published(name="pi0", parameters="3.5 B", tiers=(71.8, 48.2, 41.7, 30.0), average=47.9, source=_SMOLVLA),
    Published(name="SmolVLA", parameters="0.45 B", tiers=(82.5, 41.8, 45.0, 60.0), average=57.3, source=_SMOLVLA),
    Published(name="SmolVLA", parameters="2.25 B", tiers=(87.1, 51.8, 70.0, 64.0), average=68.2, source=_SMOLVLA),
    Published(
        name="Evo-1",
        parameters="0.77 B",
        tiers=(89.2, 76.8, 77.2, 79.2),
        average=80.6,
        source="its paper; others reproduced 76; it is given the object's position",
    ),
    Published(name="pi0 + DLAM", parameters="3 B", tiers=(90.3, 84.8, 84.0, 91.3), average=87.6, source="its paper"),
    Published(name="FabriVLA", parameters="0.89 B", tiers=(95.0, 88.2, 86.7, 90.0), average=90.0, source="its paper"),
)
