"""Which numbers to compute in: bfloat16 only where the hardware multiplies it. For `trainer.py` and `validate.py`.

On a CPU without AMX or AVX-512 BF16 it is emulated, ten times slower than float32. Where the instructions exist it
is 1.5 times as fast (transformer, one thread, EPYC) to 2.5 times (convolutions). Weights stay float32 (autocast).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from volition.train.errors import TrainError


def resolve(precision: str, device: torch.device) -> torch.dtype:
    """`auto`, `float32` or `bf16` -> the type that autocast is given; float32 is no autocast at all."""
    if precision == "float32" or (precision == "auto" and not multiplies_bf16(device)):
        return torch.float32
    if precision not in ("auto", "bf16"):
        raise TrainError(f"precision is {precision!r}; it must be auto, float32 or bf16.")
    return torch.bfloat16


def multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":  # the names have a leading underscore in every release up to 2.13
        names = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        return any(getattr(torch.cpu, name, bool)() for name in names)
    return False


def autocast(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    return nullcontext() if dtype is torch.float32 else torch.autocast(device.type, dtype)
