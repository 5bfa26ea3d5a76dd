"""What `volition export` and `volition compress` take; the functions are `export.py` and `eval/compression.py`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from volition.errors import ContractError

Format = Literal["onnx", "torchscript", "export"]


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """Write a checkpoint as a folder that runs without Volition's models: ONNX (without torch), TorchScript, torch.export.

    The folder is a policy: volition eval out/onnx, volition demo --policy out/onnx

    Example: volition export out/quick/best --format onnx --out out/onnx
    """

    checkpoint: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CHECKPOINT")]
    """Folder of a checkpoint."""
    out: Path
    """Folder to write; one that is there is replaced if it is an exported policy."""
    format: Format = "onnx"
    """`onnx` runs in onnxruntime, `torchscript` and `export` in torch."""
    data: Path | None = None
    """Data set whose observations both are compared on; without it observations are drawn by the seed."""
    observations: int = 20
    """How many observations both are compared on, 1 to 10000."""
    seed: int = 0
    """Decides which observations."""

    def __post_init__(self) -> None:
        if not 1 <= self.observations <= 10_000:
            raise ContractError(f"ExportConfig.observations is {self.observations}; it must be 1 to 10000.")
        if not 0 <= self.seed < 2**32:
            raise ContractError(f"ExportConfig.seed is {self.seed}; it must be 0 to {2**32 - 1}.")


@dataclass(frozen=True, kw_only=True)
class CompressConfig:
    """Make a policy smaller and faster, as ONNX; written only if it still does in closed loop what it did before, as safely.

    Example: volition compress out/quick/best --data out/quick/data --out out/small --prune 0.3 --int8
    """

    checkpoint: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CHECKPOINT")]
    """Folder of a checkpoint."""
    data: Path
    """Data set whose observations say which units matter, and between what the numbers of a layer lie."""
    out: Path
    """Folder of the smaller policy; beside it OUT.report has the trials and the figures, also when it is refused."""
    prune: float = 0.0
    """Share of the hidden units of each layer to cut out, 0 to 0.9."""
    int8: bool = False
    """Eight bits for weights and for what flows between layers."""
    skills: str = ""
    """Skills to try both on, with commas between; without it those that it was taught."""
    episodes: int = 100
    """Trials of each skill, on the same seeds before and after, 1 to 10000. Fewer say less, and so refuse more."""
    margin: float = 0.1
    """How much success may be lost at most, by the lower end of the 95 % interval of the paired difference; above 0."""
    observations: int = 100
    """How many recorded observations, 10 to 10000."""
    seed: int = 0
    """Decides which observations."""
    workers: int = 2
    """Processes that try."""

    def __post_init__(self) -> None:
        if not 0 <= self.prune <= 0.9:
            raise ContractError(f"CompressConfig.prune is {self.prune}; it must be a share, 0 to 0.9.")
        if not self.prune and not self.int8:
            raise ContractError("There is nothing to do; give --prune SHARE, --int8 or both.")
        if not 0 < self.margin <= 1:
            raise ContractError(f"CompressConfig.margin is {self.margin}; it must be above 0 and at most 1.")
        for name, least, most in (("episodes", 1, 10_000), ("observations", 10, 10_000), ("workers", 1, 1024)):
            if not least <= getattr(self, name) <= most:
                raise ContractError(f"CompressConfig.{name} is {getattr(self, name)}; it must be {least} to {most}.")
