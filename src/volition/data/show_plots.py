"""Plots of an episode's actions and states, by groups of numbers with their units, over the band of the whole data set."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from volition.data.atomic import replacing
from volition.data.episode import EpisodeData
from volition.data.show_groups import Group, groups, titled
from volition.data.statistics import Statistics

COLUMNS = 3
SIZE = (5.2, 2.3)  # inches, of one plot
FLAT = 0.01  # of any unit: the least that a plot spans


def write_plots(episode: EpisodeData, statistics: Statistics, path: Path, *, title: str) -> int:
    """One file, SVG or what else its suffix says; returns how many plots are in it."""
    found = groups(episode, statistics)
    rows = max(1, math.ceil(len(found) / COLUMNS))
    with mpl.rc_context({"svg.hashsalt": "volition", "svg.fonttype": "none", "text.parse_math": False, "font.size": 8}):
        figure = Figure(figsize=(COLUMNS * SIZE[0], rows * SIZE[1] + 0.9), layout="constrained")
        FigureCanvasAgg(figure)  # a canvas of its own: no window, and no global state of pyplot
        figure.suptitle(title, fontsize=11)
        seconds = episode.timestamps
        for number, group in enumerate(found, 1):
            axes = figure.add_subplot(rows, COLUMNS, number)
            _draw(axes, group, seconds)
        with replacing(path) as beside:
            figure.savefig(beside, format=path.suffix[1:], metadata={"Date": None} if path.suffix == ".svg" else None)
    return len(found)


def _draw(axes, group: Group, seconds) -> None:
    for line in group.lines:
        (drawn,) = axes.plot(seconds, line.values, linewidth=1.1, label=line.name)
        if line.band is not None:
            axes.axhspan(*line.band, color=drawn.get_color(), alpha=0.08, linewidth=0)
    axes.set_title(titled(group), loc="left", fontsize=9)
    axes.set_ylabel(group.unit)
    axes.set_xlabel("s", labelpad=1)
    axes.grid(alpha=0.25)
    axes.margins(x=0)
    low, high = axes.get_ylim()
    if high - low < FLAT:  # rounding errors of a number that stands still are not to look like motion
        axes.set_ylim((low + high - FLAT) / 2, (low + high + FLAT) / 2)
    axes.legend(fontsize=6, ncols=2 if len(group.lines) > 4 else 1, loc="best", framealpha=0.6)
