"""What each kind of thing looks like from a camera, as the hull of its points; and the place where it would look as seen.

    mask, Eye, candidate kinds and sizes --fit--> Fit: kind, size, position, how well it covers what is seen (IoU)

The sizes are those that a person would measure once: the skills' own tables, without what varies from scene to scene.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from volition.rival.kinematics import Eye
from volition.sim.things import WIPER_BASE, WIPER_HANDLE

# Kind -> the sizes it is made in, as in `Thing.size`.
SIZES: dict[str, tuple[tuple[float, ...], ...]] = {
    "can": ((0.024, 0.122), (0.031, 0.150)),
    "box": ((0.048, 0.048, 0.145), (0.058, 0.058, 0.130)),
    "plate": ((0.065, 0.008),),
    "tray": ((0.13, 0.13, 0.020),),
    "bowl": ((0.070, 0.024),),
    "cup": ((0.030, 0.115),),
    "wiper": ((0.074, 0.062),),  # seen by its handle
    "patch": ((0.088, 0.10),),
    "button": ((0.022,),),
    "drawer": ((0.165, 0.18, 0.118), (0.135, 0.18, 0.118)),
    "pillar": ((0.13, 1.10),),
    "crate": ((0.42, 0.45),),
    "cone": ((0.20, 0.62),),
    "chair": ((0.42, 0.86),),
}
UPRIGHT = np.eye(3)[:, :2]  # what stands is free along x and y ...
ON_WALL = np.eye(3)[:, 1:]  # ... and what hangs on the wall along y and z
_STEPS = 8  # of Newton's method
_TRY = 0.01  # m, to see how the picture changes


@dataclass(frozen=True, kw_only=True)
class Fit:
    kind: str
    size: tuple[float, ...]
    position: np.ndarray
    overlap: float  # of what would be seen with what is seen, 0 to 1


def points(kind: str, size: tuple[float, ...], heading: float = 0.0) -> np.ndarray:
    """Points whose hull is the thing's, (N, 3), from its position."""
    if kind in ("can", "plate", "bowl", "cup", "pillar"):
        return _cylinder(size[0], size[0], 0.0, size[1])
    if kind == "wiper":
        radius, height = WIPER_HANDLE
        return _cylinder(radius, radius, WIPER_BASE, WIPER_BASE + height)
    if kind == "cone":
        return _cylinder(0.85 * size[0], 0.20 * size[0], 0.03, size[1])
    if kind == "button":
        ring = _cylinder(size[0], size[0], 0.004, 0.032)
        return ring[:, [2, 0, 1]] * [-1.0, 1.0, 1.0]
    boxes = {
        "box": lambda: (size[1], size[0], 0.0, size[2]),
        "tray": lambda: (size[1] + 0.008, size[0] + 0.016, 0.0, size[2]),
        "patch": lambda: (0.94 * size[1], 0.94 * size[0], 0.0, 0.001),
        "drawer": lambda: (0.012, size[0], 0.0, size[2]),
        "crate": lambda: (size[0], size[0], 0.0, size[1]),
        "chair": lambda: (size[0], size[0], 0.0, size[1]),
    }
    depth, width, low, high = boxes[kind]()
    grid = np.array([[x * depth / 2, y * width / 2, z] for x in (-1, 1) for y in (-1, 1) for z in (low, high)])
    cosine, sine = math.cos(heading), math.sin(heading)
    return grid @ np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def _cylinder(foot: float, top: float, low: float, high: float) -> np.ndarray:
    angles = np.arange(16) * math.pi / 8
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.vstack([np.column_stack([radius * ring, np.full(16, z)]) for radius, z in ((foot, low), (top, high))])


def silhouette(eye: Eye, at: np.ndarray) -> np.ndarray:
    """(H, W) bool: the pixels whose centres are in the hull of these points of the world, (N, 3)."""
    flat, ahead = eye.project(at)
    flat = flat[ahead > 0.05]
    return filled(flat, eye.height, eye.width)


def hull_of(mask: np.ndarray) -> np.ndarray:
    """The hull of a mask's pixels, filled: what is before a thing cuts no piece out of it."""
    rows, columns = np.nonzero(mask)
    return filled(np.stack([columns + 0.5, rows + 0.5], axis=1), *mask.shape)


def filled(flat: np.ndarray, height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), dtype=bool)
    corners = _corners(flat)
    if len(corners) < 3:
        return mask
    least = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, [width, height])
    most = np.clip(np.ceil(corners.max(axis=0)).astype(int), 0, [width, height])
    column, row = np.meshgrid(np.arange(least[0], most[0]) + 0.5, np.arange(least[1], most[1]) + 0.5)
    inside = np.ones(column.shape, dtype=bool)
    for (x, y), (dx, dy) in zip(corners, np.roll(corners, -1, axis=0) - corners, strict=True):
        inside &= dx * (row - y) - dy * (column - x) >= -1e-9
    mask[least[1] : most[1], least[0] : most[0]] = inside
    return mask


def _corners(flat: np.ndarray) -> np.ndarray:
    """The convex hull's corners in order (Andrew's monotone chain)."""
    ordered = sorted(map(tuple, np.unique(flat, axis=0)))

    def chain(run: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
        kept: list[tuple[float, ...]] = []
        for point in run:
            while len(kept) > 1 and _turns(kept[-2], kept[-1], point) <= 0:
                kept.pop()
            kept.append(point)
        return kept[:-1]

    return np.array(chain(ordered) + chain(ordered[::-1]))


def _turns(a: tuple[float, ...], b: tuple[float, ...], c: tuple[float, ...]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def centre(mask: np.ndarray) -> np.ndarray:
    """Column and row of a mask's middle."""
    rows, columns = np.nonzero(mask)
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])


def fit(
    eye: Eye,
    seen: np.ndarray,
    kind: str,
    size: tuple[float, ...],
    start: np.ndarray,
    free: np.ndarray,
    *,
    heading: float = 0.0,
) -> Fit | None:
    """Move the thing along its two free directions (3, 2) until the middle of its silhouette is that of `seen`, a filled
    mask (H, W). None if it does not get there."""
    if not seen.any():
        return None
    shape, position, goal = points(kind, size, heading), np.array(start, dtype=np.float64), centre(seen)
    for _ in range(_STEPS):
        now = silhouette(eye, shape + position)
        if not now.any():
            return None
        off = goal - centre(now)
        if np.abs(off).max() < 0.05:
            break
        # The middle of all points tells smoothly how the picture changes.
        base = eye.project(shape + position)[0].mean(axis=0)
        slopes = [eye.project(shape + position + _TRY * way)[0].mean(axis=0) - base for way in free.T]
        slope = np.array(slopes).T / _TRY
        if abs(np.linalg.det(slope)) < 1.0:
            return None
        position = position + free @ np.clip(np.linalg.solve(slope, off), -0.3, 0.3)
    now = silhouette(eye, shape + position)
    overlap = float((now & seen).sum() / max((now | seen).sum(), 1))
    return Fit(kind=kind, size=size, position=position, overlap=overlap)
