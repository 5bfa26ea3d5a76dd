"""Keeping a pretrained network as it is, or all but its last blocks: no gradient, and evaluation mode always.

Used by the encoders of vision/ that load weights. What requires no gradient is the one truth: freeze or unfreeze
parts later by `requires_grad_`, and `settle` follows.
"""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from volition.errors import ContractError


def freeze(network: nn.Module, blocks: nn.ModuleList, *, unfreeze_last: int = 0) -> None:
    """Freezes the network but its last blocks and the norm layer that comes after all of them."""
    if not 0 <= unfreeze_last <= len(blocks):
        raise ContractError(f"unfreeze_last is {unfreeze_last}; this network has {len(blocks)} blocks.")
    network.requires_grad_(False)
    if not unfreeze_last:
        return
    for block in list(blocks)[len(blocks) - unfreeze_last :]:
        block.requires_grad_(True)
    inside = {id(part) for block in blocks for part in block.modules()}
    norms = [part for part in network.modules() if isinstance(part, nn.LayerNorm) and id(part) not in inside]
    if norms:
        norms[-1].requires_grad_(True)  # the one after all blocks: it sees what the trained ones now give


def settle(network: nn.Module, *, fix_statistics: bool = False) -> None:
    """Puts every wholly frozen part, and with `fix_statistics` every batch norm, into evaluation mode."""
    for part in network.modules():
        own = list(part.parameters())
        frozen = bool(own) and not any(parameter.requires_grad for parameter in own)
        if frozen or (fix_statistics and isinstance(part, _BatchNorm)):
            part.eval()


def trains(network: nn.Module) -> bool:
    """Whether any of its weights takes a gradient."""
    return any(parameter.requires_grad for parameter in network.parameters())
