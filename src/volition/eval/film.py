"""Videos that people can read: third-person view, head view, what was said, what runs and what the shield does."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from volition.errors import ContractError

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
_INK, _PAPER, _QUIET = (28, 32, 38), (250, 250, 248), (120, 126, 134)
_CLEAR, _LIMIT, _HOLD = (46, 125, 80), (200, 130, 20), (190, 45, 40)


class Mp4:
    """An mp4 written beside its place and moved there when it is whole; use it in a `with` statement."""

    def __init__(self, path: Path, *, width: int, height: int, fps: int, quality: int = 27) -> None:
        self.path, self._size = path, (height, width)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._scratch = path.with_suffix(".part.mp4")
        self._container = av.open(str(self._scratch), "w", options={"movflags": "faststart"})
        self._stream = self._container.add_stream("libx264", rate=Fraction(fps))
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.options = {"crf": str(quality), "preset": "veryfast"}
        self.frames = 0

    def add(self, picture: np.ndarray) -> None:
        if picture.shape[:2] != self._size:
            raise ContractError(f"Mp4.add got a picture of {picture.shape[:2]}; {self.path.name} takes {self._size}.")
        for packet in self._stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
            self._container.mux(packet)
        self.frames += 1

    def __enter__(self) -> Mp4:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for packet in self._stream.encode():
            self._container.mux(packet)
        self._container.close()
        if kind is None and self.frames:  # a video without pictures is none
            self._scratch.replace(self.path)
        else:
            self._scratch.unlink(missing_ok=True)


class Poster:
    """Draws one frame: the view, the head camera as an inset, and a strip of text below."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.strip = max(44, height // 7) // 2 * 2
        self.view_size = (height - self.strip, width)
        self._large = ImageFont.load_default(self.strip * 0.36)
        self._small = ImageFont.load_default(self.strip * 0.26)

    def frame(
        self, view: np.ndarray, head: np.ndarray | None, *, instruction: str, running: str, shield: str, time: float
    ) -> np.ndarray:
        canvas = Image.new("RGB", (self.width, self.height), _PAPER)
        canvas.paste(Image.fromarray(view), (0, 0))
        draw = ImageDraw.Draw(canvas)
        if head is not None:
            self._inset(canvas, draw, head)
        pad, top = self.strip // 4, self.view_size[0]
        draw.rectangle((0, top, self.width, self.height), fill=_PAPER)
        said = self._fit(draw, f"“{' '.join(instruction.split())}”", self.width - 2 * pad, self._large)
        draw.text((pad, top + self.strip * 0.10), said, fill=_INK, font=self._large)
        line = top + self.strip * 0.60
        state = f"shield: {shield}"
        colour = _HOLD if shield.startswith("HOLD") else _CLEAR if shield.startswith("clear") else _LIMIT
        clock = f"{time:5.1f} s"
        right = self.width - pad - draw.textlength(clock, font=self._small)
        draw.text((right, line), clock, fill=_QUIET, font=self._small)
        right -= draw.textlength(state, font=self._small) + 2 * pad
        draw.ellipse((right - 14, line + 3, right - 5, line + 12), fill=colour)
        draw.text((right, line), state, fill=colour, font=self._small)
        running = self._fit(draw, running or "...", right - 14 - 2 * pad, self._small)
        draw.text((pad, line), running, fill=_QUIET, font=self._small)
        return np.asarray(canvas)

    def title(self, lines: list[str]) -> np.ndarray:
        """A card between scenes."""
        canvas = Image.new("RGB", (self.width, self.height), _PAPER)
        draw = ImageDraw.Draw(canvas)
        for number, line in enumerate(lines):
            font = self._large if number == 0 else self._small
            draw.text((self.width * 0.08, self.height * 0.36 + number * self.strip * 0.6), line, fill=_INK, font=font)
        return np.asarray(canvas)

    def _inset(self, canvas: Image.Image, draw: ImageDraw.ImageDraw, head: np.ndarray) -> None:
        side = self.view_size[0] * 2 // 5
        left, top = self.width - side - 12, 12
        canvas.paste(Image.fromarray(head).resize((side, side), Image.Resampling.BILINEAR), (left, top))
        draw.rectangle((left - 2, top - 2, left + side + 1, top + side + 1), outline=_PAPER, width=2)
        draw.text((left + 6, top + 4), "head camera", fill=_INK, font=self._small)

    def _fit(self, draw: ImageDraw.ImageDraw, text: str, width: float, font: Font) -> str:
        if draw.textlength(text, font=font) <= width:
            return text
        while text and draw.textlength(text + "...", font=font) > width:
            text = text[:-1]
        return text + "..."


def animate(mp4: Path, target: Path, *, width: int = 480, fps: int = 8, quality: int = 40) -> None:
    """A small looping picture (WebP) of a video, for a page that shows no videos."""
    frames: list[Image.Image] = []
    with av.open(str(mp4)) as container:
        stream = container.streams.video[0]
        rate = float(stream.average_rate or 25)
        shown = -1
        for number, frame in enumerate(container.decode(stream)):
            if int(number * fps / rate) > shown:
                shown = int(number * fps / rate)
                height = round(width * frame.height / frame.width)
                frames.append(frame.to_image().resize((width, height), Image.Resampling.LANCZOS))
    scratch = target.with_suffix(".part.webp")
    frames[0].save(
        scratch, save_all=True, append_images=frames[1:], duration=round(1000 / fps), loop=0, quality=quality, method=4
    )
    scratch.replace(target)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python -m volition.eval.film VIDEO.mp4 PICTURE.webp")
    animate(Path(sys.argv[1]), Path(sys.argv[2]))
