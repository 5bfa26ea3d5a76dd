"""The plain fusion: each sense made one vector, the vectors side by side through an MLP. The fast one, for a CPU.

    vision (B, N, Dv) --mean, or flattened--> linear ┐
    words.pooled (B, Dw) ------------------> linear ├--> concatenated --MLP--> (B, width), as one token
    state (B, M, Ds) ---------flattened----> linear ┘

A mean forgets where in the picture something was; with few tokens (a token learner's, say) flatten them instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from volition.errors import ContractError
from volition.model.fusion.sizes import Sizes
from volition.model.inputs import Context, Words


@dataclass(frozen=True, kw_only=True)
class PooledConfig:
    """`clip-classifier` takes vision=1024, words=1024, flatten=False."""

    width: int = 256
    flatten: bool = True  # vision: keep each token's place, not the mean of all
    vision: int = 256  # what each is projected to
    words: int = 256
    state: int = 64
    hidden: Sequence[int] = (512,)
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if min(self.width, self.vision, self.words, self.state, *self.hidden) < 1 or not 0 <= self.dropout < 1:
            raise ContractError(f"{self} cannot be built; every width is at least 1, and dropout at least 0, below 1.")


class PooledFusion(nn.Module):
    def __init__(self, config: PooledConfig, sizes: Sizes) -> None:
        super().__init__()
        self.config = config
        self.sizes = sizes
        self.width = config.width
        self.vision = nn.Linear(sizes.vision * (sizes.patches if config.flatten else 1), config.vision)
        self.words = nn.Linear(sizes.pooled, config.words)
        self.state = nn.Linear(sizes.state * sizes.steps, config.state)
        # The senses come in scales of their own; beside each other none may drown the rest.
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in (config.vision, config.words, config.state))
        layers: list[nn.Module] = []
        width = config.vision + config.words + config.state
        for hidden in config.hidden:
            layers += [nn.Linear(width, hidden), nn.GELU(), nn.Dropout(config.dropout)]
            width = hidden
        self.layers = nn.Sequential(*layers, nn.Linear(width, config.width))

    def forward(self, vision: Tensor, words: Words, state: Tensor) -> Context:
        self.sizes.check(vision, words, state)
        seen = vision.flatten(1) if self.config.flatten else vision.mean(1)
        parts = (self.vision(seen), self.words(words.pooled), self.state(state.flatten(1)))
        joined = torch.cat([norm(part) for norm, part in zip(self.norms, parts, strict=True)], dim=-1)
        pooled = self.layers(joined)  # (B, width)
        mask = torch.ones(pooled.shape[0], 1, dtype=torch.bool, device=pooled.device)
        return Context(tokens=pooled.unsqueeze(1), mask=mask, pooled=pooled)
