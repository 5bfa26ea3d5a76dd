"""Files that are whole or absent: written beside, flushed to disk, then renamed. Used wherever `data/` writes.

A rename within one folder cannot be half done, so a reader, or a recording that was killed, sees the old file or
the new one. What a killed writer left beside is recognised by its name and removed on the next open.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from volition.data.errors import DataError

PART = ".part"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a path beside `path` (with its suffix, which encoders look at) to write to; renames it at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.stem}{PART}{path.suffix}")
    try:
        yield beside
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """A folder beside to write into; it takes the place of `folder` at the end, which is whole until then.

    Where the end is not reached it is removed. What cannot be written raises OSError.
    """
    beside, old = (folder.with_name(f".{folder.name}.{end}") for end in ("part", "old"))
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir(parents=True)
        yield beside
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)
            folder.rename(old)
        try:
            beside.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def is_part(path: Path) -> bool:
    """Whether this is what `replacing` leaves behind when it is killed."""
    return path.name.startswith(".") and path.stem.endswith(PART)


def write_json(path: Path, value: Any) -> None:
    with replacing(path) as beside:
        beside.write_text(json.dumps(value, indent=4, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing.") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not readable JSON: {error}.") from error


def read_json_lines(path: Path) -> list[Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing.") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    values: list[Any] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                values.append(json.loads(line))
            except ValueError as error:
                raise DataError(f"{path}, line {number}, is not JSON: {error}.") from error
    return values


def _sync_folder(folder: Path) -> None:
    """The rename itself must reach the disk too, or a power cut undoes it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
