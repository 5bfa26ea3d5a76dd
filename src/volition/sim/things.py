"""How each kind of thing is made in MuJoCo: geometry, joints and contacts. One function a kind; `KINDS` is the list.

Everything that can be held is held by friction alone: elliptic cones, condim 4. Lengths in `Thing.size`:

    can: radius, height        box: width, depth, height        plate: radius, height       tray: width, depth, height
    cup, bowl: radius, height  button: radius                   drawer: width, depth, height
    wiper: width, depth        patch: width, depth              pillar: radius, height      crate: width, height
    cone: radius, height       chair: width, height     person: width at the shoulders, height
"""

from __future__ import annotations

import math
from collections.abc import Callable

import mujoco
import numpy as np

from volition.sim.scene import Thing, Vector

COLOURS: dict[str, Vector] = {
    "red": (0.80, 0.13, 0.12),
    "green": (0.16, 0.58, 0.22),
    "blue": (0.13, 0.30, 0.78),
    "yellow": (0.93, 0.80, 0.14),
    "orange": (0.95, 0.48, 0.08),
    "purple": (0.48, 0.20, 0.62),
    "white": (0.93, 0.93, 0.92),
    "black": (0.10, 0.10, 0.11),
}

BUTTON_TRAVEL = 0.012  # m
DRAWER_TRAVEL = 0.14  # m
HANDLE_OUT = 0.07  # m, from a drawer's front to the middle of its bar
HANDLE_RADIUS = 0.009  # m
DRAWER_CASE = 0.006  # m, thickness of the boards around a drawer
BEAD = 0.008  # m, radius
BEADS = 8
WALL = 0.004  # m, half the thickness of a cup's wall
WIPER_HANDLE = (0.022, 0.11)  # m: radius, height
WIPER_BASE = 0.014  # m, thickness
TILE = 0.013  # m, about, of a stain
SKIN = (0.80, 0.62, 0.50)

_CYLINDER, _BOX, _SPHERE = mujoco.mjtGeom.mjGEOM_CYLINDER, mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_SPHERE
_CAPSULE, _ELLIPSOID = mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_ELLIPSOID
# A fixture's moving part does not rub on the part that stands still; both meet the robot and loose things.
_STILL, _MOVING = {"contype": 2, "conaffinity": 1}, {"contype": 4, "conaffinity": 1}
Add = Callable[[mujoco.MjSpec, Thing], None]


def add(spec: mujoco.MjSpec, thing: Thing) -> None:
    KINDS[thing.kind](spec, thing)


def _body(spec: mujoco.MjSpec, thing: Thing, lift: float = 0.0) -> mujoco.MjsBody:
    x, y, z = thing.position
    turned = [math.cos(thing.heading / 2), 0.0, 0.0, math.sin(thing.heading / 2)]
    return spec.worldbody.add_body(name=thing.name, pos=[x, y, z + lift], quat=turned)


def _loose(spec: mujoco.MjSpec, thing: Thing) -> mujoco.MjsBody:
    body = _body(spec, thing, lift=0.0005)  # a hair above what it stands on
    body.add_freejoint(name=thing.name)
    return body


def _geom(body: mujoco.MjsBody, thing: Thing, kind: int, size: list[float], pos: list[float], **more: object) -> None:
    settings: dict[str, object] = {"rgba": [*thing.rgb, 1.0], "friction": [thing.friction, 0.02, 0.001], "condim": 4}
    body.add_geom(type=kind, size=size, pos=pos, **{**settings, **more})


def _can(spec: mujoco.MjSpec, thing: Thing) -> None:
    radius, height = thing.size
    _geom(_loose(spec, thing), thing, _CYLINDER, [radius, height / 2, 0], [0, 0, height / 2], mass=thing.mass)


def _box(spec: mujoco.MjSpec, thing: Thing) -> None:
    width, depth, height = thing.size
    _geom(_loose(spec, thing), thing, _BOX, [depth / 2, width / 2, height / 2], [0, 0, height / 2], mass=thing.mass)


def _plate(spec: mujoco.MjSpec, thing: Thing) -> None:
    radius, height = thing.size
    _geom(_body(spec, thing), thing, _CYLINDER, [radius, height / 2, 0], [0, 0, height / 2])


def _tray(spec: mujoco.MjSpec, thing: Thing) -> None:
    width, depth, height = thing.size
    body = _body(spec, thing)
    _geom(body, thing, _BOX, [depth / 2, width / 2, 0.003], [0, 0, 0.003])
    for x, y, along, across in (
        (depth / 2, 0.0, WALL, width / 2 + WALL),
        (-depth / 2, 0.0, WALL, width / 2 + WALL),
        (0.0, width / 2, depth / 2, WALL),
        (0.0, -width / 2, depth / 2, WALL),
    ):
        _geom(body, thing, _BOX, [along, across, height / 2], [x, y, height / 2])


def _vessel(body: mujoco.MjsBody, thing: Thing, radius: float, height: float, mass: float | None, sides: int) -> None:
    """A floor and a wall of flat pieces: MuJoCo's solids are convex, so a hollow is built of several."""
    floor = {} if mass is None else {"mass": mass / 2}
    _geom(body, thing, _CYLINDER, [radius, WALL, 0], [0, 0, WALL], **floor)
    half = math.pi / sides
    for number in range(sides):
        angle = 2 * math.pi * number / sides
        _geom(
            body,
            thing,
            _BOX,
            [WALL, radius * math.tan(half), height / 2],
            [(radius - WALL) * math.cos(angle), (radius - WALL) * math.sin(angle), height / 2],
            quat=[math.cos(angle / 2), 0, 0, math.sin(angle / 2)],
            **({} if mass is None else {"mass": mass / 2 / sides}),
        )


def _cup(spec: mujoco.MjSpec, thing: Thing) -> None:
    """A cup on its own, with its beads in it: `beads_of` names them.

    What lies still may sleep: the beads of a cup that nobody touches cost as much time as the robot does.
    """
    spec.option.enableflags |= mujoco.mjtEnableBit.mjENBL_SLEEP
    radius, height = thing.size
    _vessel(_loose(spec, thing), thing, radius, height, thing.mass, sides=10)
    x, y, z = thing.position
    ring = radius - 2 * WALL - BEAD - 0.002
    for number, name in enumerate(beads_of(thing)):
        layer, slot = divmod(number, 4)
        angle = math.pi / 2 * slot + layer * math.pi / 4
        bead = spec.worldbody.add_body(
            name=name,
            pos=[
                x + ring * math.cos(angle),
                y + ring * math.sin(angle),
                z + 2 * WALL + BEAD + 0.001 + layer * 2.1 * BEAD,
            ],
        )
        bead.add_freejoint(name=name)
        bead.add_geom(
            type=_SPHERE,
            size=[BEAD, 0, 0],
            mass=0.002,
            rgba=[0.95, 0.92, 0.85, 1],
            friction=[0.06, 0.002, 0.0003],
            priority=1,  # its own friction counts, not the cup's: polished, beads run out one after the other, not in a rush
            condim=6,  # beads that did not roll to rest would never lie still
        )


def beads_of(thing: Thing) -> tuple[str, ...]:
    return tuple(f"{thing.name}.bead{number}" for number in range(BEADS))


def _bowl(spec: mujoco.MjSpec, thing: Thing) -> None:
    radius, height = thing.size
    _vessel(_body(spec, thing), thing, radius, height, None, sides=12)


def _button(spec: mujoco.MjSpec, thing: Thing) -> None:
    """A cap that slides into the wall, along +x at heading 0, against a spring that takes `load` at the end of its travel."""
    body = _body(spec, thing)
    (radius,) = thing.size
    _geom(
        body,
        thing,
        _CYLINDER,
        [radius * 1.3, 0.004, 0],
        [0.0, 0, 0],
        quat=[math.sqrt(0.5), 0, math.sqrt(0.5), 0],
        rgba=[0.25, 0.25, 0.27, 1],
        **_STILL,
    )
    cap = body.add_body(name=f"{thing.name}.cap", pos=[-0.018, 0, 0])
    cap.add_joint(
        name=thing.name,
        type=mujoco.mjtJoint.mjJNT_SLIDE,
        axis=[1, 0, 0],
        range=[0.0, BUTTON_TRAVEL],
        limited=mujoco.mjtLimited.mjLIMITED_TRUE,
        stiffness=0.7 * thing.load / BUTTON_TRAVEL,
        springref=-0.3 / 0.7 * BUTTON_TRAVEL,
        damping=2.0,
    )
    _geom(
        cap,
        thing,
        _CYLINDER,
        [radius, 0.014, 0],
        [0, 0, 0],
        quat=[math.sqrt(0.5), 0, math.sqrt(0.5), 0],
        mass=0.03,
        **_MOVING,
    )


def _drawer(spec: mujoco.MjSpec, thing: Thing) -> None:
    """A drawer in its own case: it slides out along -x at heading 0; `position` is the middle of its front, at its foot.

    The case may reach into the wall: neither it nor the drawer meets what stands still.
    """
    width, depth, height = thing.size
    body = _body(spec, thing)
    half = DRAWER_CASE / 2
    for size, pos in (
        ([depth / 2, width / 2 + 2 * half, half], [depth / 2, 0, height + half]),
        ([depth / 2, width / 2 + 2 * half, half], [depth / 2, 0, -half]),
        ([depth / 2, half, height / 2], [depth / 2, width / 2 + half, height / 2]),
        ([depth / 2, half, height / 2], [depth / 2, -width / 2 - half, height / 2]),
    ):
        _geom(body, thing, _BOX, size, pos, rgba=[0.46, 0.36, 0.27, 1], **_STILL)
    box = body.add_body(name=f"{thing.name}.box", pos=[0, 0, 0])
    box.add_joint(
        name=thing.name,
        type=mujoco.mjtJoint.mjJNT_SLIDE,
        axis=[-1, 0, 0],
        range=[0.0, DRAWER_TRAVEL],
        limited=mujoco.mjtLimited.mjLIMITED_TRUE,
        frictionloss=thing.load,
        damping=4.0,
        armature=0.2,
    )
    wood, metal = [0.72, 0.60, 0.45, 1], [0.30, 0.31, 0.33, 1]
    middle, gap, long = height / 2, 0.002, handle_half(thing)
    for kind, size, pos, mass, rgba in (
        (_BOX, [0.006, width / 2 - gap, middle - gap], [0.0, 0, middle], 0.3, [*thing.rgb, 1]),
        (_BOX, [0.47 * depth, width / 2 - 0.006, 0.003], [0.48 * depth, 0, 0.006], 0.15, wood),
        (_BOX, [0.47 * depth, 0.003, 0.3 * height], [0.48 * depth, width / 2 - 0.006, 0.3 * height], 0.05, wood),
        (_BOX, [0.47 * depth, 0.003, 0.3 * height], [0.48 * depth, 0.006 - width / 2, 0.3 * height], 0.05, wood),
        (_BOX, [HANDLE_OUT / 2, 0.006, 0.004], [-HANDLE_OUT / 2, 0, middle + long - 0.004], 0.01, metal),
        (_BOX, [HANDLE_OUT / 2, 0.006, 0.004], [-HANDLE_OUT / 2, 0, middle - long + 0.004], 0.01, metal),
        (_CYLINDER, [HANDLE_RADIUS, long, 0], [-HANDLE_OUT, 0, middle], 0.03, metal),
    ):
        _geom(box, thing, kind, size, pos, mass=mass, rgba=rgba, **_MOVING)


def handle_half(thing: Thing) -> float:
    """Half the length of a drawer's upright bar."""
    return min(0.059, thing.size[2] / 2 - 0.004)


def bar(drawer: Thing) -> np.ndarray:
    """The middle of a drawer's bar, from the origin of its box."""
    return np.array([-HANDLE_OUT, 0.0, drawer.size[2] / 2])


def _wiper(spec: mujoco.MjSpec, thing: Thing) -> None:
    """A foam block with an upright handle. The foam slides: its friction counts, not the table's."""
    width, depth = thing.size
    radius, height = WIPER_HANDLE
    body = _loose(spec, thing)
    _geom(
        body,
        thing,
        _BOX,
        [depth / 2, width / 2, WIPER_BASE / 2],
        [0, 0, WIPER_BASE / 2],
        mass=0.8 * thing.mass,
        friction=[0.35 * thing.friction, 0.01, 0.001],
        priority=1,
    )
    _geom(
        body,
        thing,
        _CYLINDER,
        [radius, height / 2, 0],
        [0, 0, WIPER_BASE + height / 2],
        mass=0.2 * thing.mass,
        rgba=[0.32, 0.30, 0.28, 1],
    )


def _patch(spec: mujoco.MjSpec, thing: Thing) -> None:
    """A stain, only to be seen: of many small tiles, so that it can be wiped away (`stains.py`)."""
    body = _body(spec, thing)
    spots, half = tiles(thing)
    for x, y in spots:
        _geom(body, thing, _BOX, [*half, 0.0005], [x, y, 0.0005], contype=0, conaffinity=0, mass=0.0)


def tiles(patch: Thing) -> tuple[np.ndarray, tuple[float, float]]:
    """The middles of a stain's tiles in its own frame, (N, 2), and half a tile's depth and width. Its corners are round."""
    width, depth = patch.size
    rows, columns = max(round(depth / TILE), 1), max(round(width / TILE), 1)
    x, y = (np.arange(count) * 2 + 1 - count for count in (rows, columns))
    grid = np.stack(np.meshgrid(x / rows, y / columns, indexing="ij"), axis=-1).reshape(-1, 2)
    kept = grid[np.sum(grid**4, axis=1) <= 1.0]
    return kept * [depth / 2, width / 2], (depth / rows / 2, width / columns / 2)


def _pillar(spec: mujoco.MjSpec, thing: Thing) -> None:
    radius, height = thing.size
    _geom(_body(spec, thing), thing, _CYLINDER, [radius, height / 2, 0], [0, 0, height / 2])


def _crate(spec: mujoco.MjSpec, thing: Thing) -> None:
    width, height = thing.size
    _geom(_body(spec, thing), thing, _BOX, [width / 2, width / 2, height / 2], [0, 0, height / 2])


def _cone(spec: mujoco.MjSpec, thing: Thing) -> None:
    """A traffic cone: a flat square foot, and slices that narrow, because MuJoCo has no cone."""
    radius, height = thing.size
    body = _body(spec, thing)
    _geom(body, thing, _BOX, [radius, radius, 0.015], [0, 0, 0.015], rgba=[0.12, 0.12, 0.12, 1])
    slices = 8
    half = (height - 0.03) / slices / 2
    for number in range(slices):
        share = 1.0 - (number + 0.5) / slices
        size = [radius * (0.15 + 0.7 * share), half, 0]
        white = {"rgba": [0.92, 0.92, 0.92, 1]} if number in (4, 5) else {}
        _geom(body, thing, _CYLINDER, size, [0, 0, 0.03 + half * (2 * number + 1)], **white)


def _chair(spec: mujoco.MjSpec, thing: Thing) -> None:
    """Seat, back and four legs; it looks along x at heading 0."""
    width, height = thing.size
    body = _body(spec, thing)
    seat, leg = 0.5 * height, 0.018
    inner = width / 2 - leg
    _geom(body, thing, _BOX, [width / 2, width / 2, 0.02], [0, 0, seat])
    _geom(body, thing, _BOX, [0.018, width / 2, (height - seat) / 2], [-inner, 0, (height + seat) / 2])
    for x, y in ((inner, inner), (inner, -inner), (-inner, inner), (-inner, -inner)):
        _geom(body, thing, _BOX, [leg, leg, seat / 2], [x, y, seat / 2])


def _person(spec: mujoco.MjSpec, thing: Thing) -> None:
    """Somebody who stands there and looks along x at heading 0: all clothes in one colour, the trousers darker."""
    width, height = thing.size
    body = _body(spec, thing)
    dark = [*(0.75 * value for value in thing.rgb), 1.0]
    skin, shoes, hair = [*SKIN, 1.0], [0.10, 0.09, 0.09, 1.0], [0.20, 0.14, 0.10, 1.0]
    leg, arm = 0.17 * width, 0.11 * width
    for side in (1, -1):
        _geom(
            body,
            thing,
            _BOX,
            [0.075 * height, leg, 0.02 * height],
            [0.02 * height, side * 0.22 * width, 0.02 * height],
            rgba=shoes,
        )
        _geom(body, thing, _CAPSULE, [leg, 0.21 * height, 0], [0, side * 0.22 * width, 0.27 * height], rgba=dark)
        _geom(body, thing, _CAPSULE, [arm, 0.15 * height, 0], [0, side * 0.48 * width, 0.65 * height])
        _geom(body, thing, _SPHERE, [arm, 0, 0], [0, side * 0.48 * width, 0.46 * height], rgba=skin)
    _geom(body, thing, _ELLIPSOID, [0.26 * width, 0.46 * width, 0.20 * height], [0, 0, 0.66 * height])
    _geom(body, thing, _CAPSULE, [0.1 * width, 0.03 * height, 0], [0, 0, 0.86 * height], rgba=skin)
    _geom(body, thing, _SPHERE, [0.062 * height, 0, 0], [0, 0, 0.93 * height], rgba=skin)
    _geom(body, thing, _SPHERE, [0.060 * height, 0, 0], [-0.012 * height, 0, 0.94 * height], rgba=hair)


KINDS: dict[str, Add] = {
    "can": _can,
    "box": _box,
    "plate": _plate,
    "tray": _tray,
    "cup": _cup,
    "bowl": _bowl,
    "button": _button,
    "drawer": _drawer,
    "wiper": _wiper,
    "patch": _patch,
    "pillar": _pillar,
    "crate": _crate,
    "cone": _cone,
    "chair": _chair,
    "person": _person,
}


def shade(colour: str, random: np.random.Generator, strength: float) -> Vector:
    """A colour as it may look: every channel off by up to 0.06 times `strength`."""
    off = random.uniform(-0.06, 0.06, size=3) * strength
    red, green, blue = np.clip(np.array(COLOURS[colour]) + off, 0.02, 0.98)
    return (float(red), float(green), float(blue))
