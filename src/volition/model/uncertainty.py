"""How unsure a learned model is of one decision, in a few numbers that cost little beside the decision itself.

    Context, Inputs -> Doubts.measure -> {"strange": .., "spread": .., "unseen": .., "vague": ..} -> ActionChunk.doubt

    strange  how far the fused feature is from those of the training windows
    spread   how much four more samples of the chunk differ, where the head draws (flow, diffusion)
    unseen   how likely it is that the thing the words mean is in none of the pictures, where the fusion looks for it (spots)
    vague    how spread out the place is where it is looked for, 0 one cell to 1 everywhere

Larger is more doubtful. What a number means is learned in closed loop: `eval/uncertainty.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from volition.errors import AssetError, ContractError
from volition.model.inputs import Context, Inputs, Spots, rows
from volition.model.vla import VLA
from volition.safety.calibration import CALIBRATION, weights_of

FEATURES = "uncertainty.safetensors"  # beside the weights
SAMPLES = 4
_RANK, _CENTRES = 32, 64  # at most
_AGAIN = "make it again with `python -m volition.eval.uncertainty CHECKPOINT --data DATA`."
_LEAST = 40  # features that statistics are made of


@dataclass(frozen=True, kw_only=True)
class Features:
    """The fused features of training windows: main directions in which they differ, and centres in these."""

    mean: np.ndarray  # (D,)
    basis: np.ndarray  # (D, R) orthonormal
    scale: np.ndarray  # (R,) of the differences from the nearest centre
    rest: float  # root mean square of what the directions leave out
    centres: np.ndarray  # (C, R) in units of `scale`

    def distance(self, feature: np.ndarray) -> float:
        """Of one feature (D,): to the nearest centre, and out of the directions altogether; about 1 in training."""
        off = feature - self.mean
        along = off @ self.basis
        near = np.sqrt(((along / self.scale - self.centres) ** 2).mean(axis=1).min())
        out = np.linalg.norm(off - self.basis @ along) / self.rest
        return float(near + out)

    def save(self, folder: Path, weights: str) -> None:
        """`weights`: the hash of those that made these features."""
        tensors = {
            name: np.atleast_1d(np.ascontiguousarray(value, dtype=np.float32)) for name, value in vars(self).items()
        }
        try:
            save_file(tensors, folder / FEATURES, metadata={"weights": weights})
        except (OSError, SafetensorError) as error:
            raise AssetError(f"{folder / FEATURES} cannot be written: {error}.") from error


def features_of(found: np.ndarray, *, seed: int = 0) -> Features:
    """From the features (N, D) of training windows."""
    if found.ndim != 2 or len(found) < _LEAST or not np.isfinite(found).all():
        raise ContractError(
            f"Statistics of features need at least {_LEAST} finite vectors; given was an array of shape {found.shape}."
        )
    found = found.astype(np.float64)
    mean = found.mean(axis=0)
    _, sizes, ways = np.linalg.svd(found - mean, full_matrices=False)
    rank = max(1, min(_RANK, len(found) // 4, int((sizes > 1e-6 * sizes[0]).sum())))
    basis = ways[:rank].T
    along = (found - mean) @ basis
    rest = max(float(np.sqrt(((found - mean - along @ basis.T) ** 2).sum(axis=1).mean())), 1e-6)
    centres, own = _centres(along, seed)
    scale = np.maximum(np.sqrt(((along - centres[own]) ** 2).mean(axis=0)), 1e-6)
    return Features(mean=mean, basis=basis, scale=scale, rest=rest, centres=centres / scale)


def _centres(points: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """K-means, (N, R) -> (C, R), and each point's own centre (N,)"""
    count = max(1, min(_CENTRES, len(points) // 8))
    centres = points[np.random.default_rng(seed).choice(len(points), count, replace=False)]
    own = np.zeros(len(points), dtype=np.intp)
    for _ in range(20):
        squares = (points**2).sum(axis=1)[:, None] - 2 * points @ centres.T + (centres**2).sum(axis=1)
        own = squares.argmin(axis=1)
        moved = [
            points[own == place].mean(axis=0) if (own == place).any() else centres[place] for place in range(count)
        ]
        centres = np.array(moved)
    return centres, own


def read_features(folder: Path, weights: str) -> Features | None:
    """Those beside a checkpoint with these weights; None: there are none."""
    path = folder / FEATURES
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            made = (file.metadata() or {}).get("weights", "")
            mean, basis, scale, rest, centres = (file.get_tensor(one.name) for one in fields(Features))
    except (OSError, SafetensorError) as error:
        raise AssetError(f"{path} is damaged ({error}); {_AGAIN}") from error
    if made != weights:
        raise AssetError(f"{path} is of other weights than the checkpoint's; {_AGAIN}")
    return Features(mean=mean, basis=basis, scale=scale, rest=float(rest[0]), centres=centres)


def doubts_beside(folder: Path) -> Doubts | None:
    """For a checkpoint whose doubts are calibrated; None: nobody would know what they mean."""
    return Doubts(read_features(folder, weights_of(folder))) if (folder / CALIBRATION).exists() else None


class Doubts:
    """What `LearnedPolicy` asks at each decision. Its own generator: the actions are the same with it and without."""

    def __init__(self, features: Features | None = None, *, samples: int = SAMPLES, seed: int = 0) -> None:
        self._features, self._samples, self._seed = features, samples, seed
        self.reset()

    def reset(self) -> None:
        self._random = torch.Generator().manual_seed(self._seed)

    def measure(self, model: VLA, context: Context, inputs: Inputs) -> Mapping[str, float]:
        """Of a batch of one."""
        found: dict[str, float] = {}
        if self._features is not None:
            found["strange"] = self._features.distance(context.pooled[0].double().cpu().numpy())
        if model.continues:  # such a head draws
            several = rows(context, torch.zeros(self._samples, dtype=torch.long, device=context.pooled.device))
            chunks, _ = model.conclude(several, inputs, rng=self._random)
            found["spread"] = float(chunks.std(dim=0).mean())
        if context.spots is not None:
            found |= _looked(context.spots)
        return {name: value for name, value in found.items() if math.isfinite(value)}


def _looked(spots: Spots) -> dict[str, float]:
    """Of the thing that is to be acted on, in the picture where it shows best."""
    shares = spots.heat[0, :, 0].float().softmax(-1)  # (U, 1 + P)
    unseen = shares[:, 0]
    here = shares[int(unseen.argmin()), 1:]
    here = here / here.sum().clamp(min=1e-9)
    vague = -(here * here.clamp(min=1e-12).log()).sum() / math.log(max(len(here), 2))
    return {"unseen": float(unseen.min()), "vague": float(vague)}
