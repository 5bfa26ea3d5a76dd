"""The settings of `volition preflight` and `volition safety report`: read by the command line, checked when they are built.

Only the standard library is imported, so that `volition --help` is quick.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from volition.errors import ContractError


@dataclass(frozen=True, kw_only=True)
class PreflightConfig:
    """Check a checkpoint against the simulated G1 before it may move it; refuse with a list of all that does not fit.

    Example: volition preflight out/quick/best
    """

    checkpoint: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CHECKPOINT")]
    """Folder of a checkpoint."""
    skill: str = "press_button"
    """Which skill's scene the robot stands in."""
    seed: int = 0
    """Seed of that scene."""
    instruction: str = "press the red button"
    """What the policy is told for its first step."""
    motion: bool = True
    """Move every joint of arms and hands by a few degrees to check names, signs and units."""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise ContractError(f"PreflightConfig.seed is {self.seed}; it must be 0 to {2**32 - 1}.")
        if not self.instruction.strip():
            raise ContractError("PreflightConfig.instruction is empty; say what the policy is to be told.")


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """Summarise what the shield did in a recorded run: a table by reason and joint, and a timeline.

    Example: volition safety report out/demo/run-000.0s
    """

    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a recorded run (with run.json), or a file of events (JSON lines)."""
    out: Path | None = None
    """Where the timeline is written (.svg or .png); beside the run as safety.svg if nothing is said."""

    def __post_init__(self) -> None:
        if self.out is not None and self.out.suffix not in (".svg", ".png"):
            raise ContractError(f"ReportConfig.out is {self.out}; it must end in .svg or .png.")


@dataclass(frozen=True, kw_only=True)
class FaultsConfig:
    """Break cameras, policy, clock and sensors of a working simulated robot, and see that it stays safe and recovers.

    Example: volition safety faults --runs 20 --out out/faults
    """

    runs: int = 200
    """How many runs, over all faults in turn, 1 to 10000."""
    workers: int = 2
    """How many processes; they do not change what comes out."""
    out: Path = Path("out/faults")
    """Folder for runs.jsonl and faults.md; the same command again goes on where it ended."""
    only: str = ""
    """Only these faults, with commas between."""

    def __post_init__(self) -> None:
        for name, most in (("runs", 10_000), ("workers", 64)):
            if not 1 <= getattr(self, name) <= most:
                raise ContractError(f"FaultsConfig.{name} is {getattr(self, name)}; it must be 1 to {most}.")


@dataclass(frozen=True, kw_only=True)
class SafetyConfig:
    """What the shield did in a run, and whether the robot stays safe when things fail.

    Example: volition safety report out/demo/run-000.0s
    """

    command: (
        Annotated[ReportConfig, tyro.conf.subcommand("report")]
        | Annotated[FaultsConfig, tyro.conf.subcommand("faults")]
    )
