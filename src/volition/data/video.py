"""Pictures to mp4: one file an episode while recording, then several episodes to a file without encoding again.

    add_frame -> VideoEncoder -> episode's mp4 --join--> videos/<camera>/chunk-000/file-000.mp4

h264 in yuv420p, which every player and every decoder of `lerobot` takes. A key frame every few frames and no
B-frames make random access cheap: at most GOP - 1 frames are decoded for nothing. Frame i stands at exactly i / fps.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError

from volition.data.errors import DataError

GOP = 8  # frames from key frame to key frame
# Looking ahead, x264's assembly reads what happens to lie beside a small picture: the same pictures then become another
# file in up to a third of the cases. Without it they never did.
_EXACT = "mbtree=0:rc-lookahead=0"
CRF = 20  # x264's quality: 0 is lossless, 23 its default, lower is better and larger


def frame_rate(fps: float) -> Fraction:
    """10.0 -> 10, 29.97 -> 30000/1001: what a container can say exactly."""
    return Fraction(fps).limit_denominator(1001)


class VideoEncoder:
    """Encodes one episode of one camera as it comes; holds a frame or two."""

    def __init__(self, path: Path, *, height: int, width: int, fps: float, gop: int = GOP, crf: int = CRF) -> None:
        check_size((height, width), str(path))
        self._path, self._shape, self._count = path, (height, width, 3), 0
        self._tick = 1 / frame_rate(fps)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._container = av.open(str(path), "w", format="mp4")
            options = {
                "crf": str(crf),
                "preset": "veryfast",
                "bf": "0",
                "threads": "1",
                "sc_threshold": "0",
                "x264-params": _EXACT,
            }
            stream = self._container.add_stream("libx264", rate=frame_rate(fps), options=options)
        except (FFmpegError, ValueError, OSError) as error:
            raise DataError(f"{path} cannot be encoded: {error}.") from error
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = width, height, "yuv420p", gop
        stream.time_base = self._tick
        stream.codec_context.time_base = self._tick
        self._stream = stream

    def add(self, image: np.ndarray) -> None:
        if image.shape != self._shape or image.dtype != np.uint8:
            raise DataError(f"{self._path}: frame {self._count} is {image.dtype} {image.shape}; want {self._shape}.")
        given = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = given.reformat(format="yuv420p", threads=1)
        frame.pts, frame.time_base = self._count, self._tick
        self._mux(frame)
        self._count += 1

    def close(self) -> str:
        """Finish the file; returns the sha256 of its packets, as a reader will find them (muxing reframes them)."""
        self._mux(None)
        self._container.close()
        digest = hashlib.sha256()
        with _open(self._path) as container:
            for packet in container.demux(container.streams.video[0]):
                digest.update(bytes(packet))
        return digest.hexdigest()

    def abort(self) -> None:
        """Give up: the file is of no use."""
        self._container.close()
        self._path.unlink(missing_ok=True)

    def _mux(self, frame: av.VideoFrame | None) -> None:
        try:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except (FFmpegError, OSError) as error:
            raise DataError(f"{self._path} cannot be encoded: {error}.") from error


def check_size(shape: tuple[int, ...], owner: str) -> None:
    height, width = shape[:2]
    if height % 2 or width % 2 or min(height, width) < 16:
        raise DataError(f"{owner}: pictures are {height}x{width}; video needs even sides of at least 16 pixels.")


def video_format(path: Path) -> str:
    """What must be equal for two files to be joined without encoding again: codec, size and decoder's set-up."""
    with _open(path) as container:
        context = container.streams.video[0].codec_context
        setup = hashlib.sha256(context.extradata or b"").hexdigest()[:16]
        return f"{context.name} {context.width}x{context.height} {setup}"


def join(paths: Iterable[Path], out: Path, fps: float) -> list[int]:
    """Copy the packets of files made by VideoEncoder one after the other; returns the frames of each."""
    tick, total, counts = 1 / frame_rate(fps), 0, []
    try:
        with av.open(str(out), "w", format="mp4", options={"movflags": "faststart"}) as output:
            target = None
            for path in paths:
                before = total
                with _open(path) as source:
                    stream = source.streams.video[0]
                    if target is None:
                        target = output.add_stream_from_template(stream)
                        target.time_base = tick
                    for packet in source.demux(stream):
                        if packet.dts is None:  # the demuxer's end mark
                            continue
                        packet.stream = target
                        packet.time_base = tick
                        packet.pts = packet.dts = total
                        packet.duration = 1
                        output.mux(packet)
                        total += 1
                counts.append(total - before)
    except (FFmpegError, OSError) as error:
        raise DataError(f"{out} cannot be written: {error}.") from error
    return counts


def _open(path: Path) -> InputContainer:
    try:
        container = av.open(str(path))
    except (FFmpegError, OSError) as error:
        raise DataError(f"{path} is not a readable video: {error}.") from error
    if not container.streams.video:
        container.close()
        raise DataError(f"{path} has no video in it.")
    return container
