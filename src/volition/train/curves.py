"""Plots of a training run: losses, validation, success and learning rate over the steps. For `journal.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from volition.data.atomic import replacing

MOST = 400  # points of a line: a long run is as small a file as a short one
# title -> the figures in it, by how their names begin, and whether the axis is logarithmic
PANELS: Mapping[str, tuple[tuple[str, ...], bool]] = {
    "Loss, training and held out": (("loss", "validation/loss"), True),
    "Action error, held out": (("validation/error/",), True),
    "Success in closed loop": (("evaluation/",), False),
    "Learning rate": (("rate",), False),
}


def write_curves(lines: Sequence[Mapping[str, Any]], path: Path) -> None:
    """One SVG with a panel for each kind of figure that is there; nothing where there is none yet."""
    import matplotlib as mpl  # half a second that a run of a minute need not wait for at its start
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(name for line in lines for name in line))
    chosen = {title: [name for name in names if _in(name, starts)] for title, (starts, _) in PANELS.items()}
    chosen = {title: found for title, found in chosen.items() if found}
    if not chosen:
        return
    with mpl.rc_context({"svg.hashsalt": "volition", "svg.fonttype": "none", "text.parse_math": False, "font.size": 8}):
        figure = Figure(figsize=(8.0, 2.4 * len(chosen)), layout="constrained")
        FigureCanvasAgg(figure)
        for number, (title, found) in enumerate(chosen.items(), 1):
            axes = figure.add_subplot(len(chosen), 1, number)
            for name in found:
                steps, values = _points(lines, name)
                axes.plot(steps, values, linewidth=1.1, marker="." if len(steps) < 30 else "", label=name)
                if PANELS[title][1] and values.size and values.min() > 0:
                    axes.set_yscale("log")
            axes.set_title(title, loc="left", fontsize=9)
            axes.set_xlabel("step", labelpad=1)
            axes.grid(alpha=0.25)
            axes.legend(fontsize=6, ncols=2 if len(found) > 4 else 1, framealpha=0.6)
        with replacing(path) as beside:
            figure.savefig(beside, format="svg", metadata={"Date": None})


def _in(name: str, starts: Sequence[str]) -> bool:
    return any(name == start or name.startswith(start if start.endswith("/") else start + "/") for start in starts)


def _points(lines: Sequence[Mapping[str, Any]], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and values; of more than MOST points, means of neighbours."""
    found = np.array([(line["step"], line[name]) for line in lines if line.get(name) is not None], dtype=float)
    parts = np.array_split(found.reshape(-1, 2), min(MOST, max(1, len(found))))
    means = np.array([part.mean(axis=0) for part in parts if len(part)]).reshape(-1, 2)
    return means[:, 0], means[:, 1]
