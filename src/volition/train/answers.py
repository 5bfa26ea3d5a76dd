"""What a checkpoint says to every frame of a data set, beside what the data set says: first actions, in units.

Checkpoint, Dataset -> Batches (in order, as recorded) -> VLA.decide -> (N, A) said, (N, A) right
"""

from __future__ import annotations

import numpy as np
import torch

from volition.data.loader import LoaderConfig
from volition.data.store import Dataset
from volition.model.checkpoint import Checkpoint
from volition.model.inputs import to
from volition.train.batch_config import BatchConfig
from volition.train.batches import Batches


def answers(
    checkpoint: Checkpoint, dataset: Dataset, *, batch: int = 64, device: str = "cpu", seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Episode by episode, frame by frame. Absolute action spaces only: a relative one is told by where the hands are."""
    shapes, codec = checkpoint.design.shapes, checkpoint.codec
    view = BatchConfig(
        action=codec.spec.name,
        cameras=shapes.cameras,
        history=shapes.history,
        history_step=checkpoint.design.history_step,
        chunk=shapes.chunk,
        before=shapes.before,
        frame=codec.frame,
        phrases=1,
        truth=False,
    )
    loader = LoaderConfig(batch=batch, shuffle=False, drop_last=False, workers=1)
    batches = Batches(dataset, view, codec, checkpoint.model.read, loader, tasks=shapes.tasks)
    model, random = checkpoint.model.to(device).eval(), torch.Generator(device=device).manual_seed(seed)
    said, right = [], []
    with torch.inference_mode():
        for inputs, targets in batches.epoch(0):
            chunk, _ = model.decide(to(inputs, device), rng=random)
            said.append(codec.actions.inverse(chunk[:, 0].double().cpu().numpy()))
            right.append(codec.actions.inverse(targets.actions[:, 0].double().numpy()))
    return np.concatenate(said), np.concatenate(right)
