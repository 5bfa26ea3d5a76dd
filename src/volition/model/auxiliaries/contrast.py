"""Contrast: which picture belongs to which words."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from volition.errors import ContractError
from volition.model.auxiliaries.parts import Sizes, newest
from volition.model.inputs import Context, Inputs, Sentences, Targets, Words


@dataclass(frozen=True, kw_only=True)
class ContrastConfig:
    weight: float = 0.1
    temperature: float = 0.07
    learn_temperature: bool = False
    width: int = 128

    def __post_init__(self) -> None:
        if self.temperature <= 0 or self.width < 1:
            raise ContractError(f"temperature and width are {self.temperature}, {self.width}; both must be positive.")


class Contrast(nn.Module):
    """InfoNCE both ways (CLIP, Radford et al. 2021): a picture is closer to its own words than to the batch's others.

    Rows with the same sentence are left out of each other's negatives: a batch of a few tasks repeats its sentences.
    """

    def __init__(self, config: ContrastConfig, *, sizes: Sizes) -> None:
        super().__init__()
        self.config = config
        self.sizes = sizes
        self.picture = nn.Sequential(nn.LayerNorm(sizes.vision), nn.Linear(sizes.vision, config.width))
        self.sentence = nn.Sequential(nn.LayerNorm(sizes.words), nn.Linear(sizes.words, config.width))
        scale = torch.tensor([-math.log(config.temperature)])  # (1,): FSDP cannot cut what has no dimension
        self.log_scale = nn.Parameter(scale, requires_grad=config.learn_temperature)

    def losses(
        self, tokens: Tensor, words: Words, context: Context, inputs: Inputs, targets: Targets
    ) -> dict[str, Tensor]:
        picture = functional.normalize(self.picture(newest(tokens, self.sizes).mean((1, 2))), dim=-1)
        sentence = functional.normalize(self.sentence(words.pooled), dim=-1)
        alike = picture @ sentence.T * self.log_scale.clamp(max=math.log(100)).exp()  # (B, B), row: picture
        own = torch.eye(len(alike), dtype=torch.bool, device=alike.device)
        alike = alike.masked_fill(same_sentence(inputs.sentences) & ~own, float("-inf"))
        right = torch.arange(len(alike), device=alike.device)
        loss = (functional.cross_entropy(alike, right) + functional.cross_entropy(alike.T, right)) / 2
        return {"contrast": self.config.weight * loss}


def same_sentence(sentences: Sentences) -> Tensor:
    """(B, B) bool: the real tokens of the two rows are the same."""
    ids = sentences.ids.masked_fill(~sentences.mask, -1)
    return (ids[:, None] == ids[None]).all(-1)
