"""An episode as a recording for the Rerun viewer: pictures, instruction, actions and states on one time line.

Needs the extra `show` (rerun-sdk); nothing else of the project imports it.
"""

from __future__ import annotations

from pathlib import Path

import rerun as rr

from volition.data.atomic import replacing
from volition.data.episode import EpisodeData
from volition.data.errors import DataError
from volition.data.show_groups import groups

QUALITY = 90  # of JPEG


def write_recording(episode: EpisodeData, path: Path, *, title: str) -> None:
    with replacing(path) as beside:
        stream = rr.RecordingStream("volition", recording_id=title)
        stream.save(beside)
        _log(stream, episode, title)
        stream.flush()
        stream.disconnect()


def open_viewer(episode: EpisodeData, *, title: str) -> None:
    """Start Rerun's viewer, or use the one that runs, and show the episode in it."""
    stream = rr.RecordingStream("volition", recording_id=title)
    try:
        stream.spawn()
    except (RuntimeError, OSError) as error:
        raise DataError(
            f"Rerun's viewer cannot be started ({error}); use --rerun and open the file elsewhere."
        ) from error
    _log(stream, episode, title)
    stream.flush()
    stream.disconnect()


def _log(stream: rr.RecordingStream, episode: EpisodeData, title: str) -> None:
    assert episode.timestamps is not None
    stream.send_recording_name(title)
    said = None
    for frame, seconds in enumerate(episode.timestamps):
        stream.set_time("time", duration=float(seconds))
        stream.set_time("frame", sequence=frame)
        if episode.task(frame) != said:
            said = episode.task(frame)
            stream.log("instruction", rr.TextDocument(said))
        for camera in episode.cameras:
            picture = rr.Image(episode.images[camera][frame]).compress(jpeg_quality=QUALITY)
            stream.log(f"cameras/{episode.feature(camera).camera}", picture)
    columns = [
        rr.TimeColumn("time", duration=episode.timestamps),
        rr.TimeColumn("frame", sequence=range(len(episode))),
    ]
    for group in groups(episode, {}):
        entity = [group.feature, *([group.title] if group.title else [])]
        names = [line.name for line in group.lines]
        stream.log(rr.new_entity_path(entity), rr.SeriesLines(names=names), static=True)
        values = [[float(line.values[frame]) for line in group.lines] for frame in range(len(episode))]
        flat = rr.Scalars.columns(scalars=[value for row in values for value in row])
        stream.send_columns(rr.new_entity_path(entity), columns, flat.partition([len(names)] * len(episode)))
