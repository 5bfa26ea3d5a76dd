"""An episode's pictures for people: a contact sheet (frames over time, a row for each camera) and a film of all cameras."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from volition.data.atomic import replacing
from volition.data.episode import EpisodeData
from volition.data.feature import Feature
from volition.data.show_groups import sampled
from volition.data.video import VideoEncoder

_INK, _PAPER, _QUIET = (28, 32, 38), (250, 250, 248), (120, 126, 134)
PAD = 8  # pixels
TILE = 128  # pixels, the height of a picture in the sheet
SCREEN = (240, 480)  # and in the film, at least and at most


def write_sheet(episode: EpisodeData, path: Path, *, title: str, frames: int) -> None:
    """At most `frames` of the episode, evenly over time, with the first and the last."""
    shown, cameras = sampled(len(episode), frames), _cameras(episode)
    widths = [_width(camera, TILE) for camera in cameras]
    large, small = ImageFont.load_default(15), ImageFont.load_default(11)
    column = max(widths) + PAD
    width = max(2 * PAD + column * len(shown), 480)
    lines = [*_wrapped(title, width, large), *_wrapped(f"“{episode.instruction}”", width, large)]
    top = PAD + 20 * len(lines) + 16
    canvas = Image.new("RGB", (width, top + len(cameras) * (TILE + 20) + PAD), _PAPER)
    draw = ImageDraw.Draw(canvas)
    for number, line in enumerate(lines):
        draw.text((PAD, PAD + 20 * number), line, fill=_INK, font=large)
    for place, frame in enumerate(shown):
        left = PAD + place * column
        draw.text((left, top - 14), f"{_seconds(episode, frame):.1f} s  #{frame}", fill=_QUIET, font=small)
        for row, (camera, wide) in enumerate(zip(cameras, widths, strict=True)):
            y = top + row * (TILE + 20)
            canvas.paste(_resized(episode.images[camera.name][frame], wide, TILE), (left, y))
            if place == 0:
                draw.text((left, y + TILE + 2), camera.camera, fill=_QUIET, font=small)
    with replacing(path) as beside:
        canvas.save(beside, format="PNG")


def write_film(episode: EpisodeData, path: Path) -> None:
    """All cameras side by side, at the episode's own rate; below them what is said, the time and the frame's number."""
    cameras = _cameras(episode)
    height = min(max(SCREEN[0], *(camera.shape[0] for camera in cameras)), SCREEN[1])
    widths = [_width(camera, height) for camera in cameras]
    width, strip = _even(sum(widths)), 64
    with replacing(path) as beside:
        encoder = VideoEncoder(beside, height=_even(height + strip), width=width, fps=episode.fps, crf=23)
        try:
            for picture in _pictures(episode, cameras, widths, (width, _even(height + strip)), height):
                encoder.add(picture)
        except BaseException:
            encoder.abort()
            raise
        encoder.close()


def _pictures(
    episode: EpisodeData, cameras: list[Feature], widths: list[int], size: tuple[int, int], height: int
) -> Iterator[np.ndarray]:
    large, small = ImageFont.load_default(14), ImageFont.load_default(11)
    for frame in range(len(episode)):
        canvas = Image.new("RGB", size, _PAPER)
        draw = ImageDraw.Draw(canvas)
        left = 0
        for camera, wide in zip(cameras, widths, strict=True):
            canvas.paste(_resized(episode.images[camera.name][frame], wide, height), (left, 0))
            draw.text((left + 4, 3), camera.camera, fill=_PAPER, font=small, stroke_width=1, stroke_fill=_INK)
            left += wide
        for number, line in enumerate(_wrapped(f"“{episode.task(frame)}”", size[0], large)[:2]):
            draw.text((PAD, height + 4 + 19 * number), line, fill=_INK, font=large)
        draw.text((PAD, height + 46), f"{_seconds(episode, frame):.2f} s   #{frame}", fill=_QUIET, font=small)
        yield np.asarray(canvas)


def _cameras(episode: EpisodeData) -> list[Feature]:
    return [episode.feature(name) for name in episode.cameras]


def _width(camera: Feature, height: int) -> int:
    return max(1, round(camera.shape[1] * height / camera.shape[0]))


def _resized(picture: np.ndarray, width: int, height: int) -> Image.Image:
    return Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR)


def _wrapped(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> list[str]:
    letters = max(10, int((width - 2 * PAD) / (font.getlength("abcdefghij") / 10)))
    return textwrap.wrap(" ".join(text.split()), letters) or [""]


def _seconds(episode: EpisodeData, frame: int) -> float:
    assert episode.timestamps is not None
    return float(episode.timestamps[frame])


def _even(size: int) -> int:
    return size + size % 2
