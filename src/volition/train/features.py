"""What a frozen picture encoder makes of a data set, computed once and kept on disk: an epoch then costs no encoder.

    Dataset, Views --encoded--> cache/features/<hash>/<camera>.npy (frames, P, D) float16 --Encoded.images--> loader

Only where pictures are not augmented: another picture would have other features. The hash is of the data, the encoder's
weights and its settings, so nothing stale is ever read.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from torch import nn

from volition.cache import cache_dir
from volition.data.atomic import replacing
from volition.data.feature import IMAGES
from volition.data.store import Dataset
from volition.model.vision.conv import ConvVision
from volition.model.vision.freezing import trains
from volition.model.vision.hub import HubVision
from volition.model.vision.mobilenet import MobileNetVision
from volition.model.vision.views import Views

RUN = 32  # pictures at once
SHARE = 0.25  # of the free disk that features may take at most


class Encoded:
    """A Dataset whose pictures are what an encoder made of them."""

    def __init__(self, dataset: Dataset, features: Mapping[str, np.ndarray]) -> None:
        self._dataset, self._features = dataset, features

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset, name)

    def __len__(self) -> int:
        return len(self._dataset)

    def images(self, episode: int, camera: str, frames: Sequence[int], *, keep: bool = True) -> np.ndarray:
        """(len(frames), P, D) float16."""
        return self._features[camera][self._dataset.record(episode).begin + np.asarray(frames)]


def encoders_of(views: Views) -> dict[str, nn.Module] | None:
    """Camera -> its encoder, if all of them are frozen and look at nothing but the picture; else None."""
    found = {camera: views.of(camera) for camera in views.config.cameras}
    kinds = HubVision | MobileNetVision | ConvVision
    fit = all(isinstance(one, kinds) and not trains(one) for one in found.values())
    return found if fit and not views.told and not views.config.depth else None


def encoded(dataset: Dataset, views: Views, *, device: str | torch.device = "cpu") -> Dataset:
    """The same data set with features for pictures; itself if the encoders learn, or if there is no room for features."""
    encoders = encoders_of(views)
    if encoders is None:
        return dataset
    folder = cache_dir() / "features" / _hash(dataset, encoders)
    missing = [camera for camera in encoders if not (folder / f"{camera}.npy").exists()]
    if missing and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        print(
            "Several processes train: features are computed anew for each batch, unless one alone has done it before.",
            file=sys.stderr,
        )
        return dataset
    if missing:
        size = sum(_bytes(dataset, encoders[camera], views, device) for camera in missing)
        folder.mkdir(parents=True, exist_ok=True)
        room = SHARE * shutil.disk_usage(folder).free
        if size > room:
            print(
                f"Features of the frozen encoder would take {size / 1e9:.1f} GB, more than a quarter of the free disk; "
                "they are computed anew for each batch.",
                file=sys.stderr,
            )
            return dataset
        _write(dataset, {camera: encoders[camera] for camera in missing}, views, folder, device)
    features = {IMAGES + camera: np.load(folder / f"{camera}.npy", mmap_mode="r") for camera in encoders}
    return cast(Dataset, Encoded(dataset, features))


def _write(
    dataset: Dataset, encoders: Mapping[str, nn.Module], views: Views, folder: Path, device: str | torch.device
) -> None:
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("Features of the frozen encoder", total=len(encoders) * len(dataset))
        for camera, encoder in encoders.items():
            shape = _features(encoder, views, dataset.images(0, IMAGES + camera, [0]), device).shape[1:]
            with replacing(folder / f"{camera}.npy") as path:
                file = np.lib.format.open_memmap(path, "w+", np.float16, (len(dataset), *shape))
                for episode in range(dataset.episodes):
                    record = dataset.record(episode)
                    for first in range(0, record.length, RUN):
                        frames = range(first, min(first + RUN, record.length))
                        pictures = dataset.images(episode, IMAGES + camera, frames, keep=False)
                        begin = record.begin + first
                        file[begin : begin + len(frames)] = _features(encoder, views, pictures, device)
                        bar.update(task, advance=len(frames))
                file.flush()
                del file


@torch.inference_mode()
def _features(encoder: nn.Module, views: Views, pictures: np.ndarray, device: str | torch.device) -> np.ndarray:
    """(N, H, W, 3) uint8 -> (N, P, D) float16, as the model itself would encode them."""
    encoder.to(device).eval()
    given = torch.from_numpy(np.ascontiguousarray(pictures))[:, None].to(device)  # a history of one
    return views.encode(encoder, given).to(torch.float16).cpu().numpy()


def _bytes(dataset: Dataset, encoder: nn.Module, views: Views, device: str | torch.device) -> int:
    camera = IMAGES + views.config.cameras[0]
    return len(dataset) * _features(encoder, views, dataset.images(0, camera, [0]), device).nbytes


def _hash(dataset: Dataset, encoders: Mapping[str, nn.Module]) -> str:
    digest = hashlib.sha256(dataset.fingerprint().encode())
    for camera, encoder in encoders.items():
        digest.update(f"{camera} {getattr(encoder, 'config', '')}".encode())
        for name, tensor in encoder.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:32]
