"""The one kind of error of this part: a training that cannot be begun, gone on with, or trusted."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from volition.errors import VolitionError


class TrainError(VolitionError):
    """Says what was given, what is possible and what to do."""


def near(given: str, names: Iterable[str], most: int = 5) -> str:
    """Names like the given one, for an error's text; where none is alike, the first of all."""
    names = list(dict.fromkeys(names))
    bare = given.strip("*.")
    found = [name for name in names if bare and bare.lower() in name.lower()]
    found += [name for name in difflib.get_close_matches(given, names, n=most, cutoff=0.4) if name not in found]
    return ", ".join((found or names)[:most])
