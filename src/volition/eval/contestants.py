"""Who can be tried instead of a checkpoint: by name (`volition eval rival`), or as a folder that `volition export` wrote.

A name means its contestant unless there is a folder of that name.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import volition.rival
from volition.export.folder import MANIFEST, read

RIVAL = "rival"


def is_rival(checkpoint: Path) -> bool:
    return checkpoint == Path(RIVAL) and not checkpoint.exists()


def rival_hash() -> str:
    """Of its source: what decides what it does."""
    digest = hashlib.sha256()
    for path in sorted(Path(volition.rival.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def rival_about() -> dict[str, Any]:
    """What a report's manifest says of a policy."""
    return {"folder": RIVAL, "recipe": RIVAL, "size": "none", "parameters": 0, "step": None}


def exported_hash(folder: Path) -> str:
    """Of what lists the hash of every file."""
    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()


def exported_about(folder: Path) -> dict[str, Any]:
    manifest = read(folder).manifest
    return {
        "folder": str(folder),
        "recipe": manifest.recipe,
        "size": manifest.engine,
        "parameters": None,
        "step": manifest.about.get("step"),
    }
