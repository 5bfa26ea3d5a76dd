"""What stands on the floor around the robot: from single pictures, and put together while it turns and walks.

picture, Eye --FloorView.look--> Found     Found, picture by picture --FloorMap.add--> things (colour, kind, position)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from volition.rival.colours import LABELS, METAL, blobs, common, label, stands_out, thick
from volition.rival.kinematics import Eye
from volition.rival.shapes import SIZES, UPRIGHT, Fit, fit, hull_of
from volition.rival.table import Found
from volition.sim.scene import Thing
from volition.sim.things import COLOURS

KINDS = ("pillar", "crate", "cone", "chair")
LEAST = 24  # pixels
ALIKE = 0.5  # of a silhouette covered
HOLLOW = 0.72  # of its hull: a chair has gaps between its legs, a crate has none
LINE = 0.85  # how bright the lines between the squares of a floor are
SAME = 0.06  # of 1: nearer than this to the floor's colours is floor
FARTHEST = 5.0  # m
ONE = 0.9  # m: sightings of a colour nearer than this are of one thing
SEEN = 3  # times: so often it must be seen to be believed
NEWER = 0.4  # share of the newest sighting in where a thing is believed to be


def floor_colours(picture: np.ndarray) -> np.ndarray:
    """The two colours of the squares and the lines between, (N, 3)."""
    squares = common(picture, 2)
    return np.vstack([squares, LINE * squares, squares.mean(axis=0)])


class FloorView:
    """One picture. `hidden` (H, W): pixels with the robot's own arms."""

    def __init__(self, picture: np.ndarray, eye: Eye, hidden: np.ndarray, floor: np.ndarray) -> None:
        self._eye = eye
        self._labels = label(picture, stands_out(picture, floor, SAME) & ~hidden)

    def look(self) -> list[Found]:
        found: list[Found] = []
        for colour in COLOURS:
            mask = self._labels == LABELS.index(colour)
            if colour == "white":  # its shaded side looks like metal; lines of the floor look white
                mask = thick(mask | (self._labels == LABELS.index(METAL)), 1)
            for blob in blobs(mask, LEAST, join=6):
                best = self._best(blob)
                if best is not None:
                    found.append(
                        Found(
                            colour=colour, kind=best.kind, size=best.size, position=best.position, overlap=best.overlap
                        )
                    )
        kept: list[Found] = []
        for one in sorted(found, key=lambda thing: -thing.overlap):
            if all(np.linalg.norm((one.position - other.position)[:2]) > ONE / 2 for other in kept):
                kept.append(one)
        return kept

    def _best(self, blob: np.ndarray) -> Fit | None:
        seen = hull_of(blob)
        if not seen.any() or blob[-1].any() or blob[:, [0, -1]].any():  # its foot or a side is out of the picture
            return None
        rows, columns = np.nonzero(blob)
        foot = np.array([[columns.mean() + 0.5, rows.max() + 1.0]])
        front = self._eye.on_level(foot, 0.0)[0]
        away = front[:2] - self._eye.position[:2]
        far = float(np.hypot(*away))
        if not math.isfinite(far) or far > FARTHEST:
            return None
        hollow = blob.sum() < HOLLOW * seen.sum()
        fits: list[Fit] = []
        for kind in KINDS:
            if hollow and kind in ("pillar", "crate"):
                continue
            (size,) = SIZES[kind]
            start = np.array([*(front[:2] + away / far * size[0] / 2), 0.0])
            for heading in (0.0, math.pi / 4) if kind in ("crate", "chair") else (0.0,):
                turned = heading + math.atan2(away[1], away[0])
                found = fit(self._eye, seen, kind, size, start, UPRIGHT, heading=turned)
                if found is not None and found.overlap > ALIKE:
                    fits.append(found)
        return max(fits, key=lambda found: found.overlap, default=None)


@dataclass
class Track:
    """One thing, as often as it was seen."""

    colour: str
    position: np.ndarray
    votes: dict[str, float] = field(default_factory=dict[str, float])  # kind -> how well it fitted, added up
    seen: int = 0

    @property
    def kind(self) -> str:
        return max(self.votes, key=lambda kind: self.votes[kind])


class FloorMap:
    def __init__(self) -> None:
        self._tracks: list[Track] = []

    def add(self, picture: Sequence[Found]) -> None:
        for found in picture:
            near = [
                track
                for track in self._tracks
                if track.colour == found.colour and np.linalg.norm(track.position - found.position) < ONE
            ]
            track = near[0] if near else Track(found.colour, found.position)
            if not near:
                self._tracks.append(track)
            track.position = track.position + NEWER * (found.position - track.position)
            track.votes[found.kind] = track.votes.get(found.kind, 0.0) + found.overlap**4
            track.seen += 1

    def things(self) -> list[Thing]:
        """All that was seen often enough."""
        return [
            Thing(
                name=f"{track.colour}_{track.kind}_{number}",
                kind=track.kind,
                colour=track.colour,
                rgb=COLOURS[track.colour],
                position=(float(track.position[0]), float(track.position[1]), 0.0),
                size=SIZES[track.kind][0],
            )
            for number, track in enumerate(self._tracks)
            if track.seen >= SEEN
        ]
