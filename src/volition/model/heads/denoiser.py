"""The network in `diffusion.py` and `flow.py`: a noisy chunk and how noisy it is, to what to take away from it.

noisy (B, K, A), time (B,) in 0..1 --a token a step + time, decoder over the context's tokens--> (B, K, A)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from volition.model.heads.decoder import Decoder, learned
from volition.model.inputs import Context


class Denoiser(nn.Module):
    def __init__(
        self, actions: int, steps: int, *, width: int, heads: int, layers: int, dropout: float, context: int
    ) -> None:
        super().__init__()
        self.inward = nn.Linear(actions, width)
        self.places = learned(steps, width)
        self.waves = 2 * (width // 2)
        self.clock = nn.Sequential(nn.Linear(self.waves, width), nn.SiLU(), nn.Linear(width, width))
        self.decoder = Decoder(width, heads, layers, cross=context, dropout=dropout)
        self.outward = nn.Linear(width, actions)
        nn.init.zeros_(self.outward.weight)  # begins by taking nothing away
        nn.init.zeros_(self.outward.bias)

    def forward(self, noisy: Tensor, time: Tensor, context: Context, real: Tensor | None = None) -> Tensor:
        """Steps where `real` (B, K) is False are not looked at by the others; None: all are real, as when acting."""
        waves = self.clock(_waves(time, self.waves)).unsqueeze(1)  # (B, 1, width)
        return self.outward(self.decoder(self.inward(noisy) + self.places + waves, context, mask=real))


def _waves(time: Tensor, width: int) -> Tensor:
    """Sines and cosines of a time in 0..1, (B, width): as positions in a transformer, of 1000 places."""
    rates = torch.exp(torch.arange(width // 2, device=time.device) * (-math.log(10_000) / (width // 2)))
    angles = 1000 * time.unsqueeze(-1) * rates.to(time.dtype)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
