"""Changes to training windows that do not change what to do: a little shift or crop, a little colour, feet that stand.

    Loader's worker: window -> Augmentation -> window -> batch

One draw a camera and window, so that all steps of a history move together. How far a picture was moved is added as
`moved.<camera>` (pixels down and right), for what is known of places in it. No mirroring: it would swap left and right,
which the words and the hands tell apart.

Feet: a robot that walks goes on walking, so how fast it goes tells a learner nearly all there is to know of whether to
walk, and the one frame in which it begins is too rare to teach why. Told now and then that it stands, it must see why.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from volition.data.errors import DataError
from volition.data.feature import STATE
from volition.data.windows import Sample

MOVED = "moved."


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """`shift` pixels at most each way (the edge is repeated), or a random `crop` (H, W); `colour` is the strength.

    Colour: brightness and contrast by up to this share, and each channel by up to half of it. `still`: share of the
    windows whose numbers `speeds` of the state, how fast the base moves, are 0.
    """

    shift: int = 4
    crop: tuple[int, int] | None = None
    colour: float = 0.2
    still: float = 0.0
    speeds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.shift <= 64:
            raise DataError(f"Augmentation.shift is {self.shift}; it must be 0 to 64 pixels.")
        if not 0 <= self.colour < 1:
            raise DataError(f"Augmentation.colour is {self.colour}; it must be 0 or more and under 1.")
        if not 0 <= self.still <= 1:
            raise DataError(f"Augmentation.still is {self.still}; it is a share, 0 to 1.")

    def __call__(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """A changed copy of a window; what is neither a picture nor the state is handed on."""
        changed: Sample = {}
        for name, value in sample.items():
            if _is_picture(value):
                changed[name], changed[MOVED + name] = self._picture(value, rng)
            else:
                changed[name] = value
        if self.speeds and rng.random() < self.still:
            changed[STATE] = changed[STATE].copy()
            changed[STATE][..., list(self.speeds)] = 0.0
        return changed

    def _picture(self, frames: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        height, width = frames.shape[1:3]
        moved = np.zeros(2, dtype=np.int64)
        if self.crop is not None:
            if self.crop[0] > height or self.crop[1] > width:
                raise DataError(f"Augmentation.crop is {self.crop}; pictures are {height}x{width}.")
            top, left = (
                int(rng.integers(0, size - part + 1)) for size, part in zip((height, width), self.crop, strict=True)
            )
            frames = frames[:, top : top + self.crop[0], left : left + self.crop[1]]
            moved -= (top, left)
        if self.shift:
            down, right = rng.integers(-self.shift, self.shift + 1, 2)
            rows = np.clip(np.arange(frames.shape[1]) - down, 0, frames.shape[1] - 1)
            columns = np.clip(np.arange(frames.shape[2]) - right, 0, frames.shape[2] - 1)
            frames = frames[:, rows][:, :, columns]
            moved += (down, right)
        return self._coloured(frames, rng) if self.colour else frames, moved

    def _coloured(self, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        bright, contrast = 1 + self.colour * rng.uniform(-1, 1, 2)
        channels = bright * (1 + 0.5 * self.colour * rng.uniform(-1, 1, 3))
        # Whole rows of float32 at once: three times faster than a table of 256 values.
        columns = frames.shape[2]
        scale = np.tile(contrast * channels, columns).astype(np.float32)
        offset = np.tile(128 * channels * (1 - contrast), columns).astype(np.float32)
        rows = frames.reshape(-1, columns * 3).astype(np.float32)
        rows *= scale
        rows += offset
        return np.clip(rows, 0, 255, out=rows).astype(np.uint8).reshape(frames.shape)


def _is_picture(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.ndim == 4
