"""Every head by its name: what a recipe or a checkpoint's `config.json` calls it, its configuration, its class.

The three that hold other heads are joined from them: `PerTask(config, {name: head})`, `PerRobot({name: head})`,
`Reasoning(config, head)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from volition.errors import ContractError
from volition.model.heads.act import Act, ActConfig
from volition.model.heads.autoregressive import Autoregressive, AutoregressiveConfig
from volition.model.heads.classes import Classes, ClassesConfig
from volition.model.heads.diffusion import Diffusion, DiffusionConfig
from volition.model.heads.flow import Flow, FlowConfig
from volition.model.heads.parallel_bins import ParallelBins, ParallelBinsConfig
from volition.model.heads.regression import Regression, RegressionConfig
from volition.model.heads.robots import PerRobot, Space


@dataclass(frozen=True)
class Family:
    config: Callable[..., Any]
    head: Callable[..., nn.Module]


FAMILIES: dict[str, Family] = {
    "regression": Family(RegressionConfig, Regression),
    "act": Family(ActConfig, Act),
    "classes": Family(ClassesConfig, Classes),
    "parallel-bins": Family(ParallelBinsConfig, ParallelBins),
    "autoregressive": Family(AutoregressiveConfig, Autoregressive),
    "diffusion": Family(DiffusionConfig, Diffusion),
    "flow": Family(FlowConfig, Flow),
}


def family(name: str) -> Family:
    if name not in FAMILIES:
        raise ContractError(f"There is no head {name!r}; the heads are {', '.join(FAMILIES)}.")
    return FAMILIES[name]


def build(name: str, *, context: int, **settings: Any) -> nn.Module:
    """A head with the settings of its configuration: `build("act", context=256, actions=17, steps=8)`."""
    chosen = family(name)
    try:
        config = chosen.config(**settings)
    except TypeError as error:  # a setting that this head does not have, or one missing
        raise ContractError(f"The head {name!r} cannot be built with {', '.join(settings)}: {error}.") from error
    return chosen.head(config, context=context)


def per_robot(name: str, spaces: Mapping[str, Space], *, context: int, steps: int, **settings: Any) -> PerRobot:
    """A head for each action space (see `robots.spaces`): of the family `name`, but classes where it is discrete."""
    heads: dict[str, nn.Module] = {}
    for robot, space in spaces.items():
        if space.classes is None:
            heads[robot] = build(name, context=context, actions=space.actions, steps=steps, **settings)
        else:
            heads[robot] = build("classes", context=context, classes=space.classes, steps=steps)
    return PerRobot(heads)
