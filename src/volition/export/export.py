"""`volition export`: a checkpoint to a folder in another format, written only if it decides as the original does.

Checkpoint -> flat networks -> files in a folder beside -> the check on observations -> the folder, whole
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

import volition
from volition.export.check import TOLERANCE, Difference, difference
from volition.export.command import ExportConfig
from volition.export.engines import engine_of
from volition.export.flat import LENGTHS, Decided, ExportError, Spoken, flat
from volition.export.folder import (
    LANGUAGE,
    POLICY,
    ROBOT,
    STATS,
    SUFFIX,
    TOKENIZER,
    Manifest,
    megabytes,
    read,
    replacing,
    seal,
)
from volition.export.policy import Speaker
from volition.export.writers import write
from volition.model.checkpoint import Checkpoint, load
from volition.model.language.encoder import LanguageEncoder
from volition.model.policy import looks_of


def export(config: ExportConfig) -> int:
    """Write it, say how much it differs; 0."""
    console = Console()
    checkpoint = load(config.checkpoint)
    with console.status(f"Writing {config.format}"):
        found = export_to(config.out, checkpoint, config.format, config.data, config.observations, config.seed)
    console.print(said(found), highlight=False)
    console.print(
        f"Written: {config.out}, {megabytes(config.out):.1f} MB. Try it: volition eval {config.out}", highlight=False
    )
    return 0


def export_to(
    out: Path, checkpoint: Checkpoint, engine: str, data: Path | None, observations: int, seed: int
) -> Difference:
    """The folder, or an ExportError and no folder."""
    with replacing(out) as beside:
        manifest = put(beside, checkpoint, engine)
        found = compare(beside, checkpoint, data, observations, seed)
        if found.largest > TOLERANCE:
            raise ExportError(
                f"As {engine} this policy decides otherwise than the original: {said(found)} At most {TOLERANCE:g} is "
                "allowed; nothing was written."
            )
        seal(beside, replace(manifest, check=about(found)))
    return found


def put(folder: Path, checkpoint: Checkpoint, engine: str) -> Manifest:
    """All files of an exported policy into a folder that is there."""
    spoken, decided = flat(checkpoint)
    write_networks(folder, checkpoint, engine, spoken, decided)
    language = checkpoint.model.language
    assert isinstance(language, LanguageEncoder)  # `flat` has refused others
    (folder / TOKENIZER).write_text(language.tokenizer.to_str(), encoding="utf-8")
    for name, value in ((STATS, checkpoint.codec.to_json()), (ROBOT, checkpoint.robot)):
        (folder / name).write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    design = checkpoint.design
    manifest = Manifest(
        engine=engine,
        recipe=design.recipe,
        looks=looks_of(checkpoint),
        picture=design.shapes.picture,
        dt=design.dt,
        longest=language.config.longest,
        noise=decided.noise,
        tasks=design.shapes.tasks,
        versions={"volition": volition.__version__, "torch": torch.__version__},
        about=checkpoint.about,
    )
    seal(folder, manifest)
    return manifest


def write_networks(folder: Path, checkpoint: Checkpoint, engine: str, spoken: Spoken, decided: Decided) -> None:
    suffix = SUFFIX[engine]
    ids = torch.ones(1, LENGTHS[0], dtype=torch.long)
    write(engine, spoken, ["ids"], (ids,), folder / (LANGUAGE + suffix))
    write(engine, decided, decided.names, decided.example(checkpoint, LENGTHS[0], 0), folder / (POLICY + suffix))


def compare(folder: Path, checkpoint: Checkpoint, data: Path | None, observations: int, seed: int) -> Difference:
    found = read(folder)
    engine = engine_of(found)
    return difference(checkpoint, engine, Speaker(found, engine), data, observations, seed)


def about(found: Difference) -> Mapping[str, Any]:
    return {
        "observations": found.observations,
        "source": found.source,
        "largest": found.by_unit,
        "finished": found.finished,
        "tolerance": TOLERANCE,
    }


def said(found: Difference) -> str:
    largest = ", ".join(f"{value:.1e} {unit}" for unit, value in found.by_unit.items())
    sure = "" if found.finished is None else f", {found.finished:.1e} of being done"
    return f"The largest difference on {found.observations} observations ({found.source}) is {largest}{sure}."
