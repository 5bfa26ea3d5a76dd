"""Group norm, the words' scale and shift, and ReLU in one go: what stands between two convolutions of `conv.py`.

features (N, C, H, W), channels last --by groups--> normed --FiLM (N, 2C)--> scaled, shifted --ReLU--> features

torch's own group norm is slow on a CPU where channels are last, as convolutions like them: 3 times slower than this in
float32 and 10 times in bfloat16, then a quarter of a training step of `quick` (48 channels, 16 x 16, one thread).
Everything that one picture's channel goes through is one multiplication and one addition, so FiLM costs nothing.
Elsewhere (a GPU, a model that is exported) torch's own is used; the numbers are the same.
"""

from __future__ import annotations

from math import gcd
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional


def normed(features: Tensor, norm: nn.GroupNorm, film: Tensor | None = None, *, relu: bool = False) -> Tensor:
    """`film` (N, 2C): first what is added to a scale of 1, then the shift, of each channel."""
    fast = features.device.type == "cpu" and features.requires_grad
    if fast and features.is_contiguous(memory_format=torch.channels_last):
        scale, shift = norm.weight.expand(len(features), -1), norm.bias.expand(len(features), -1)  # (N, C)
        if film is not None:
            more, add = film.to(scale.dtype).chunk(2, dim=1)
            scale, shift = scale * (1 + more), shift * (1 + more) + add
        return _Norm.apply(features, scale, shift, norm.num_groups, norm.eps, relu)
    features = norm(features)
    if film is not None:
        more, add = film[:, :, None, None].chunk(2, dim=1)
        features = features * (1 + more) + add
    return functional.relu(features) if relu else features


class _Norm(torch.autograd.Function):
    """scale * (features - mean) / deviation + shift: mean and deviation of a picture's group of channels."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, scale: Tensor, shift: Tensor, groups: int, eps: float, relu: bool
    ) -> Tensor:
        x = _rows(features)
        mean = _by_group(_mean(x, scale), groups)  # (N, C), equal in a group
        rate = (_by_group(_mean(x * x, scale), groups) - mean * mean).clamp(min=0).add(eps).rsqrt()
        factor = rate * scale
        out = torch.addcmul(_row(shift - mean * factor, x), x, _row(factor, x))
        if relu:
            out.relu_()
        ctx.save_for_backward(x, mean, rate, scale, *((out,) if relu else ()))
        ctx.groups = groups
        return _as_picture(out, features)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, ...]:
        x, mean, rate, scale, *out = ctx.saved_tensors
        grad = _rows(grads[0])
        if out:
            grad = torch.ops.aten.threshold_backward(grad, out[0], 0)
        shifts = _mean(grad, scale)  # (N, C)
        scales = rate * (_mean(grad * x, scale) - mean * shifts)
        # Of the normed features z: scale * grad - mean of a group's (scale * grad) - z * mean of its (scale * grad * z).
        along = rate * rate * _by_group(scale * scales, ctx.groups)
        constant = mean * along - rate * _by_group(scale * shifts, ctx.groups)
        given = torch.addcmul(_row(constant, x), x, _row(-along, x))
        given.addcmul_(grad, _row(rate * scale, x))
        pixels = grads[0].shape[2] * grads[0].shape[3]
        return _as_picture(given, grads[0]), scales * pixels, shifts * pixels, None, None, None


def _rows(features: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, P, pixels * C), several pixels in a row: an inner loop over 48 bfloat16 would be 4 times slower
    than one over 384."""
    count, channels, height, width = features.shape
    pixels = gcd(height * width, 8)
    return features.permute(0, 2, 3, 1).reshape(count, -1, pixels * channels)


def _row(values: Tensor, like: Tensor) -> Tensor:
    """(N, C) -> (N, 1, pixels * C)"""
    return values.to(like.dtype).repeat(1, like.shape[2] // values.shape[1]).unsqueeze(1)


def _mean(rows: Tensor, like: Tensor) -> Tensor:
    """(N, P, pixels * C) -> (N, C), as `like`: over the pixels. Sums of bfloat16 are rounded once a column, not once."""
    columns = rows.sum(1).to(like.dtype).unflatten(1, (-1, like.shape[1]))
    return columns.sum(1) / (rows.shape[1] * columns.shape[1])


def _by_group(values: Tensor, groups: int) -> Tensor:
    """(N, C) -> (N, C): the mean over a group's channels, for each of them."""
    grouped = values.unflatten(1, (groups, -1))
    return grouped.mean(2, keepdim=True).expand_as(grouped).flatten(1)


def _as_picture(rows: Tensor, like: Tensor) -> Tensor:
    count, channels, height, width = like.shape
    return rows.view(count, height, width, channels).permute(0, 3, 1, 2)
