"""mp4 to pictures: any frame by its number, runs of frames in one pass. The inverse of `video.py`.

    Dataset.images, loader -> VideoPool (files kept open) -> VideoReader.frames -> (n, H, W, 3) uint8

Frames are found by number, not by asking a player for a time: number n is the frame shown at n / rate. Numbers
that lie ahead in the same run of frames are reached by decoding on, others by seeking to the key frame before.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter

from volition.data.errors import DataError


class VideoReader:
    """One open file. Not for two threads at once (`VideoPool` sees to that)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            raise DataError(f"{path} is missing.")
        try:
            self._container = av.open(str(path))
            stream = self._container.streams.video[0]
        except (FFmpegError, OSError, IndexError) as error:
            raise DataError(f"{path} is not a readable video: {error}.") from error
        stream.thread_type = "NONE"  # workers decode several files at once; threads inside each would only fight
        rate = stream.average_rate or stream.guessed_rate
        if rate is None or stream.time_base is None:
            raise DataError(f"{path} does not say its frame rate.")
        self._stream, self.rate, self._tick = stream, Fraction(rate), Fraction(stream.time_base)
        self._start = stream.start_time or 0
        self.height, self.width = stream.codec_context.height, stream.codec_context.width
        self.count = stream.frames  # 0 where the container does not say
        self._to_rgb = VideoReformatter()  # one for all frames: frame.to_ndarray would set one up for each, 8x slower
        self._decoding = None
        self._next = -1  # number of the frame that decoding on gives next; -1: seek first

    def close(self) -> None:
        self._decoding = None
        self._container.close()

    def frames(self, numbers: Sequence[int], out: np.ndarray | None = None) -> np.ndarray:
        """The frames of these numbers, any order, repeats allowed, as (n, H, W, 3) uint8 RGB."""
        wanted = np.asarray(numbers, dtype=np.int64)
        if out is None:
            out = np.empty((len(wanted), self.height, self.width, 3), dtype=np.uint8)
        order = np.argsort(wanted, kind="stable")
        position = 0
        try:
            while position < len(order):
                position = self._run(wanted, order, position, out)
        except (FFmpegError, OSError) as error:
            self._next = -1
            raise DataError(f"{self.path}: frame {wanted[order[position]]} cannot be decoded: {error}.") from error
        return out

    def packets_hash(self, begin: int, count: int) -> str:
        """sha256 of the encoded frames, which joining files does not change."""
        digest, found = hashlib.sha256(), 0
        self._seek(begin)
        for packet in self._container.demux(self._stream):
            if packet.pts is not None and begin <= self._number(packet) < begin + count:
                digest.update(bytes(packet))
                found += 1
            if found == count:
                break
        self._next = -1
        if found != count:
            raise DataError(f"{self.path} has {found} of the frames {begin} to {begin + count - 1}.")
        return digest.hexdigest()

    def _run(self, wanted: np.ndarray, order: np.ndarray, position: int, out: np.ndarray) -> int:
        """Fill `out` from one place on until the next wanted frame is too far ahead to decode through."""
        target = int(wanted[order[position]])
        if not self._next <= target <= self._next + _NEAR or self._next < 0:
            self._seek(target)
        assert self._decoding is not None
        for frame in self._decoding:
            number = self._number(frame)
            self._next = number + 1
            if number < target:
                continue
            if number > target:
                break
            picture = self._to_rgb.reformat(frame, format="rgb24", threads=1).to_ndarray()
            if picture.shape != out.shape[1:]:
                raise DataError(f"{self.path}: frame {number} is {picture.shape}; the rest is {out.shape[1:]}.")
            while position < len(order) and wanted[order[position]] == number:
                out[order[position]] = picture
                position += 1
            if position == len(order):
                return position
            target = int(wanted[order[position]])
            if target > number + _NEAR:
                return position
        self._next = -1
        count = f"it has {self.count}" if self.count else "it ends before"
        raise DataError(f"{self.path} has no frame {target}; {count}.")

    def _seek(self, number: int) -> None:
        if number < 0:
            raise DataError(f"{self.path}: frame is {number}; it must be 0 or more.")
        # Half a frame late: where times are rounded (1/30 s in thousandths), the frame itself may stand a little
        # after its exact time, and a seek that goes backwards would miss it as a key frame.
        stamp = self._start + int((number + Fraction(1, 2)) / self.rate / self._tick)
        self._container.seek(stamp, stream=self._stream, backward=True, any_frame=False)
        self._decoding = self._container.decode(self._stream)
        self._next = 0

    def _number(self, frame: av.VideoFrame | av.Packet) -> int:
        if frame.pts is None:
            raise DataError(f"{self.path} has a frame without a time; it cannot be addressed.")
        return round((frame.pts - self._start) * self._tick * self.rate)


_NEAR = 16  # decoding through so many frames costs less than a seek


class VideoPool:
    """Keeps the last files open, each used by one thread at a time; `limit` bounds open files and their buffers."""

    def __init__(self, limit: int = 32) -> None:
        self._limit = limit
        self._idle: OrderedDict[int, VideoReader] = OrderedDict()
        self._lock = threading.Lock()

    def frames(self, path: Path, numbers: Sequence[int], out: np.ndarray | None = None) -> np.ndarray:
        reader = self._take(path)
        try:
            return reader.frames(numbers, out)
        finally:
            self._give(reader)

    def rate(self, path: Path) -> Fraction:
        """Frames a second of a file."""
        reader = self._take(path)
        try:
            return reader.rate
        finally:
            self._give(reader)

    def packets_hash(self, path: Path, begin: int, count: int) -> str:
        """sha256 of the encoded frames begin..begin + count - 1; what VideoEncoder.close returned for them."""
        reader = self._take(path)
        try:
            return reader.packets_hash(begin, count)
        finally:
            self._give(reader)

    def close(self) -> None:
        with self._lock:
            readers = list(self._idle.values())
            self._idle.clear()
        for reader in readers:
            reader.close()

    def __getstate__(self) -> dict[str, int]:
        """Open files do not travel to another process; the limit does."""
        return {"limit": self._limit}

    def __setstate__(self, state: dict[str, int]) -> None:
        self.__init__(state["limit"])

    def _take(self, path: Path) -> VideoReader:
        with self._lock:
            for key in reversed(self._idle):
                if self._idle[key].path == path:
                    return self._idle.pop(key)
        return VideoReader(path)

    def _give(self, reader: VideoReader) -> None:
        with self._lock:
            self._idle[id(reader)] = reader
            old = self._idle.popitem(last=False)[1] if len(self._idle) > self._limit else None
        if old is not None:
            old.close()
