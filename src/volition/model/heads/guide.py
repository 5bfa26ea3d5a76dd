"""What a sampled chunk is to agree with: the actions that will be done anyway held fixed, those after them drawn softly.

    Ahead, in the model's scale --guide--> Guide --every round of sampling: led--> a chunk that goes on from it

In each round a sampler has a guess of the finished chunk. Its fixed steps are replaced by what they will be; and the whole
noisy chunk is moved the way in which the guess agrees better with all that is known, by the gradient of the guess. The
second is what makes the free steps go on from the others: after replacing alone a policy that knows two ways still turns
round within a chunk (tests/model/test_model_continue.py).

Sources: real-time chunking, Black et al. 2025, arXiv:2506.07339; the gradient: Song et al. 2023, "Pseudoinverse-guided
diffusion models"; its strength along a flow: Pokle et al. 2023, arXiv:2310.04432.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from volition.model.inputs import Context

STRONGEST = 5.0  # near the noise the exact strength has no bound


@dataclass(frozen=True, kw_only=True)
class Guide:
    values: Tensor  # (B, K, A) in the model's scale, finite
    weight: Tensor  # (B, K) 1: held fixed, 0: free

    def held(self, chunk: Tensor) -> Tensor:
        """The chunk with its fixed steps as they will be, exactly."""
        fixed = (self.weight == 1).unsqueeze(-1).to(chunk.device)
        return torch.where(fixed, self.values.to(chunk), chunk)

    def led(self, guess_of: Callable[[Tensor], Tensor], noisy: Tensor, time: float, *, stretch: float = 1.0) -> Tensor:
        """The guess of the finished chunk (B, K, A), led. `time`: how much of the way from noise to action is done.
        `stretch`: what the noisy chunk is multiplied by beside (1 - time) * noise + time * action."""
        with torch.inference_mode(False), torch.enable_grad():
            at = noisy.clone().requires_grad_()
            guess = guess_of(at)
            off = (self.weight.unsqueeze(-1) * (self.values - guess.detach().to(self.values))).to(guess)
            (pull,) = torch.autograd.grad(guess, at, off)
        return self.held(guess.detach() + _strength(time) * stretch * pull)


def _strength(time: float) -> float:
    """From the likelihood of what is known, the finished chunk being normal around its guess."""
    left = 1 - time
    exact = (time * time + left * left) / (time * left) if 0 < time < 1 else STRONGEST
    return left * min(STRONGEST, exact)


def guide(ahead: Tensor, fixed: int, steps: int) -> Guide:
    """`ahead` (N, A): what will be done, the first `fixed` steps in any case; for one chunk of `steps`. Of the others the
    later ones count less, since what was planned for them was planned from an older picture."""
    with torch.inference_mode(False):
        known = ahead[:steps]
        held = min(fixed, len(known))
        soft = len(known) - held
        values = ahead.new_zeros(1, steps, ahead.shape[1])
        values[0, : len(known)] = known
        weight = ahead.new_zeros(1, steps)
        weight[0, :held] = 1
        weight[0, held : held + soft] = (torch.arange(soft, 0, -1).to(ahead) / (soft + 1)) ** 2
        return Guide(values=values, weight=weight)


def learnable(context: Context) -> Context:
    """The same context where gradients can be taken, also of one that was made in inference mode."""
    with torch.inference_mode(False):
        return Context(tokens=context.tokens.clone(), mask=context.mask.clone(), pooled=context.pooled.clone())
