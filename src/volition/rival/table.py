"""What is on the table and on the wall behind it, from one picture of the head camera.

    picture, Eye --edge--> where the wall is      picture, Eye, kinds --look--> Found: colour, kind, size, position

Nominal knowledge: how high the table is, where its near edge and the wall are, the sizes of things.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from volition.rival.colours import LABELS, METAL, blobs, common, label, stands_out, thick
from volition.rival.kinematics import Eye
from volition.rival.shapes import ON_WALL, SIZES, UPRIGHT, Fit, fit, hull_of, points, silhouette
from volition.sim.scene import TABLE, Thing
from volition.sim.tasks.open_drawer import FOOT, FRONT, SET_BACK
from volition.sim.things import COLOURS, DRAWER_CASE
from volition.sim.workbench import EDGE, WALL

BACKGROUND = 0.06  # of 1: so near to the table's or the wall's colour
FEWEST = 40  # columns in which table and wall must be seen to meet
TURNED, OFF = 0.15, 0.10  # rad, m: the robot is never so far off from where it believes to be
LEAST = 14  # pixels of one colour that may be a thing
ALIKE = 0.55  # of a silhouette covered: worse than this it is no such thing
GREYS = tuple(LABELS.index(name) for name in ("white", "black", METAL))
FILLED = 0.45  # of its hull: a thing with a bar before it; a frame has less
TRACKED, STRAYED = 0.7, 0.12  # so well covered and so near (m) to where it should be, a thing tells where the robot is
LOOSE = 0.03  # m: how far off a drawer's front may seem to stand in its row
RIMMED = 0.09  # of its brightness: how much a bowl's or tray's inside varies more than a plate


@dataclass(frozen=True, kw_only=True)
class Found:
    """One thing that was seen."""

    colour: str
    kind: str
    size: tuple[float, ...]
    position: np.ndarray  # (3,) m, as in `Thing.position`
    overlap: float


class TableView:
    """One picture, cut into table, wall and what stands out from both. `hidden` (H, W): pixels with the robot's own arms."""

    def __init__(self, picture: np.ndarray, eye: Eye, hidden: np.ndarray) -> None:
        self._picture, self._eye = picture, eye
        columns, rows = np.meshgrid(np.arange(eye.width) + 0.5, np.arange(eye.height) + 0.5)
        self._pixels = np.stack([columns, rows], axis=-1)
        level = eye.on_level(self._pixels.reshape(-1, 2), TABLE).reshape(*picture.shape)
        ahead = np.where(np.isfinite(level[..., 0]), level[..., 0], np.inf)
        self._here, self._hidden = ahead > EDGE + 0.005, hidden
        table, wall = (ahead > EDGE + 0.02) & (ahead < WALL - 0.03), ahead > WALL + 0.03
        self._table, self._wall = (common(picture[part & ~hidden]) for part in (table, wall))
        background = np.vstack([self._table, self._wall])
        self._labels = label(picture, self._here & stands_out(picture, background))
        self._labels[hidden & np.isin(self._labels, GREYS)] = -1  # the robot itself, which has no other colours

    def edge(self) -> tuple[float, float] | None:
        """The line in which table and wall meet: its x at y = 0 and how much that grows with y. None if it is not to be seen."""
        if not len(self._table) or not len(self._wall):
            return None
        away = np.linalg.norm(self._picture[:, :, None] / 255.0 - np.vstack([self._table, self._wall]), axis=-1)
        plain = self._here & ~self._hidden & (away.min(axis=-1) < BACKGROUND)
        table, wall = plain & (away[..., 0] < away[..., 1]), plain & (away[..., 0] > away[..., 1])
        meet = wall[:-1] & table[1:]
        rows, columns = np.nonzero(meet)
        if len(rows) < FEWEST:
            return None
        x, y, _ = self._eye.on_level(np.stack([columns + 0.5, rows + 1.0], axis=1), TABLE).T
        slope, start = np.polyfit(y, x, 1)
        for _ in range(3):  # what is far off the line is something else
            off = np.abs(x - start - slope * y)
            kept = off <= max(2.0 * float(np.median(off)), 0.004)
            x, y = x[kept], y[kept]
            slope, start = np.polyfit(y, x, 1)
        straight = len(x) > FEWEST and float(np.abs(x - start - slope * y).mean()) < 0.004
        likely = abs(slope) < TURNED and abs(start - WALL) < OFF
        return (float(start), float(slope)) if straight and likely else None

    def look(self, kinds: Sequence[str]) -> list[Found]:
        """All things of these kinds that can be made out."""
        labels, found = self._labels, []
        if "wiper" in kinds:
            found += self._wipers(labels)
        for colour in COLOURS:
            mask = labels == LABELS.index(colour)
            if colour == "black" and "drawer" in kinds:
                mask = thick(mask)  # bars are dark too
            for blob in blobs(mask, LEAST, join=8 if "drawer" in kinds else 2):
                best = self._best(blob, [kind for kind in kinds if kind != "wiper"])
                if best is not None:
                    one = Found(
                        colour=colour, kind=best.kind, size=best.size, position=best.position, overlap=best.overlap
                    )
                    found.append(one)
        return _apart(found)

    def track(self, thing: Thing, at: np.ndarray) -> np.ndarray | None:
        """How far from `at` a known thing is seen, (3,) m; None if it is hidden, cut off or not to be made out."""
        free = ON_WALL if thing.kind in ("button", "drawer") else UPRIGHT
        expected = silhouette(self._eye, points(thing.kind, thing.size) + at)
        mask = self._labels == LABELS.index(METAL if thing.kind == "wiper" else thing.colour)
        near = mask & silhouette(self._eye, (points(thing.kind, thing.size)) * 1.6 + at)
        border = expected[0].any() or expected[:, [0, -1]].any()
        if border or near.sum() < LEAST:
            return None
        found = fit(self._eye, hull_of(near), thing.kind, thing.size, at, free)
        if found is None or found.overlap < TRACKED or np.linalg.norm(found.position - at) > STRAYED:
            return None
        return found.position - at

    def _best(self, blob: np.ndarray, kinds: Sequence[str]) -> Fit | None:
        seen = hull_of(blob)
        if blob.sum() < FILLED * seen.sum():
            return None
        fits = [found for kind in kinds for size in SIZES[kind] for found in self._fits(seen, kind, size)]
        fits = [found for found in fits if found.overlap > ALIKE]
        if not fits:
            return None
        if {found.kind for found in fits} >= {"plate", "bowl"}:
            wrong = "plate" if self._rimmed(blob) else "bowl"
            fits = [found for found in fits if found.kind != wrong]
        return max(fits, key=lambda found: found.overlap)

    def _fits(self, seen: np.ndarray, kind: str, size: tuple[float, ...]) -> list[Fit]:
        eye = self._eye
        if kind == "button":
            found = [fit(eye, seen, kind, size, np.array([WALL, 0.0, TABLE + 0.2]), ON_WALL)]
        elif kind == "drawer":
            low = fit(eye, seen, kind, size, np.array([FRONT, 0.0, FOOT]), UPRIGHT)
            if low is not None and abs(low.position[0] - FRONT) < LOOSE:
                return [low]
            second = FOOT + size[2] + 2 * DRAWER_CASE
            found = [fit(eye, seen, kind, size, np.array([FRONT + SET_BACK, 0.0, second]), ON_WALL)]
        else:
            found = [fit(eye, seen, kind, size, np.array([0.33, 0.0, TABLE]), UPRIGHT)]
        return [one for one in found if one is not None]

    def _rimmed(self, blob: np.ndarray) -> bool:
        """Whether its brightness varies as that of something with a wall around it."""
        bright = self._picture[blob].max(axis=1).astype(float)
        return bool(bright.std() > RIMMED * max(float(np.median(bright)), 20.0))

    def _wipers(self, labels: np.ndarray) -> list[Found]:
        """By their dark handles; their colour is that of the foam below."""
        found = []
        for blob in blobs((labels == LABELS.index(METAL)) | (labels == LABELS.index("black")), LEAST, join=2):
            best = self._best(blob, ["wiper"])
            if best is None:
                continue
            foam = silhouette(self._eye, best.position + _foam(best.size)) & ~blob & (labels >= 0)
            counts = np.bincount(labels[foam], minlength=len(LABELS))[: len(COLOURS)]
            colour = LABELS[int(np.argmax(counts))]
            found.append(
                Found(colour=colour, kind="wiper", size=best.size, position=best.position, overlap=best.overlap)
            )
        return found


def _foam(size: tuple[float, ...]) -> np.ndarray:
    return points("tray", (size[0] - 0.016, size[1] - 0.008, 0.014))


def _apart(found: list[Found]) -> list[Found]:
    """Without those that stand in another one: a piece of it, or its shadow side."""
    kept: list[Found] = []
    for one in sorted(found, key=lambda thing: -thing.overlap):
        if all(np.linalg.norm(one.position - other.position) > 0.04 for other in kept):
            kept.append(one)
    return kept
