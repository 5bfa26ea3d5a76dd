"""Every fusion by name: `build("pooled", Sizes(vision=128, words=384, pooled=384, state=64, patches=16), width=256)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from volition.errors import ContractError
from volition.model.fusion.cross import CrossConfig, CrossFusion
from volition.model.fusion.film import FilmConfig, FilmFusion
from volition.model.fusion.grounding import GroundingConfig, GroundingFusion
from volition.model.fusion.joint import JointConfig, JointFusion
from volition.model.fusion.pooled import PooledConfig, PooledFusion
from volition.model.fusion.sizes import Sizes
from volition.model.fusion.spots import SpotsFusion
from volition.model.fusion.spots_config import SpotsConfig
from volition.model.parts import Fusion


@dataclass(frozen=True)
class Family:
    config: Callable[..., Any]
    fusion: Callable[[Any, Sizes], Fusion]


FAMILIES: dict[str, Family] = {
    "pooled": Family(PooledConfig, PooledFusion),
    "film": Family(FilmConfig, FilmFusion),
    "cross": Family(CrossConfig, CrossFusion),
    "grounding": Family(GroundingConfig, GroundingFusion),
    "joint": Family(JointConfig, JointFusion),
    "spots": Family(SpotsConfig, SpotsFusion),
}


def build(name: str, sizes: Sizes, **settings: Any) -> Fusion:
    """A fusion with the settings of its configuration, for tokens of these sizes."""
    if name not in FAMILIES:
        raise ContractError(f"There is no fusion {name!r}; the fusions are {', '.join(FAMILIES)}.")
    chosen = FAMILIES[name]
    try:
        config = chosen.config(**settings)
    except TypeError as error:  # a setting that this fusion does not have
        raise ContractError(f"The fusion {name!r} cannot be built with {', '.join(settings)}: {error}.") from error
    return chosen.fusion(config, sizes)
