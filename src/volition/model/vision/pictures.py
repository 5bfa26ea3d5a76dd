"""What happens to a picture before an encoder sees it: its statistics taken off, and its size changed.

pictures (N, 3, H, W) RGB in 0..1 -> resized -> Normalise -> an encoder of vision/
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from volition.errors import ContractError

# Mean and standard deviation of R, G, B in 0..1: what each family of encoders was trained with.
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))  # to -1..1


class Normalise(nn.Module):
    """(pictures - mean) / std, a channel each; the statistics are buffers, RGB, and are saved with the weights."""

    mean: Tensor
    std: Tensor

    def __init__(self, statistics: tuple[tuple[float, ...], tuple[float, ...]]) -> None:
        super().__init__()
        for name, values in zip(("mean", "std"), statistics, strict=True):
            self.register_buffer(name, torch.tensor(values).view(1, -1, 1, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        channels = self.mean.shape[1]
        if pictures.ndim != 4 or pictures.shape[1] != channels or not pictures.is_floating_point():
            raise ContractError(
                f"Pictures are {pictures.dtype} {tuple(pictures.shape)}; an encoder takes float (N, {channels}, H, W) "
                f"in 0..1."
            )
        # (pictures - mean) / std in one pass over the memory: on a CPU twice as fast as two.
        return torch.addcmul(-self.mean / self.std, pictures, 1 / self.std)


def resized(pictures: Tensor, height: int, width: int) -> Tensor:
    """The pictures at another size: bilinear with antialiasing, stretched where the sides' ratio differs."""
    if pictures.shape[-2:] == (height, width):
        return pictures
    return nn.functional.interpolate(
        pictures, size=(height, width), mode="bilinear", antialias=True, align_corners=False
    )
