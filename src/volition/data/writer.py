"""Records a data set in LeRobot v3, episode by episode, so that nothing that is finished can be lost.

    with DatasetWriter.open(folder, features, fps=10, robot="unitree_g1", action_spec="ee") as writer:
        writer.add_frame({...}, "press the red button"); ...; writer.end_episode(success=True)

Finished episodes lie one by one in `.recording/` until about 50 of them are joined into the next numbered files
(`publish.py`), which are never written again. meta/info.json is replaced last and alone decides what the data set
holds. A kill loses the episode in progress; opening the folder again takes up the rest.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any

from volition.data import layout
from volition.data.atomic import is_part, read_json, write_json
from volition.data.episode import EpisodeData, check_fps
from volition.data.errors import DataError
from volition.data.feature import Feature, by_name
from volition.data.publish import Publisher
from volition.data.stage import EpisodeStage, StagedEpisode, describe, load_staged
from volition.data.video import CRF, GOP, check_size

EPISODES_PER_FILE = 50
SECONDS_PER_FILE = 600.0  # `lerobot` seeks in float32 seconds with 0.1 ms to spare: longer files would miss frames
BYTES_PER_FILE = 200 << 20


class DatasetWriter:
    """Use `open`. One process records into a folder at a time; others may stage episodes for it (`adopt`)."""

    def __init__(self, folder: Path, features: Sequence[Feature], fps: float, lock: int, *, gop: int, crf: int) -> None:
        self.folder, self.features, self.fps = folder, tuple(features), fps
        self._lock: int | None = lock
        self._gop, self._crf = gop, crf
        self._publisher = Publisher(folder)
        self._staged: list[StagedEpisode] = []
        self._stage: EpisodeStage | None = None
        self._recover()

    @classmethod
    def open(
        cls,
        folder: Path | str,
        features: Sequence[Feature],
        fps: float,
        robot: str,
        *,
        action_spec: str = "",
        gop: int = GOP,
        crf: int = CRF,
    ) -> DatasetWriter:
        """Begin a data set in an empty or new folder, or go on with one of the same description."""
        folder = Path(folder)
        by_name(features)
        check_fps(fps, str(folder))
        for feature in features:
            if feature.kind == "image":
                check_size(feature.shape, feature.name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{folder} cannot be made a data set's folder: {error.strerror}.") from error
        lock = _lock(folder)
        try:
            info = layout.new_info(features, fps=fps, robot=robot, action_spec=action_spec)
            if not (folder / layout.INFO).exists():
                others = [path.name for path in folder.iterdir() if path.name != "meta"]
                if others:
                    raise DataError(f"{folder} holds {others[0]} and no {layout.INFO}; give an empty or new folder.")
                write_json(folder / layout.INFO, info)
            else:
                _same(folder, read_json(folder / layout.INFO), info, features, fps)
            return cls(folder, features, fps, lock, gop=gop, crf=crf)
        except BaseException:
            os.close(lock)
            raise

    @classmethod
    def resume(cls, folder: Path | str) -> DatasetWriter:
        """Go on with what is there, as it describes itself; closing it at once only tidies up after a kill."""
        path = Path(folder) / layout.INFO
        info = read_json(path)
        features = layout.features_of(info, str(path))
        spec = info.get("volition", {}).get("action_spec", "")
        return cls.open(folder, features, info["fps"], info.get("robot_type") or "unknown", action_spec=spec)

    @property
    def episodes(self) -> int:
        """How many are finished, joined or not."""
        return self._publisher.episodes + len(self._staged)

    @property
    def frames(self) -> int:
        return self._publisher.frames + sum(staged.length for staged in self._staged)

    @property
    def recording(self) -> int:
        """Frames of the episode in progress."""
        return 0 if self._stage is None else len(self._stage)

    def add_frame(self, values: Mapping[str, Any], task: str) -> None:
        """One frame of the episode in progress; the first one begins it."""
        self._check_open()
        if self._stage is None:
            place = self._place(self.episodes)
            self._stage = EpisodeStage(place, self.features, self.fps, gop=self._gop, crf=self._crf)
        self._stage.add_frame(values, task)

    def end_episode(self, *, success: bool | None = None, info: Mapping[str, Any] | None = None) -> int:
        """Make the frames so far an episode that a kill cannot take; returns its number."""
        self._check_open()
        if self._stage is None:
            raise DataError(f"{self.folder}: there is no episode to end; add_frame begins one.")
        staged = self._stage.finish(success=success, info=info)
        self._stage = None
        return self._take(staged)

    def discard_episode(self) -> None:
        """Forget the episode in progress, if there is one."""
        if self._stage is not None:
            self._stage.discard()
            self._stage = None

    def add_episode(self, episode: EpisodeData) -> int:
        """A whole episode, from a reader or converter."""
        if self.recording:
            raise DataError(f"{self.folder}: an episode is in progress; end or discard it first.")
        if describe(episode.features, episode.fps) != describe(self.features, self.fps):
            raise DataError(f"{episode.source} has other features or fps than {self.folder}; convert it first.")
        assert episode.timestamps is not None
        off = [abs((stamp - episode.timestamps[0]) * self.fps - i) for i, stamp in enumerate(episode.timestamps)]
        if max(off) > 0.02:
            raise DataError(
                f"{episode.source}: frame {off.index(max(off))} is {max(off):.2g} frames off its time at {self.fps:g} "
                "frames a second; resample it, and keep measured times as a feature of their own if they matter."
            )
        try:
            for index in range(len(episode)):
                self.add_frame(episode.frame(index), episode.task(index))
        except BaseException:
            self.discard_episode()
            raise
        return self.end_episode(success=episode.success, info=episode.info)

    def adopt(self, staged: StagedEpisode) -> int:
        """Take an episode that somebody else staged on this disk; its folder is moved. Returns its number."""
        self._check_open()
        if self.recording:
            raise DataError(f"{self.folder}: an episode is in progress; end or discard it first.")
        if staged.described != describe(self.features, self.fps):
            raise DataError(f"{staged.folder} was recorded with other features or fps than {self.folder}.")
        place = self._place(self.episodes)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(staged.folder, place)
        return self._take(load_staged(place))

    def flush(self) -> None:
        """Join what is finished into files that every reader sees."""
        self._check_open()
        try:
            for _, group in groupby(self._staged, key=lambda staged: staged.formats):
                self._publisher.publish(list(group))
        except BaseException:  # what is staged is whole, and joined when the folder is opened again
            self._let_go()
            raise
        for staged in self._staged:
            shutil.rmtree(staged.folder, ignore_errors=True)
        self._staged = []

    def close(self) -> None:
        """Flush and let go of the folder; an episode in progress is forgotten."""
        if self._lock is None:
            return
        try:
            self.discard_episode()
            self.flush()
            shutil.rmtree(self.folder / layout.RECORDING, ignore_errors=True)
        finally:
            self._let_go()

    def __enter__(self) -> DatasetWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _take(self, staged: StagedEpisode) -> int:
        self._staged.append(staged)
        seconds = sum(one.length for one in self._staged) / self.fps
        size = sum(one.bytes for one in self._staged)
        if len(self._staged) >= EPISODES_PER_FILE or seconds >= SECONDS_PER_FILE or size >= BYTES_PER_FILE:
            self.flush()
        return self.episodes - 1

    def _let_go(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _place(self, index: int) -> Path:
        return self.folder / layout.RECORDING / f"episode-{index:06d}"

    def _check_open(self) -> None:
        if self._lock is None:
            raise DataError(f"{self.folder}: this writer is closed; open the data set again.")

    def _recover(self) -> None:
        """Clear what a killed recording left: half-written files, and finished episodes that wait to be joined."""
        place = self.folder / layout.RECORDING
        for root in ("meta", "data", "videos"):
            for path in (self.folder / root).rglob(".*"):
                if is_part(path):
                    path.unlink()
        if not place.is_dir():
            return
        self._publisher.drop_unfinished()
        for path in sorted(place.iterdir()):
            number = path.name.removeprefix("episode-")
            if path.is_dir() and number.isdigit() and int(number) == self.episodes:
                self._staged.append(load_staged(path))
            elif path.is_dir() and (path.name.startswith("open-") or number.isdigit()):
                shutil.rmtree(path)  # in progress when it was killed, or joined already


def _same(folder: Path, found: Any, wanted: dict[str, Any], features: Sequence[Feature], fps: float) -> None:
    path = folder / layout.INFO
    if found.get("codebase_version") != "v3.0":
        raise DataError(f"{path} is LeRobot {found.get('codebase_version')}; only v3.0 is recorded into. Convert it.")
    there = layout.features_of(found, str(path))
    if any(found["features"][f.name]["dtype"] == "image" for f in there if f.kind == "image"):
        raise DataError(f"{path}: its pictures are inside parquet; recording into such a data set is not supported.")
    if found.get("fps") != wanted["fps"] or found.get("robot_type") != wanted["robot_type"]:
        raise DataError(
            f"{path} says {found.get('fps')} fps of {found.get('robot_type')}; "
            f"this recording is {wanted['fps']} fps of {wanted['robot_type']}."
        )
    spec = found.get("volition", {}).get("action_spec", wanted["volition"]["action_spec"])
    if spec != wanted["volition"]["action_spec"]:
        raise DataError(f"{path} has actions {spec!r}; this recording has {wanted['volition']['action_spec']!r}.")
    ours, theirs = describe(features, fps)["features"], describe(there, fps)["features"]
    for one in (*ours, *theirs):
        if one not in ours or one not in theirs:
            raise DataError(f"{path} and this recording differ in feature {one[0]}; they must be equal to go on.")
    if ours != theirs:
        raise DataError(f"{path} has its features in another order than this recording.")


def _lock(folder: Path) -> int:
    """Held until the writer closes or its process ends, however it ends."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise DataError(f"{folder} is being recorded into by another process; wait for it or end it.") from error
    return handle
