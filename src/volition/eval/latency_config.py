"""What `volition bench latency` takes; the function behind it is `latency.py`. Only the standard library is imported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from volition.errors import ContractError


@dataclass(frozen=True, kw_only=True)
class LatencyConfig:
    """How long it takes from the camera to the command, stage by stage, on this machine.

    Example: volition bench latency --recipes quick act

    Of a trained or exported policy: volition bench latency out/onnx
    """

    policy: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="POLICY")] = None
    """Folder of a checkpoint or of an exported policy; without it recipes with random weights, which take as long."""
    recipes: tuple[str, ...] = ("quick",)
    """Recipes to measure."""
    all: bool = False
    """Every recipe."""
    size: Literal["standard", "small", "test"] = "small"
    """Of the recipes."""
    pixels: int = 128
    """Side of a picture; there are three cameras."""
    decisions: int = 200
    """How many decisions of each, 10 to 100000; there are five ticks after each."""
    threads: int = 1
    """Threads of the model, 1 to 1024; the loop, the shield and what else runs on the robot need a core too."""
    out: Path | None = None
    """Folder for latency.json and latency.md."""

    def __post_init__(self) -> None:
        for name, least, most in (("decisions", 10, 100_000), ("threads", 1, 1024), ("pixels", 32, 512)):
            if not least <= getattr(self, name) <= most:
                raise ContractError(f"LatencyConfig.{name} is {getattr(self, name)}; it must be {least} to {most}.")
        if self.policy is not None and self.all:
            raise ContractError("LatencyConfig.policy and .all are both given; measure a policy, or all recipes.")
