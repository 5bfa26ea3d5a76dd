"""Which recipe can be written in which format, tried with random weights: `python -m volition.export.table`.

recipes x formats -> export_to, checked against the original -> a Markdown table, a line as soon as it is known
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch

from volition.errors import VolitionError
from volition.export.export import export_to
from volition.export.folder import SUFFIX
from volition.export.untrained import untrained
from volition.model.checkpoint import Checkpoint
from volition.model.recipes import RECIPES


def cell(checkpoint: Checkpoint, engine: str, observations: int) -> str:
    """The largest difference in any unit, or why not."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            found = export_to(Path(folder) / "policy", checkpoint, engine, None, observations, 0)
        except VolitionError as error:
            return f"no: {str(error).partition(': ')[2].partition('. ')[0] or error}"
    return f"{found.largest:.0e}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="test", choices=("standard", "small", "test"))
    parser.add_argument("--pixels", type=int, default=64)
    parser.add_argument("--observations", type=int, default=5)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--formats", nargs="+", default=list(SUFFIX), choices=list(SUFFIX))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| " + " | ".join(("recipe", *arguments.formats)) + " |\n" + "|---|" + "---|" * len(arguments.formats))
    for name in arguments.recipes:
        checkpoint = untrained(name, arguments.size, arguments.pixels)
        cells = [cell(checkpoint, engine, arguments.observations) for engine in arguments.formats]
        print("| " + " | ".join((name, *cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
