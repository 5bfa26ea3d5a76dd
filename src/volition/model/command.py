"""What `volition models` takes; the function behind it is `model/table.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from volition.errors import ContractError


@dataclass(frozen=True, kw_only=True)
class ModelsCommand:
    """List the recipes: what they are joined of, how large they are, and how long a decision takes here.

    Example: volition models --size small
    """

    size: Literal["standard", "small", "test"] = "small"
    """`standard` is what the inventors describe (large ones take a minute to build), `small` the same for two CPU cores."""
    recipes: tuple[str, ...] = ()
    """Only these."""
    pixels: int = 128
    """Side of a picture; there are three cameras."""
    markdown: bool = False
    """Print the table as Markdown."""

    def __post_init__(self) -> None:
        if not 32 <= self.pixels <= 512:
            raise ContractError(f"ModelsCommand.pixels is {self.pixels}; it must be 32 to 512.")
