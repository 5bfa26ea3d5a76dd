"""The error of everything that reads or writes episodes: a file that is missing or damaged, named in one sentence."""

from __future__ import annotations

from volition.errors import VolitionError


class DataError(VolitionError, ValueError):
    """A data set, one of its files or a value in it cannot be used; the text names it and says what is allowed."""
