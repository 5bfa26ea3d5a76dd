"""Modules by name in one place: a head a task, a head a robot. Weights are saved under the names, whatever their order."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from volition.errors import ContractError


def named(owner: str, modules: Mapping[str, nn.Module]) -> nn.ModuleDict:
    """The modules under their names; a name that torch cannot save under is refused."""
    known = nn.ModuleDict()
    if not modules:
        raise ContractError(f"{owner} was given no heads; it needs at least one, by its name.")
    for name, module in modules.items():
        add(owner, known, name, module)
    return known


def add(owner: str, known: nn.ModuleDict, name: str, module: nn.Module) -> None:
    if not name or "." in name or hasattr(known, name):
        raise ContractError(
            f"{owner} cannot call a head {name!r}; use another name, not empty, without dots and not taken. "
            f"Taken are {', '.join(known) or 'none'}."
        )
    known[name] = module
