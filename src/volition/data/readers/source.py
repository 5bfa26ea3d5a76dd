"""What every reader gives: the episodes of a source one at a time, and how many there are; and pictures from files.

read_manifest(path), read_demo_folders(path), ... -> Episodes -> EpisodeData, EpisodeData, ... -> DatasetWriter
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from volition.data.episode import EpisodeData
from volition.data.errors import DataError

_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX")  # 8 bits a channel: what RGB holds without loss


class Episodes:
    """Episodes that are read when asked for: `for episode in Episodes(len(folders), lambda i: read(folders[i]))`."""

    def __init__(self, count: int, load: Callable[[int], EpisodeData]) -> None:
        self._count, self._load = count, load

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[EpisodeData]:
        return (self._load(index) for index in range(self._count))


def picture_size(path: Path) -> tuple[int, int]:
    """Height and width of a picture file, from its header alone."""
    with _opened(path) as image:
        return image.height, image.width


def read_picture(path: Path, shape: tuple[int, ...], owner: str) -> np.ndarray:
    """A picture file as (H, W, 3) uint8 RGB, which must have this shape."""
    with _opened(path) as image:
        if image.mode not in _MODES:
            raise DataError(f"{path} is a picture of mode {image.mode}; it must have 8 bits a channel, such as RGB.")
        try:
            picture = np.asarray(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError) as error:
            raise DataError(f"{path} is not a readable picture: {error}.") from error
    if picture.shape != shape:
        raise DataError(f"{path} is {picture.shape}; the other pictures of {owner} are {shape}.")
    return picture


def read_array(path: Path) -> np.ndarray:
    """A .npy file of plain numbers. Pickled objects are refused: to load them would run what is in them."""
    try:
        values = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing.") from error
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise DataError(f"{path} is not a readable array of numbers: {_line(error)}.") from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiub":
        raise DataError(f"{path} does not hold one array of numbers; save it with numpy.save.")
    return values


def entry(record: Mapping[str, Any], key: str, kind: type | tuple[type, ...], owner: str) -> Any:
    """`record[key]`, which must be there and of this kind."""
    if key not in record:
        raise DataError(f"{owner} lacks {key!r}; it has {', '.join(map(str, record)) or 'nothing'}.")
    value = record[key]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        kinds = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
        raise DataError(f"{owner}: {key} is {value!r}; it must be {kinds}.")
    return value


def _opened(path: Path) -> Any:
    from PIL import Image, UnidentifiedImageError  # only sources with picture files need Pillow

    try:
        return Image.open(path)
    except FileNotFoundError as error:
        raise DataError(f"The picture {path} is missing.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} is not a readable picture: {_line(error)}.") from error


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
