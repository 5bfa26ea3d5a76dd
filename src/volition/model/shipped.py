"""Where a policy that comes with the package lies: `checkpoint()` -> its folder, or None while none is shipped."""

from __future__ import annotations

from pathlib import Path

import volition

FOLDER = Path(volition.__file__).parent / "assets" / "policy"


def checkpoint() -> Path | None:
    return FOLDER if (FOLDER / "config.json").is_file() else None
