"""A Look drawn over the pictures that it is of: all cameras in a row, as a small JPEG in base64.

Inputs, Look -> pictures brighter and warmer where the policy looks, or points on them -> text for a page
"""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image, ImageDraw

from volition.eval.report.looks import Look
from volition.model.inputs import Inputs

SIDE = 160  # pixels of a camera's picture
QUALITY = 78
_WARM = np.array([255.0, 120.0, 20.0])
_MOST = 0.65  # of the warm colour where it looks most
_DIM = 0.75  # of the light where it does not look


def drawn(inputs: Inputs, look: Look) -> str:
    """Base64 of a JPEG, cameras side by side."""
    found = []
    for camera, given in inputs.images.items():
        newest = given[0, -1].cpu().numpy()
        picture = Image.fromarray(newest).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        if camera in look.weights:
            picture = _warmed(picture, look.weights[camera].cpu().numpy())
        if camera in look.points:
            _dot(picture, look.points[camera].cpu().numpy())
        found.append(np.asarray(picture))
    return base64_jpeg(np.concatenate(found, axis=1))


def base64_jpeg(picture: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=QUALITY)
    return base64.b64encode(buffer.getvalue()).decode()


def _warmed(picture: Image.Image, weights: np.ndarray) -> Image.Image:
    low, high = float(weights.min()), float(weights.max())
    share = np.zeros_like(weights) if high <= low else (weights - low) / (high - low)
    grown = Image.fromarray((255 * share).astype(np.uint8)).resize(picture.size, Image.Resampling.BICUBIC)
    alpha = (np.asarray(grown, dtype=np.float64) / 255)[..., None]
    seen = np.asarray(picture, dtype=np.float64) * (_DIM + (1 - _DIM) * alpha)
    return Image.fromarray((seen * (1 - _MOST * alpha) + _WARM * _MOST * alpha).astype(np.uint8))


def _dot(picture: Image.Image, points: np.ndarray) -> None:
    draw = ImageDraw.Draw(picture)
    for x, y, weight in points[np.argsort(points[:, 2])]:
        x, y, radius = x * picture.width, y * picture.height, 1.5 + 5 * np.sqrt(weight)
        place = (x - radius, y - radius, x + radius, y + radius)
        draw.ellipse(place, outline=(20, 20, 20), fill=(255, int(200 - 130 * weight), 30))
