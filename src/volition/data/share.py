"""A process's part of what several go through together: every `of`-th row, counted over an epoch's rows."""

from __future__ import annotations

from dataclasses import dataclass

from volition.data.errors import DataError


@dataclass(frozen=True)
class Share:
    rank: int = 0
    of: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.of:
            raise DataError(f"Share.rank is {self.rank} of {self.of}; it must be 0 to {self.of - 1}.")

    def among(self, first: int, count: int) -> range:
        """Which of the rows `first` up to before `first + count` are its own, counted from `first`."""
        return range((self.rank - first) % self.of, count, self.of)


WHOLE = Share()
