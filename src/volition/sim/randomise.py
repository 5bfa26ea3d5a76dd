"""What varies from scene to scene: named axes, each with its own strength and its own stream of random numbers.

Turning one axis off or up leaves what the others draw untouched: so an axis can be studied alone, seed by seed.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from volition.errors import ContractError
from volition.sim.scene import TABLE, Goal, Looks, Physics, Scene, Start, Thing, Vector
from volition.sim.things import shade

Item = TypeVar("Item")
CAMERAS = ("head", "left_wrist", "right_wrist")


@dataclass(frozen=True, kw_only=True)
class Axes:
    """The strength of each axis: 0 switches it off, 1 is what training sees, 2 is twice that."""

    layout: float = 1.0  # where things stand, within what the skill allows
    colours: float = 1.0  # shades: up to 0.06 a channel
    shapes: float = 1.0  # sizes: up to 8 %
    table: float = 1.0  # colours of table and wall: up to 0.12 a channel
    floor: float = 1.0  # colours of the floor: up to 0.12 a channel
    light: float = 1.0  # direction up to 0.25, brightness up to 20 %, warmth up to 6 %
    camera: float = 1.0  # up to 5 mm and 0.01 rad
    start: float = 1.0  # up to 1.5 cm, 0.03 rad, 0.02 rad a joint, and 2 s of standing before it is told anything
    distractors: float = 1.0  # how many things the words do not mean: 0 none, 1 two or three, 2 up to five
    sensors: float = 1.0  # joints 0.002 rad, pixels 2 of 255 (standard deviations)
    latency: float = 1.0  # 20 ms, and up to 40 ms more
    mass: float = 1.0  # of things up to 20 %, of the robot's links 2 %
    friction: float = 1.0  # of things up to 20 %, of the floor 0.7 to 1.1

    def __post_init__(self) -> None:
        for axis in fields(self):
            value = getattr(self, axis.name)
            if not 0.0 <= value <= 10.0:
                raise ContractError(
                    f"Axes.{axis.name} is {value}; a strength is 0 (off) to 10, 1 is what training sees."
                )


NOMINAL = Axes(**{axis.name: 0.0 for axis in fields(Axes) if axis.name not in ("layout", "distractors")})


class Draw:
    """All random choices of one scene: `on(axis)` is that axis's own generator."""

    def __init__(self, seed: int, axes: Axes | None = None) -> None:
        if seed < 0:
            raise ContractError(f"The seed of a scene is {seed}; it must be 0 or more.")
        self.seed, self.axes = seed, axes or Axes()
        self._streams: dict[str, np.random.Generator] = {}

    def on(self, axis: str) -> np.random.Generator:
        if axis not in self._streams:
            self._streams[axis] = np.random.default_rng([self.seed, zlib.crc32(axis.encode())])
        return self._streams[axis]

    def spread(self, axis: str, most: float, size: int | None = None, *, of: str = "") -> np.ndarray:
        """Uniform within `most` times the axis's strength of zero. `of` has a stream of its own, whatever else is drawn."""
        return self.on(axis + of).uniform(-1.0, 1.0, size) * most * getattr(self.axes, axis)

    def pick(self, items: Sequence[Item], axis: str = "layout") -> Item:
        return items[int(self.on(axis).integers(len(items)))]

    def shuffle(self, items: Sequence[Item], axis: str = "layout") -> list[Item]:
        return [items[index] for index in self.on(axis).permutation(len(items))]

    def place(self, low: float, high: float, *, of: str = "") -> float:
        """Anywhere between, as strongly as the layout varies."""
        return (low + high) / 2 + float(self.spread("layout", (high - low) / 2, of=of))

    def size(self, value: float) -> float:
        return value * (1.0 + float(self.spread("shapes", 0.08)))

    def rgb(self, colour: str) -> Vector:
        return shade(colour, self.on("colours"), self.axes.colours)

    def mass(self, value: float) -> float:
        return value * (1.0 + float(np.clip(self.spread("mass", 0.2), -0.8, 4.0)))

    def friction(self) -> float:
        return 1.0 + float(np.clip(self.spread("friction", 0.2), -0.8, 4.0))

    def extra(self) -> int:
        """How many distractors there are."""
        strength = self.axes.distractors
        return (
            0
            if strength == 0
            else int(self.on("distractors").integers(math.ceil(strength) + 1, round(1 + 2 * strength) + 1))
        )

    def scene(
        self, things: Sequence[Thing], goals: Sequence[Goal], *, table: float | None = TABLE, heading: float = 0.0
    ) -> Scene:
        """These things and goals, with start, looks and physics as the axes draw them."""
        return Scene(
            seed=self.seed,
            things=tuple(things),
            goals=tuple(goals),
            table=table,
            start=self.start(heading=heading),
            looks=self.looks(),
            physics=self.physics(),
        )

    def looks(self) -> Looks:
        base = Looks()
        table, wall = (self._tint("table", colour, 0.12) for colour in (base.table, base.wall))
        floor = (self._tint("floor", base.floor[0], 0.12), self._tint("floor", base.floor[1], 0.12))
        light = np.array(base.light) + self.spread("light", 0.25, 3) * np.array([1.0, 1.0, 0.3])
        cameras = {
            name: tuple(float(v) for v in (*self.spread("camera", 0.005, 3), *self.spread("camera", 0.01, 3)))
            for name in CAMERAS
        }
        return Looks(
            table=table,
            wall=wall,
            floor=floor,
            light=tuple(float(value) for value in light),  # pyright: ignore[reportArgumentType]
            brightness=1.0 + float(np.clip(self.spread("light", 0.2), -0.7, 2.0)),
            warmth=float(np.clip(self.spread("light", 0.06), -0.5, 0.5)),
            cameras=cameras if self.axes.camera else {},  # pyright: ignore[reportArgumentType]
        )

    def start(self, position: tuple[float, float] = (0.0, 0.0), heading: float = 0.0) -> Start:
        x, y = self.spread("start", 0.015, 2)
        return Start(
            position=(position[0] + float(x), position[1] + float(y)),
            heading=heading + float(self.spread("start", 0.03)),
            joints=int(self.on("start").integers(1, 2**31)) if self.axes.start else 0,
            joint_noise=0.02 * self.axes.start,
            stood_s=self.axes.start + float(self.spread("start", 1.0, of=".stood")),
        )

    def physics(self) -> Physics:
        return Physics(
            floor_friction=float(np.clip(0.9 + self.spread("friction", 0.2, of=".floor"), 0.3, 2.0))
            if self.axes.friction
            else 1.0,
            link_masses=int(self.on("mass.links").integers(1, 2**31)) if self.axes.mass else 0,
            link_noise=min(0.02 * self.axes.mass, 0.5),
            latency_s=0.02 + float(self.on("latency").uniform(0.0, 0.04)) * self.axes.latency,
            joint_noise=0.002 * self.axes.sensors,
            pixel_noise=2.0 * self.axes.sensors,
        )

    def _tint(self, axis: str, colour: Vector, most: float) -> Vector:
        red, green, blue = np.clip(np.array(colour) + self.spread(axis, most, 3), 0.02, 0.98)
        return (float(red), float(green), float(blue))
