"""What `volition train` takes; the function behind it is `eval/training.py`, because it may evaluate in closed loop."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from volition.train.config import TrainConfig
from volition.train.errors import TrainError


@dataclass(frozen=True, kw_only=True)
class TrainCommand:
    """Train a policy from demonstrations; stop it any time and go on with --resume.

    Example: volition train quick --data data/skills --out out/quick --minutes 20
    """

    recipe: tyro.conf.Positional[str]
    """Which system: `volition models` lists them."""
    data: tuple[Path, ...]
    """Folders of data sets in LeRobot's format."""
    out: Path
    """Folder for states, metrics and checkpoints."""
    weights: tuple[float, ...] = ()
    """Shares of the data sets, as many as there are; without them, by their size."""
    size: Literal["standard", "small", "test"] = "small"
    """`standard` is what the inventors describe, `small` the same for two CPU cores."""
    action: str = "ee"
    """The action space to learn."""
    skills: str = "all"
    """Which skills' episodes, with commas between."""
    balance: bool = True
    """As many windows of each skill, however many episodes it has."""
    batch: int = 32
    """Windows a batch."""
    chunk: int = 0
    """Actions a chunk; 0 is the recipe's own."""
    history: int = 0
    """Pictures a decision; 0 is the recipe's own."""
    history_step: int = 1
    """Frames between two pictures of a history."""
    frame: Literal["absolute", "relative"] = "absolute"
    """Whether a hand's way is told in the pelvis frame or from where the hand is."""
    cameras: tuple[str, ...] = ()
    """Which cameras; without them, all that the data set has."""
    phrases: int = 16
    """Ways to say an episode's goals, drawn anew for each window."""
    ask: int | None = None
    """Other goals of its scene that each window's pictures are also asked the meaning of, where model and data set can tell; 0: none, without it the recipe's own."""
    lesson: Literal["all", "eyes", "words", "hands"] = "all"
    """To begin with, for models that name things: `eyes`: only what stands where; `words`: only what sentences say, without pictures. For those whose hands go by places `hands`: only what to do where things are known, without pictures."""
    felt: int = 16
    """Other moments of its episode beside each window, without pictures, for models whose hands go by places (fusion.hands)."""
    shift: int = 0
    """Augmentation: pixels a picture is moved at most; for cameras that are not calibrated."""
    colour: float = 0.2
    """Augmentation: strength of brightness, contrast and tint."""
    still: float = 0.5
    """Augmentation: share of the windows in which a walking robot is told that it stands."""
    held_out: float = 0.05
    """Share of the episodes kept for validation."""
    features: bool = True
    """Compute what a frozen picture encoder gives once and keep it on disk; only with --shift 0 --colour 0."""
    processes: int = 1
    """How many processes of this machine share each batch; each has its part of the cores, or a GPU of its own."""
    loaders: int = 0
    """Threads that decode each data set; 0: one for four cores. On few cores more of them only stand in each other's way."""
    memory_mb: int = 1024
    """Decoded pictures held at most."""
    truth: bool = True
    """Use the simulator's truth for auxiliary losses, where the data set has it; mixtures must agree about it."""
    start: Path | None = None
    """Checkpoint whose weights, scales and settings to start from, to train it further."""
    set: tuple[str, ...] = ()
    """Options of the model's parts, as part.name=value: vision.source=folder, language.family=bert, head.loss=mse."""
    freeze: tuple[str, ...] = ()
    """Parts that learn nothing: names or patterns of them, as views or language.*."""
    lora: tuple[str, ...] = ()
    """Linear layers that learn by low-rank adapters, everything else being frozen: names or patterns."""
    lora_rank: int = 8
    evaluate: str = ""
    """Skills to try in closed loop every --evaluate-every steps; the best checkpoint is then the most successful."""
    episodes: int = 10
    """Trials a skill at each evaluation."""
    resume: bool = False
    """Go on with the run in --out."""
    train: Annotated[TrainConfig, tyro.conf.arg(name="")] = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        for name, least, most in (
            ("batch", 1, 65536), ("chunk", 0, 1000), ("history", 0, 100), ("history_step", 1, 100), ("phrases", 1, 1000), ("felt", 0, 1000), ("loaders", 0, 256), ("processes", 1, 1024),
            ("memory_mb", 16, 1 << 20), ("lora_rank", 1, 4096), ("episodes", 1, 10_000),
        ):  # fmt: skip
            value = getattr(self, name)
            if not least <= value <= most:
                raise TrainError(f"TrainCommand.{name} is {value}; it must be {least} to {most}.")
        if self.ask is not None and not 0 <= self.ask <= 100:
            raise TrainError(f"TrainCommand.ask is {self.ask}; it must be 0 to 100.")
        if not 0 <= self.still <= 1:
            raise TrainError(f"TrainCommand.still is {self.still}; it is a share, 0 to 1.")
        if not 0 <= self.held_out < 1:
            raise TrainError(f"TrainCommand.held_out is {self.held_out}; it is a share, 0 or more and below 1.")
        if self.weights and len(self.weights) != len(self.data):
            raise TrainError(
                f"There are {len(self.weights)} weights for {len(self.data)} data sets; give one for each."
            )
        self.options()

    def options(self) -> Mapping[str, Mapping[str, Any]]:
        """`set` by part."""
        found: dict[str, dict[str, Any]] = {}
        for text in self.set:
            name, equals, value = text.partition("=")
            part, dot, option = name.partition(".")
            if not (equals and dot and part and option):
                raise TrainError(f"--set takes part.name=value, such as vision.source=folder, not {text!r}.")
            found.setdefault(part, {})[option] = _value(value)
        return found


def _value(text: str) -> Any:
    """A number, list, true, false, null or quoted text as JSON has it; anything else is the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
