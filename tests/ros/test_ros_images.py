"""Pictures from messages: every encoding that is read gives the same pixels, and the others are refused in words."""

from __future__ import annotations

import io
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from ros_tools import SPEC, image

from volition.ros.errors import RosError
from volition.ros.images import compressed, fit, raw

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8"])
@pytest.mark.parametrize("padding", [0, 4])
def test_raw_pictures_are_rgb_whatever_their_order_and_padding(encoding: str, padding: int) -> None:
    assert np.array_equal(raw(image(PIXELS, encoding=encoding, padding=padding), "/c"), PIXELS)


@pytest.mark.parametrize("encoding", ["mono8", "16UC1", "yuv422", "bayer_rggb8"])
def test_other_encodings_are_refused_with_what_to_do(encoding: str) -> None:
    message = image(PIXELS)
    message.encoding = encoding
    with pytest.raises(RosError, match=rf"/c sends pictures as '{encoding}'.*rgb8 and bgr8.*driver"):
        raw(message, "/c")


@pytest.mark.parametrize("change", [{"height": 13}, {"step": 59}, {"width": 0}, {"data": b""}])
def test_bytes_that_do_not_fit_the_size_are_refused(change: dict[str, object]) -> None:
    message = image(PIXELS)
    vars(message).update(change)
    with pytest.raises(RosError, match="must agree"):
        raw(message, "/c")


@pytest.mark.parametrize(("kind", "off"), [("PNG", 0), ("JPEG", 40)])
def test_compressed_pictures_are_read(kind: str, off: int) -> None:
    smooth = np.tile(np.linspace(0, 255, 32).astype(np.uint8)[None, :, None], (24, 1, 3))
    packed = io.BytesIO()
    Image.fromarray(smooth).save(packed, kind)
    found = compressed(SimpleNamespace(format=kind.lower(), data=packed.getvalue()), "/c")
    assert found.shape == smooth.shape
    assert np.abs(found.astype(int) - smooth).max() <= off


def test_other_compressions_are_refused() -> None:
    packed = io.BytesIO()
    Image.fromarray(PIXELS).save(packed, "TIFF")
    for data in (packed.getvalue(), b"nothing"):
        with pytest.raises(RosError, match=r"'tiff' that cannot be read.*JPEG and PNG"):
            compressed(SimpleNamespace(format="tiff", data=data), "/c")


def test_a_picture_is_cut_in_the_middle_and_scaled() -> None:
    camera = replace(SPEC.camera("head"), height=16, width=16)
    wide = np.zeros((48, 64, 3), dtype=np.uint8)
    wide[:, 8:56] = 200  # the middle square
    assert np.array_equal(fit(wide, camera), np.full((16, 16, 3), 200, dtype=np.uint8))
    tall = np.zeros((64, 48, 3), dtype=np.uint8)
    tall[8:56] = 100
    assert np.array_equal(fit(tall, camera), np.full((16, 16, 3), 100, dtype=np.uint8))


def test_a_picture_of_the_right_size_is_left_alone() -> None:
    same = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert np.array_equal(fit(same, SPEC.camera("head")), same)
