"""Scenes to stand in: what a World is decorated with before it is compiled."""

from __future__ import annotations

import math

import mujoco

# Pillars to walk among, so that a head camera has something to see: name, colour, place on the floor, height, radius.
_PILLARS = (
    ("red_pillar", (0.83, 0.27, 0.23), (2.6, 1.1), 1.0, 0.14),
    ("blue_pillar", (0.22, 0.42, 0.72), (2.9, -0.9), 0.7, 0.18),
    ("yellow_pillar", (0.93, 0.74, 0.26), (-1.9, 1.9), 0.9, 0.15),
    ("green_pillar", (0.35, 0.62, 0.38), (-1.6, -2.0), 1.2, 0.12),
)


def plaza(spec: mujoco.MjSpec) -> None:
    """An open floor with four coloured pillars and a ring around where the robot starts."""
    for name, colour, (x, y), height, radius in _PILLARS:
        body = spec.worldbody.add_body(name=name, pos=[x, y, height / 2])
        body.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_CYLINDER, size=[radius, height / 2, 0], rgba=[*colour, 1])
    for number in range(24):
        angle = 2 * math.pi * number / 24
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX,
            pos=[math.cos(angle), math.sin(angle), 0.001],
            quat=[math.cos(angle / 2), 0, 0, math.sin(angle / 2)],
            size=[0.012, 0.06, 0.001],
            rgba=[0.25, 0.42, 0.55, 1],
            contype=0,
            conaffinity=0,
        )
