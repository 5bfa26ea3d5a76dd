"""From a picture to a colour's name for every pixel: what is not background, by the eight colours that things have.

    picture --background (the colours that fill a region)--> what stands out --label--> (H, W) index of LABELS, -1: nothing

Light changes how bright a surface is, not much its hue, so a pixel is compared with every colour at its best brightness.
"""

from __future__ import annotations

import numpy as np

from volition.sim.things import COLOURS

METAL, WOOD = "metal", "wood"  # handles and rings, the boards of cabinets: of no colour that a thing is called by
LABELS = (*COLOURS, METAL, WOOD)
_TABLE = np.array([*COLOURS.values(), (0.30, 0.30, 0.31), (0.46, 0.36, 0.27)])
_DIMMEST, _BRIGHTEST = 0.33, 1.15  # of a colour's own brightness: in the shade, in full light
_SHADE = {"black": (0.0, 1.3), "white": (0.45, 1.2), METAL: (0.6, 1.1), WOOD: (0.5, 1.1)}
_LOW = np.array([_SHADE.get(name, (_DIMMEST, 0))[0] for name in LABELS])
_HIGH = np.array([_SHADE.get(name, (0, _BRIGHTEST))[1] for name in LABELS])
_BIN = 12  # levels of 255: how finely colours are counted
_SAME = 0.045  # of 1: nearer than this to a background colour is background


def common(pixels: np.ndarray, count: int = 1) -> np.ndarray:
    """The `count` colours, 0 to 1, that most of these pixels (N, 3) have."""
    found, left = [], pixels.reshape(-1, 3).astype(np.float64)
    for _ in range(count):
        if len(left) < 20:
            break
        codes = (left // _BIN).astype(int) @ [1024, 32, 1]
        values, counts = np.unique(codes, return_counts=True)
        seed = np.median(left[codes == values[np.argmax(counts)]], axis=0)
        near = np.abs(left - seed).max(axis=1) < _BIN
        found.append(np.median(left[near], axis=0) / 255.0)
        left = left[np.linalg.norm(left / 255.0 - found[-1], axis=1) > _SAME]
    return np.array(found).reshape(-1, 3)


def stands_out(picture: np.ndarray, background: np.ndarray, same: float = _SAME) -> np.ndarray:
    """(H, W) bool: which pixels have none of the background's colours (N, 3)."""
    if not len(background):
        return np.ones(picture.shape[:2], dtype=bool)
    away = picture[:, :, None, :] / 255.0 - background
    return np.linalg.norm(away, axis=-1).min(axis=-1) > same


def label(picture: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(H, W): index into LABELS of the nearest colour, -1 where `inside` is False."""
    labels = np.full(picture.shape[:2], -1)
    pixels = picture[inside] / 255.0
    scale = np.clip(pixels @ _TABLE.T / np.sum(_TABLE**2, axis=1), _LOW, _HIGH)  # (N, colours)
    away = np.linalg.norm(pixels[:, None, :] - scale[..., None] * _TABLE, axis=-1)
    labels[inside] = np.argmin(away, axis=1)
    return labels


def blobs(mask: np.ndarray, least: int, join: int = 1) -> list[np.ndarray]:
    """The connected parts of a mask, as masks, biggest first; parts with fewer than `join` pixels between them are one."""
    if not mask.any():
        return []
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    room = slice(max(rows[0] - join, 0), rows[-1] + join + 1), slice(max(columns[0] - join, 0), columns[-1] + join + 1)
    grown = mask[room].astype(int)
    for _ in range(join // 2):
        grown = _highest(grown)
    numbers = np.where(grown > 0, np.arange(1, grown.size + 1).reshape(grown.shape), 0)
    while not np.array_equal(spread := np.where(grown > 0, _highest(numbers), 0), numbers):
        numbers = spread
    found = []
    for number in np.unique(numbers[mask[room]]):
        part = np.zeros_like(mask)
        part[room] = mask[room] & (numbers == number)
        if part.sum() >= least:
            found.append(part)
    return sorted(found, key=lambda part: -int(part.sum()))


def thick(mask: np.ndarray, times: int = 2) -> np.ndarray:
    """Without what is thinner than `2 * times + 1` pixels."""
    numbers = mask.astype(int)
    for _ in range(times):
        numbers = -_highest(-numbers)
    for _ in range(times):
        numbers = _highest(numbers)
    return mask & (numbers > 0)


def _highest(numbers: np.ndarray) -> np.ndarray:
    """The highest number among each cell and its eight neighbours."""
    padded = np.pad(numbers, 1)
    rows = np.maximum(np.maximum(padded[:-2], padded[1:-1]), padded[2:])
    return np.maximum(np.maximum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
