"""A few demonstrations as part of what a policy is given: for a task that it was not trained on, or little.

    Inputs.shown (key frames of E episodes) --encoder, MLP--> E * F tokens ┐
    Inputs.state -----------------------------StateEncoder--> its tokens --┴--> as a StateEncoder gives them

Demonstrations are context, not training: no weight changes, so nothing that was known before is forgotten. What was not
shown is exactly zero; a model that was shown nothing acts by the words alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from volition.errors import ContractError
from volition.model.inputs import Inputs, Shown
from volition.model.state import StateEncoder


@dataclass(frozen=True, kw_only=True)
class ShownConfig:
    episodes: int = 2  # E, at most
    frames: int = 4  # F, of each, from its first to its last

    def __post_init__(self) -> None:
        if min(self.episodes, self.frames) < 1:
            raise ContractError(
                f"{self.episodes} episodes of {self.frames} frames cannot be shown; both must be at least 1."
            )


class ShownState(nn.Module):
    """`state` and what was shown. `encoder` looks at the key frames' pictures, which are of one camera."""

    def __init__(
        self, config: ShownConfig, state: StateEncoder, *, encoder: nn.Module, numbers: int, actions: int
    ) -> None:
        super().__init__()
        self.config = config
        self.state = state
        self.encoder = encoder
        self.width = state.width
        self.tokens = state.tokens + config.episodes * config.frames
        self.picture = nn.Linear(encoder.width, self.width)  # pyright: ignore[reportArgumentType]
        self.numbers = nn.Sequential(
            nn.Linear(numbers + actions, self.width), nn.GELU(), nn.Linear(self.width, self.width)
        )
        self.places = nn.Parameter(torch.randn(config.frames, self.width) * 0.02)
        self.sizes = (numbers, actions)

    def forward(self, inputs: Inputs) -> Tensor:
        own = self.state(inputs)  # (B, M, width)
        if inputs.shown is None:
            return torch.cat([own, own.new_zeros(len(own), self.tokens - own.shape[1], self.width)], dim=1)
        return torch.cat([own, self._tokens(inputs.shown, len(own)).to(own.dtype)], dim=1)

    def _tokens(self, shown: Shown, batch: int) -> Tensor:
        """(B, E * F, width), zero for episodes that are not there."""
        self._check(shown, batch)
        pictures = shown.images.flatten(0, 2).permute(0, 3, 1, 2)  # (B*E*F, 3, H, W), channels last in memory
        if not getattr(self.encoder, "takes_bytes", False):
            pictures = pictures.to(self.places.dtype).div_(255)
        seen = self.picture(self.encoder(pictures, None).mean(1))  # (B*E*F, width)
        felt = self.numbers(torch.cat([shown.state, shown.actions], dim=-1))  # (B, E, F, width)
        tokens = seen.view_as(felt) + felt + self.places
        return tokens.masked_fill(~shown.mask[:, :, None, None], 0).flatten(1, 2)

    def _check(self, shown: Shown, batch: int) -> None:
        lead = (batch, self.config.episodes, self.config.frames)
        numbers, actions = self.sizes
        good = (
            shown.images.shape[:3] == lead
            and shown.images.dtype == torch.uint8
            and shown.state.shape == (*lead, numbers)
            and shown.actions.shape == (*lead, actions)
            and shown.mask.shape == lead[:2]
        )
        if not good:
            raise ContractError(
                f"Shown are pictures {tuple(shown.images.shape)} {shown.images.dtype}, states {tuple(shown.state.shape)}, "
                f"actions {tuple(shown.actions.shape)}, mask {tuple(shown.mask.shape)}; this model takes {lead} key "
                f"frames (bytes) with {numbers} and {actions} numbers."
            )
