"""The auxiliaries by name."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from volition.model.auxiliaries.contrast import Contrast, ContrastConfig
from volition.model.auxiliaries.finished import Finished, FinishedConfig
from volition.model.auxiliaries.grounding import Grounding, GroundingConfig
from volition.model.auxiliaries.parts import Sizes
from volition.model.auxiliaries.segmentation import Segmentation, SegmentationConfig


@dataclass(frozen=True, kw_only=True)
class AuxiliariesConfig:
    """None leaves one out."""

    contrast: ContrastConfig | None = None
    grounding: GroundingConfig | None = field(default_factory=GroundingConfig)
    segmentation: SegmentationConfig | None = None
    finished: FinishedConfig | None = field(default_factory=FinishedConfig)


def build_auxiliaries(config: AuxiliariesConfig, *, sizes: Sizes) -> nn.ModuleDict:
    """The chosen ones by name; each is an Auxiliary."""
    parts = nn.ModuleDict()
    if config.contrast is not None:
        parts["contrast"] = Contrast(config.contrast, sizes=sizes)
    if config.grounding is not None:
        parts["grounding"] = Grounding(config.grounding, sizes=sizes)
    if config.segmentation is not None:
        parts["segmentation"] = Segmentation(config.segmentation, sizes=sizes)
    if config.finished is not None:
        parts["finished"] = Finished(config.finished, sizes=sizes)
    return parts
