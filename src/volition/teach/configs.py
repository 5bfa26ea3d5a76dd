"""The settings of `volition data generate`, `looks` and `scenes`: read by the command line, checked when they are built.

Only the standard library and tyro are imported, so that `volition --help` is quick and needs no simulator.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from volition.teach.errors import TeachError


@dataclass(frozen=True, kw_only=True)
class GenerateConfig:
    """Let the experts demonstrate skills in simulation and record it; the same command again goes on where it ended.

    Example: volition data generate --skill all --episodes 1000 --workers 2 --out out/data
    """

    skill: str = "all"
    """Skills with commas between, `chain` (two to five goals in one scene), or `all`; each gets an equal share."""
    episodes: int = 100
    """How many there are to be in the end, over all skills, 1 to 1000000."""
    workers: int = 2
    """How many processes, 1 to 1024; they do not change what is made."""
    out: Path = Path("out/data")
    """Folder of the data set: new, empty, or one that this command began."""
    seed: int = 0
    """Seed of everything random, 0 to 4294967295; no two seeds share a scene."""
    axes: str = ""
    """Strengths of what varies, as `light=0,camera=2`: 0 is off, 1 (without a word) what training sees, up to 10."""
    noise: float = 0.0
    """How far the motion that is carried out strays from the label, 0 (not at all) to 3; 1 is about 1 cm."""
    recoveries: float = 0.0
    """Share of episodes that begin after a wrong motion, 0 to 1."""
    seconds: float = 0.0
    """Only the beginning of each episode, up to 60 s of it, and so more scenes an hour; 0: until its goals are reached."""
    policy: Path | None = None
    """Checkpoint that acts while the expert says at every frame what it would do: corrections, for another training."""
    expert: float = 0.0
    """With --policy: share of the time that the expert leads all the same, 0 to 1."""
    pixels: int = 128
    """Side of the square pictures, even, 16 to 1024."""
    backend: Literal["local", "ray"] = "local"
    """Processes here, or the workers of a Ray cluster that share the disk with OUT."""
    address: str | None = None
    """Ray's address, `auto` for the one this machine belongs to; without it Ray is started here."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("episodes", 1, 1_000_000),
            ("workers", 1, 1024),
            ("seed", 0, 2**32 - 1),
            ("noise", 0.0, 3.0),
            ("recoveries", 0.0, 1.0),
            ("seconds", 0.0, 60.0),
            ("expert", 0.0, 1.0),
            ("pixels", 16, 1024),
        ):
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise TeachError(f"GenerateConfig.{name} is {value}; it must be {low} to {high}.")
        if self.pixels % 2:
            raise TeachError(f"GenerateConfig.pixels is {self.pixels}; video needs an even number.")
        if self.policy is not None and (self.noise or self.recoveries):
            raise TeachError("Noise and recoveries are for the expert's own motion; leave them out with --policy.")
        if self.seconds and self.recoveries:
            raise TeachError("A recovery begins after the first seconds; leave --recoveries out with --seconds.")
        if self.policy is None and self.expert:
            raise TeachError(f"GenerateConfig.expert is {self.expert}; it goes with --policy only.")
        if self.address is not None and self.backend != "ray":
            raise TeachError(f"GenerateConfig.address is {self.address!r}; it goes with the backend `ray` only.")


@dataclass(frozen=True, kw_only=True)
class ScenesConfig:
    """Draw scenes for the ten primitives, with instructions and the primitive that is right; the same command goes on.

    Example: volition data scenes --episodes 1000 --workers 2 --out out/scenes
    """

    episodes: int = 100
    """How many scenes there are to be in the end, 1 to 1000000."""
    frames: int = 8
    """Pictures of each, every one with its own instruction, 1 to 1000."""
    split: Literal["train", "phrasings", "layouts", "pairs", "held_out"] = "train"
    """What training never sees: sentences, places on the floor, kinds in a colour; held_out is sentences and places."""
    workers: int = 2
    """How many processes, 1 to 1024; they do not change what is made."""
    out: Path = Path("out/scenes")
    """Folder of the data set: new, empty, or one that this command began."""
    seed: int = 0
    """Seed of everything random, 0 to 4294967295; no two seeds share a scene."""
    axes: str = ""
    """Strengths of what varies, as `light=0,camera=2`: 0 is off, 1 (without a word) what training sees, up to 10."""
    pixels: int = 128
    """Side of the square pictures, even, 16 to 1024."""
    backend: Literal["local", "ray"] = "local"
    """Processes here, or the workers of a Ray cluster that share the disk with OUT."""
    address: str | None = None
    """Ray's address, `auto` for the one this machine belongs to; without it Ray is started here."""

    def __post_init__(self) -> None:
        _pictured(self)


@dataclass(frozen=True, kw_only=True)
class LooksConfig:
    """Take pictures of tables, to learn what words mean there; nobody does anything. The same command goes on.

    Example: volition data looks --skill press_button,open_drawer --episodes 1000 --workers 2 --out out/looks
    """

    skill: str = "press_button,pick_and_place,open_drawer,pour,wipe_surface,go_to"
    """Skills with commas between, `chain` (a long table with things of several), whose scenes are looked at; each gets an equal share."""
    episodes: int = 1000
    """How many scenes there are to be in the end, 1 to 1000000."""
    frames: int = 4
    """Pictures of each, with the hands elsewhere in every one, 1 to 1000."""
    workers: int = 2
    """How many processes, 1 to 1024; they do not change what is made."""
    out: Path = Path("out/looks")
    """Folder of the data set: new, empty, or one that this command began."""
    seed: int = 0
    """Seed of everything random, 0 to 4294967295; no two seeds share a scene, nor do demonstrations of the same seed."""
    axes: str = ""
    """Strengths of what varies, as `light=0,camera=2`: 0 is off, 1 (without a word) what training sees, up to 10."""
    pixels: int = 128
    """Side of the square pictures, even, 16 to 1024."""
    backend: Literal["local", "ray"] = "local"
    """Processes here, or the workers of a Ray cluster that share the disk with OUT."""
    address: str | None = None
    """Ray's address, `auto` for the one this machine belongs to; without it Ray is started here."""

    def __post_init__(self) -> None:
        _pictured(self)


def _pictured(config: ScenesConfig | LooksConfig) -> None:
    bounds = {
        "episodes": (1, 1_000_000),
        "frames": (1, 1000),
        "workers": (1, 1024),
        "seed": (0, 2**32 - 1),
        "pixels": (16, 1024),
    }
    kind = type(config).__name__
    for name, (low, high) in bounds.items():
        value = getattr(config, name)
        if not low <= value <= high:
            raise TeachError(f"{kind}.{name} is {value}; it must be {low} to {high}.")
    if config.pixels % 2:
        raise TeachError(f"{kind}.pixels is {config.pixels}; video needs an even number.")
    if config.address is not None and config.backend != "ray":
        raise TeachError(f"{kind}.address is {config.address!r}; it goes with the backend `ray` only.")
