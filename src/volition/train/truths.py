"""What the simulator knows of a batch's windows, as targets for auxiliary losses: where the things are that the words mean.

columns truth, truth.cells, truth.things + which things each row's words mean --Truths.of--> Truth
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from volition.data.augment import MOVED
from volition.data.feature import IMAGES, TRUTH, TRUTH_CELLS, TRUTH_THINGS
from volition.data.store import Dataset
from volition.data.windows import Sample
from volition.model.inputs import STANDS, TOLD, Scenery, Truth
from volition.sim.language.reference import Reference
from volition.sim.roles import roles_of
from volition.sim.scene import Goal, Scene
from volition.sim.sight import CELLS, MANY, ROLES, unpack


def told_of(calls: Sequence[Reference | None]) -> np.ndarray:
    """What a sentence says of the thing, the place and the one it tells another by, (3, TOLD); NaN where nobody knows."""
    told = np.full((3, TOLD), np.nan)
    for row, call in enumerate(calls):
        told[row, 0] = call is not None
        if call is not None:
            told[row, 1:3] = len(call.kinds) == 1, bool(call.colour)
            told[row, 3:] = [word in call.stands for word in STANDS]
    return told


class Truths:
    """Of one data set. G is the thing, the place, and the thing by which the words tell it from others."""

    def __init__(self, dataset: Dataset, cameras: Sequence[str]) -> None:
        self._dataset, self._cameras = dataset, cameras

    @property
    def first(self) -> str:
        """The camera that sees most, whichever of them a model looks through."""
        ending = f".{ROLES[0]}.inside"
        return next(name for name in self._dataset.feature(TRUTH).names or () if name.endswith(ending))[: -len(ending)]

    def column(self, part: str) -> int:
        """Where one of the numbers of each thing stands in `truth.things`."""
        return [name.partition(".")[2] for name in self._dataset.feature(TRUTH_THINGS).names or ()].index(part)

    def of(self, batch: Sample) -> Truth:
        values = batch[TRUTH][:, -1]
        at = {name: place for place, name in enumerate(self._dataset.feature(TRUTH).names or ())}
        cameras = self._cameras

        def column(name: str) -> np.ndarray:
            return values[:, at[name]]

        points = np.stack([[[column(f"{c}.{r}.{p}") for p in "uv"] for r in ROLES] for c in cameras])  # (V, G, 2, B)
        inside = np.stack([[column(f"{c}.{r}.inside") for r in ROLES] for c in cameras])  # (V, G, B)
        seen, masks = points.transpose(3, 0, 1, 2), self._masks(batch)  # (B, V, G, 2), (B, V, h, w)
        visible = inside.transpose(2, 0, 1) > 0.5
        positions = np.stack([[column(f"{r}.{a}") for a in "xyz"] for r in ROLES]).transpose(2, 0, 1)
        present = np.stack([column(f"{r}.present") for r in ROLES], axis=1) > 0.5
        # Which thing it stands beside is known by the sentence alone, and only where all things' places are.
        positions, present = (np.concatenate([one, np.zeros_like(one[:, :1])], axis=1) for one in (positions, present))
        seen, visible = (np.concatenate([one, np.zeros_like(one[:, :, :1])], axis=2) for one in (seen, visible))
        finished = np.maximum(column("finished"), batch["late"])
        if "meant_things" in batch:
            for row in np.flatnonzero(batch["meant_things"][:, 0] >= 0).tolist():
                things = batch["meant_things"][row]
                positions[row], seen[row], visible[row], present[row] = self._of_things(batch, row, things, cameras)
                if batch["other"][row]:
                    masks[row] = finished[row] = np.nan  # nobody knows
        scenery, (kinds, colours), share = (
            self._scenery(batch),
            _names(batch, batch.get("meant_things")),
            self._moved(batch, cameras),
        )
        if share is not None:
            seen, visible = _moved_by(share, seen, visible)
            masks = _shifted(_shifted(masks, share[..., 0] * CELLS, 2), share[..., 1] * CELLS, 3)
        return Truth(
            positions=as_float(positions),
            points=as_float(seen),
            present=torch.from_numpy(present),
            visible=torch.from_numpy(visible),
            masks=as_float(masks),
            finished=as_float(finished),
            scenery=scenery,
            kinds=kinds,
            colours=colours,
            told=as_float(batch["told"]) if "told" in batch else None,
        )

    @staticmethod
    def read(batch: Sample) -> Truth:
        """Of the words alone, whatever there is to see."""
        kinds, colours = _names(batch, batch["meant_things"])
        return Truth(kinds=kinds, colours=colours, told=as_float(batch["told"]))

    @staticmethod
    def read_asked(batch: Sample) -> Truth:
        """Of each row's questions: rows times questions."""
        kinds, colours = _names(batch, batch["asked_things"])
        return Truth(kinds=kinds, colours=colours, told=as_float(batch["asked_told"]).flatten(0, 1))

    def _scenery(self, batch: Sample) -> Scenery | None:
        if "are" not in batch:
            return None
        values = self._values(batch)  # (B, MANY, numbers)
        there = values.any(axis=2) & (batch["are"][..., 0] >= 0)
        points, inside = self._seen(values)
        visible, share = inside & there[:, None], self._moved(batch, self._cameras)
        if share is not None:
            points, visible = _moved_by(share, points, visible)
        kinds, colours = np.where(there[..., None], batch["are"], -1).transpose(2, 0, 1)
        return Scenery(
            points=as_float(points), visible=torch.from_numpy(visible),
            kinds=torch.from_numpy(kinds), colours=torch.from_numpy(colours), positions=as_float(values[..., :3]),
        )  # fmt: skip

    def _values(self, batch: Sample) -> np.ndarray:
        """Of each thing of the newest frames' scenes, all that is known of its place: (B, MANY, numbers)."""
        return batch[TRUTH_THINGS][:, -1].reshape(len(batch[TRUTH_THINGS]), MANY, -1)

    def _seen(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where each camera has things, (B, V, G, 2), and whether in its picture, (B, V, G)."""
        names = self._dataset.feature(TRUTH_THINGS).names or ()
        parts = [name.removeprefix("0.") for name in names[: values.shape[-1]]]
        points = [values[..., [parts.index(f"{camera}.{part}") for part in "uv"]] for camera in self._cameras]
        inside = [values[..., parts.index(f"{camera}.inside")] > 0.5 for camera in self._cameras]
        return np.stack(points, axis=1), np.stack(inside, axis=1)

    def _masks(self, batch: Sample) -> np.ndarray:
        """Which cells the thing covers, (B, V, h, w); NaN where the data set does not say."""
        if TRUTH_CELLS not in batch:
            return np.full((len(batch[TRUTH]), len(self._cameras), CELLS, CELLS), np.nan)
        known = list(self._dataset.feature(TRUTH_CELLS).names or ())
        begins = [known.index(f"{camera}.{ROLES[0]}.0") for camera in self._cameras]
        rows = np.stack([batch[TRUTH_CELLS][:, -1, first : first + CELLS] for first in begins], axis=1)  # (B, V, CELLS)
        return unpack(rows).astype(np.float64)

    def asked(self, batch: Sample) -> Truth:
        """Where the things are that each row's questions mean: rows times questions."""
        cameras, asked = self._cameras, batch["asked_things"]  # (B, Q, G)
        found = [self._of_things(batch, row, things, cameras) for row, many in enumerate(asked) for things in many]
        positions, points, visible, present = (np.stack(parts) for parts in zip(*found, strict=True))
        share = self._moved(batch, cameras)
        if share is not None:
            points, visible = _moved_by(share.repeat(asked.shape[1], axis=0), points, visible)
        return replace(
            self.read_asked(batch),
            positions=as_float(positions), points=as_float(points), visible=torch.from_numpy(visible),
            present=torch.from_numpy(present),
        )  # fmt: skip

    @staticmethod
    def _moved(batch: Sample, cameras: Sequence[str]) -> np.ndarray | None:
        """By what share of its height and width each picture was moved, (B, V, 2): what is known of places in it is too."""
        if MOVED + IMAGES + cameras[0] not in batch:
            return None
        moved = np.stack([batch[MOVED + IMAGES + camera] for camera in cameras], axis=1)
        return moved / np.array(batch[IMAGES + cameras[0]].shape[2:4])

    def _of_things(self, batch: Sample, row: int, things: np.ndarray, cameras: Sequence[str]) -> tuple[np.ndarray, ...]:
        """Positions (G, 3), points (V, G, 2), visible (V, G) and present (G,) of some things in a row's scene."""
        known = list(self._dataset.feature(TRUTH_THINGS).names or ())
        values = batch[TRUTH_THINGS][row, -1].reshape(MANY, -1)  # (things, numbers of each)
        parts = [name.removeprefix("0.") for name in known[: values.shape[1]]]
        there = things < len(values)
        there &= values[np.minimum(things, len(values) - 1)].any(axis=1)  # a place beyond the last thing: there is none
        chosen = values[np.where(there, things, 0)]  # (G, numbers)
        positions = chosen[:, [parts.index(axis) for axis in "xyz"]]
        points = np.stack([chosen[:, [parts.index(f"{camera}.{p}") for p in "uv"]] for camera in cameras])
        inside = np.stack([chosen[:, parts.index(f"{camera}.inside")] for camera in cameras]) > 0.5
        return positions, points, inside & there, there


def _names(batch: Sample, things: np.ndarray | None) -> tuple[Tensor | None, Tensor | None]:
    """Kinds and colours of some things of each row's scene, (B, ..., G) as (N, G); -1 where nothing is meant."""
    if things is None or "are" not in batch:
        return None, None
    known = (things >= 0) & (things < MANY)
    are = np.pad(batch["are"], ((0, 0), (0, 1), (0, 0)), constant_values=-1)
    chosen = np.take_along_axis(are, np.where(known, things, MANY).reshape(len(are), -1, 1), axis=1)
    kinds, colours = chosen.reshape(-1, things.shape[-1], 2).transpose(2, 0, 1).copy()
    return torch.from_numpy(kinds), torch.from_numpy(colours)


def things_of(scene: Scene, goal: Goal, landmark: str = "") -> np.ndarray:
    """Numbers in `truth.things` of the thing and the place of a goal, and of what they are told by; MANY where there is none."""
    known = [thing.name for thing in scene.things]
    return np.array([known.index(name) if name else MANY for name in (*roles_of(scene, goal), landmark)])


def _moved_by(share: np.ndarray, points: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    points = points + share[:, :, None, ::-1]
    return points, visible & ((points >= 0) & (points < 1)).all(axis=-1)


def _shifted(masks: np.ndarray, by: np.ndarray, axis: int) -> np.ndarray:
    """(B, V, h, w) moved along one axis by a number of cells (B, V) that need not be whole; the edge is repeated."""
    size = masks.shape[axis]
    at = np.clip(np.arange(size) - by[..., None], 0, size - 1)  # (B, V, size)
    low = np.floor(at).astype(int)
    rest = at - low
    shape = (*by.shape, size, 1) if axis == 2 else (*by.shape, 1, size)
    first = np.take_along_axis(masks, low.reshape(shape), axis)
    second = np.take_along_axis(masks, np.minimum(low + 1, size - 1).reshape(shape), axis)
    return first + rest.reshape(shape) * (second - first)


def as_float(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
