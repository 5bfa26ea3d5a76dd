"""`volition data show`: one episode as a contact sheet, a film, plots, and a recording for the Rerun viewer.

Dataset.episode -> show_pictures.py, show_plots.py (by the groups of show_groups.py), show_rerun.py -> files in OUT
"""

from __future__ import annotations

from importlib.util import find_spec

from volition.data.commands import ShowConfig
from volition.data.errors import DataError
from volition.data.show_pictures import write_film, write_sheet
from volition.data.show_plots import write_plots
from volition.data.statistics import Statistics
from volition.data.store import Dataset


def show(config: ShowConfig) -> int:
    """Write what was asked for and print where it is; returns 0."""
    if (config.rerun is not None or config.open) and find_spec("rerun") is None:
        raise DataError(
            "Rerun's SDK is not installed; run `pip install 'volition[show]'`, or leave out --rerun and --open."
        )
    with Dataset(config.folder) as dataset:
        episode = dataset.episode(config.episode)
        title = f"{config.folder.resolve().name}, episode {config.episode}"
        judged = {True: ", success", False: ", failure", None: ""}[episode.success]
        told = f"{title}{judged}: {len(episode)} frames, {len(episode) / episode.fps:.1f} s"
        print(f"{told}. “{episode.instruction}”")
        path = config.out / f"episode-{config.episode:06d}"
        if episode.cameras:
            write_sheet(episode, path.with_suffix(".png"), title=told, frames=config.frames)
            print(f"Contact sheet: {path}.png")
            write_film(episode, path.with_suffix(".mp4"))
            print(f"Film: {path}.mp4")
        else:
            print("There are no cameras, so no contact sheet and no film.")
        plots = write_plots(episode, _statistics(dataset), path.with_suffix(".svg"), title=told)
        print(f"{plots} plots: {path}.svg")
        if config.rerun is not None or config.open:
            from volition.data.show_rerun import open_viewer, write_recording

            if config.rerun is not None:
                write_recording(episode, config.rerun, title=title)
                print(f"Rerun recording: {config.rerun}")
            if config.open:
                open_viewer(episode, title=title)
    return 0


def _statistics(dataset: Dataset) -> Statistics:
    try:
        return dataset.statistics
    except DataError as error:
        print(f"The plots are without the data set's band: {error}")
        return {}
