"""Whether the cameras can be believed: pictures that are missing, black or frozen are a fault. Asked by the loop."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from volition.errors import ContractError

_BLACK = 4.0  # of 255: a picture whose brightest tenth is darker than this shows nothing


class Sight:
    """`check` every policy tick. A sensor is never still: a picture that stays the same bit for bit is an old one."""

    def __init__(self, cameras: tuple[str, ...], *, frozen_s: float = 0.5) -> None:
        if not 0.1 <= frozen_s <= 10.0:
            raise ContractError(f"Sight.frozen_s is {frozen_s}; it must be 0.1 to 10 s.")
        self._cameras, self._frozen = cameras, frozen_s
        self.reset()

    def reset(self) -> None:
        self._last: dict[str, np.ndarray] = {}
        self._changed: dict[str, float] = {}

    def check(self, images: Mapping[str, np.ndarray], now: float) -> str:
        """What is wrong, in words; empty when nothing is."""
        for name in self._cameras:
            image = images.get(name)
            if image is None:
                return f"there is no picture of the {name} camera"
            last = self._last.get(name)
            if last is None or not np.array_equal(image, last):
                self._last[name], self._changed[name] = image.copy(), now
            if np.percentile(image[::4, ::4], 90) < _BLACK:
                return f"the picture of the {name} camera is black"
            since = now - self._changed[name]
            if since > self._frozen:
                return f"the picture of the {name} camera has not changed for {since:.1f} s"
        return ""
