"""All randomness of a step from (seed, step, process, part): nothing to save, and nothing that looks on can shift it.

A resumed run draws the numbers that the uninterrupted one drew, with however many processes, and a validation or
evaluation between two steps changes nothing.
"""

from __future__ import annotations

import numpy as np
import torch


def generator(device: torch.device, *path: int) -> torch.Generator:
    """A generator of its own for each path; the global one of torch (dropout) is set by it too."""
    seed = int(np.random.SeedSequence(path).generate_state(1, np.uint64)[0] >> 1)
    torch.manual_seed(seed)
    return torch.Generator(device).manual_seed(seed ^ 0x5DEECE66D)  # not the same stream as the global one
