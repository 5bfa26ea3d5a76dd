"""Pictures from messages: encoding and row padding undone, cropped and scaled to what a CameraSpec declares. No cv_bridge.

Image (rgb8, bgr8) or CompressedImage (JPEG, PNG) -> (H, W, 3) uint8 RGB -> fit(camera) -> Observation.images
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from volition.ros.errors import RosError
from volition.types import CameraSpec

ENCODINGS = ("rgb8", "bgr8")
FORMATS = ("JPEG", "PNG")


def raw(message: Any, topic: str) -> np.ndarray:
    """A view of an Image message's pixels, RGB; of ROS 1 or ROS 2."""
    height, width, step = message.height, message.width, message.step
    if message.encoding not in ENCODINGS:
        raise RosError(
            f"{topic} sends pictures as {message.encoding!r}; this node reads {' and '.join(ENCODINGS)}: "
            "set the camera's driver to one of these."
        )
    pixels = np.frombuffer(message.data, dtype=np.uint8)
    if height < 1 or width < 1 or step < 3 * width or pixels.size != height * step:
        raise RosError(
            f"{topic} sends {pixels.size} bytes for {height} rows of {step} bytes and {width} pixels; "
            "these must agree, 3 bytes a pixel."
        )
    picture = pixels.reshape(height, step)[:, : 3 * width].reshape(height, width, 3)
    return picture[:, :, ::-1] if message.encoding == "bgr8" else picture


def compressed(message: Any, topic: str) -> np.ndarray:
    """A CompressedImage message's pixels, RGB."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(bytes(message.data)), formats=FORMATS) as image:
            return np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise RosError(
            f"{topic} sends compressed pictures of format {message.format!r} that cannot be read; "
            f"this node reads {' and '.join(FORMATS)}."
        ) from error


def fit(picture: np.ndarray, camera: CameraSpec) -> np.ndarray:
    """The middle of the picture in the camera's proportions, scaled to its size; its vertical angle of view is kept
    where the picture is wider than the camera's."""
    from PIL import Image

    height, width = picture.shape[:2]
    wide = round(height * camera.width / camera.height)
    if wide <= width:
        left = (width - wide) // 2
        picture = picture[:, left : left + wide]
    else:
        high = round(width * camera.height / camera.width)
        top = (height - high) // 2
        picture = picture[top : top + high]
    if picture.shape[:2] == (camera.height, camera.width):
        return np.ascontiguousarray(picture)
    image = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.resize((camera.width, camera.height), Image.Resampling.BILINEAR))
