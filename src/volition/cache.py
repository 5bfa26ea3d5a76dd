"""Where things built once are kept (the light G1 robot, prepared weights), outside the repository."""

from __future__ import annotations

import os
from pathlib import Path

from volition.errors import AssetError

VARIABLE = "VOLITION_CACHE"


def cache_dir() -> Path:
    """The cache folder: `$VOLITION_CACHE`, else `~/.cache/volition`. It is not created here."""
    given = os.environ.get(VARIABLE, "").strip()
    try:
        folder = Path(given).expanduser() if given else Path.home() / ".cache" / "volition"
    except RuntimeError as error:
        raise AssetError(
            f"There is no home folder for the cache; set {VARIABLE} to a folder you may write to."
        ) from error
    if folder.exists() and not folder.is_dir():
        raise AssetError(f"The cache {folder} is not a folder; remove it or set {VARIABLE} to another folder.")
    return folder.absolute()
