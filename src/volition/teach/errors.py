"""The one kind of error of this part: demonstrations that cannot be made, or must not be mixed."""

from __future__ import annotations

from volition.errors import VolitionError


class TeachError(VolitionError):
    """Says what was asked for, what is possible and what to do."""
