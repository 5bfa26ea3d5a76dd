"""`volition train`: data sets, a recipe and a trainer put together; a checkpoint that runs in closed loop comes out.

TrainCommand -> data, codec, Design -> VLA -> Trainer (validation, closed-loop evaluation) -> out/best, out/last
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from volition.body.mounts import mounts
from volition.data.feature import IMAGES
from volition.data.store import Dataset
from volition.eval.training_data import batches_of, sentences_of, split
from volition.eval.trials import success_rate
from volition.model.checkpoint import Checkpoint, Design, load, write
from volition.model.fusion.spots import SpotsFusion
from volition.model.language.bpe import train_bpe
from volition.model.recipes import Recipe, recipe
from volition.model.shapes import Shapes
from volition.model.vla import VLA
from volition.robots.g1 import g1
from volition.sim.choices import skills_of
from volition.train.adapt import LoraConfig, add_lora, freeze, plain_weights
from volition.train.batch_config import BatchConfig, codec_of
from volition.train.batches import Batches
from volition.train.command import TrainCommand
from volition.train.contracts import Physical
from volition.train.errors import TrainError
from volition.train.features import encoded, encoders_of
from volition.train.mixture import Mixture
from volition.train.sentences import Kept
from volition.train.taught import Taught, main_action, taught_on
from volition.train.together import begun, together
from volition.train.trainer import Trainer
from volition.transforms.codec import Codec

TRIALS = 50_000_000  # first seed of evaluations while training: data sets and reports begin elsewhere
EVALUATE = 2000  # steps between evaluations, if nobody says
VOCABULARY = 1000  # tokens of a language that is trained here


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """Everything a run is made of, before the first step."""

    model: VLA
    design: Design
    codec: Codec
    taught: Taught
    data: Mixture | Batches
    held_out: Mixture | Batches | None
    about: dict[str, Any]


def train(command: TrainCommand) -> int:
    """Train and write checkpoints; returns 0."""
    if command.processes == 1 or begun():
        return _train(command)
    threads = command.train.threads or max(1, (os.cpu_count() or 1) // command.processes)
    return together(command.processes, _train, replace(command, train=replace(command.train, threads=threads)))


def _train(command: TrainCommand) -> int:
    prepared = prepare(command)
    known = {"command": described(command), **prepared.about}

    def export(folder: Path, model: nn.Module, about: dict[str, Any]) -> None:
        write(folder, checkpoint_of(prepared, cast(VLA, model), {**known, **about}), plain_weights(model))

    def evaluate(step: int, model: nn.Module) -> dict[str, float]:
        device = next(model.parameters()).device
        checkpoint = checkpoint_of(prepared, cast(VLA, model), {})
        found = success_rate(checkpoint, command.evaluate, command.episodes, seed=TRIALS, device=device)
        return {"success": found.rate, **{f"success/{name}": value for name, value in found.by_skill.items()}}

    spec = prepared.codec.spec
    physical = Physical(
        names=spec.names,
        units=tuple(dimension.unit for dimension in spec.dimensions),
        convert=lambda values: torch.from_numpy(prepared.codec.actions.inverse(values.numpy())),
        discrete=tuple(d.name for d in spec.dimensions if d.meaning == "discrete"),
    )
    trainer = Trainer(
        prepared.model, prepared.data, _with_defaults(command, recipe(command.recipe)).train, command.out,
        held_out=prepared.held_out, physical=physical, evaluate=evaluate if command.evaluate else None, export=export, resume=command.resume,
    )  # fmt: skip
    sentences = Kept(prepared.model.language)
    trainer.run()
    if trainer.processes.main:
        sentences.add()
        found = [str(command.out / name) for name in ("best", "last") if (command.out / name).is_dir()]
        print(f"Checkpoints: {', '.join(found)}. Try one: volition eval {found[-1]}")
    return 0


def prepare(command: TrainCommand) -> Prepared:
    chosen = recipe(command.recipe)
    command = _with_defaults(command, chosen)
    if command.evaluate:
        skills_of(command.evaluate)  # refuses unknown ones now, not at the first evaluation
    datasets = [Dataset(folder) for folder in command.data]
    torch.manual_seed(command.train.seed)
    cameras = command.cameras or tuple(name.removeprefix(IMAGES) for name in datasets[0].metadata.stored)
    if command.action == "ee" and datasets[0].metadata.action_spec != "ee":
        command = replace(command, action=main_action(datasets[0]))  # ours by default, else what was recorded
    view = batch_config(command, chosen, cameras)
    started = _started(command, cameras)
    if started is not None:
        view = _as_before(view, started)
    taught = taught_on(datasets, cameras, view.action)
    if not taught.ours:
        view = replace(view, frame="absolute")
        if command.evaluate:
            raise TrainError(f"--evaluate runs in our simulator, and the data are of {taught.name}; leave it out.")
    spec = taught.spec
    splits = [split(one, command) for one in datasets]
    tasks = tuple(sorted({name for one in splits for name in one.skills if name}))
    codec = codec_of(datasets, view, spec) if started is None else started.codec
    _say_kept(codec)
    tokenizer = None
    if chosen.language != "minilm" or "family" in command.options().get("language", {}):
        tokenizer = train_bpe(sentences_of(datasets, splits, view), VOCABULARY).to_str()
    discrete = len(spec.dimensions) == 1 and bool(spec.discrete[0])
    design = Design(
        recipe=chosen.name,
        size=command.size,
        shapes=Shapes(
            cameras=cameras,
            picture=taught.picture,
            state=len(codec.states.names),
            actions=len(spec.names),
            chunk=view.chunk,
            history=view.history,
            before=view.before,
            shown=view.shown,
            key_frames=view.key_frames,
            classes=int(spec.high[0]) + 1 if discrete else None,
            space=f"{taught.name}/{spec.name}",
            speeds=tuple(place for place, one in enumerate(spec.dimensions) if one.meaning == "velocity"),
            tasks=tasks,
            tokenizer=tokenizer,
        ),
        options=command.options(),
        history_step=view.history_step,
        dt=1.0 / datasets[0].fps,
    )
    if started is not None:
        design = started.design
    model = design.build() if started is None else started.model
    if started is None and taught.ours and isinstance(model.fusion, SpotsFusion):
        known = mounts(g1(taught.picture[0]))
        model.fusion.mount([known.get(camera) for camera in cameras], codec.states)
    if command.freeze:
        freeze(model, *command.freeze)
    if command.lora:
        add_lora(model, LoraConfig(layers=command.lora, rank=command.lora_rank, seed=command.train.seed))

    if command.lesson in ("eyes", "words") and not model.names:
        raise TrainError(
            f"The recipe {command.recipe} does not name things; the lesson {command.lesson!r} is for such as do (fusion.kinds)."
        )
    if command.lesson == "hands" and not (model.feels and view.felt):
        raise TrainError(
            f"The hands of {command.recipe} do not go by places (fusion.hands), or --felt is 0; the lesson 'hands' needs both."
        )
    model.lesson = command.lesson
    if command.lesson == "eyes":
        view = replace(view, ask=0, felt=0, scenery=True)
    elif command.lesson == "words":
        view = replace(view, felt=0, cameras=(), scenery=True)
    elif command.lesson == "hands":
        view = replace(view, ask=0, cameras=())
    else:
        view = replace(
            view, ask=view.ask if model.answers else 0, felt=view.felt if model.feels else 0, scenery=model.names
        )
    seen = _encoded(datasets, command, view, model)

    def batches(which: str) -> Mixture | Batches | None:
        return batches_of(seen, splits, command, view, codec, model, tasks, which)

    data = batches("train")
    if data is None:
        raise TrainError(
            f"There is nothing to train on: no episode of {command.skills} in {', '.join(map(str, command.data))}."
        )
    about = {
        "data": [{"folder": folder.name, "fingerprint": one.fingerprint(), "episodes": len(part.train)}
                 for folder, one, part in zip(command.data, datasets, splits, strict=True)],
        "skills": list(tasks),
    }  # fmt: skip
    return Prepared(
        model=model,
        design=design,
        codec=codec,
        taught=taught,
        data=data,
        held_out=batches("held_out") if command.lesson == "all" else None,
        about=about,
    )


def _encoded(datasets: Sequence[Dataset], command: TrainCommand, view: BatchConfig, model: VLA) -> list[Dataset]:
    """With what a frozen picture encoder makes of the pictures in their place, where that can be."""
    if not command.features or view.shown or encoders_of(model.views) is None:
        return list(datasets)
    if command.shift or command.colour:
        print(
            "The picture encoder is frozen: with --shift 0 --colour 0 what it gives is computed once, not in every step.",
            file=sys.stderr,
        )
        return list(datasets)
    return [encoded(one, model.views) for one in datasets]


def _started(command: TrainCommand, cameras: tuple[str, ...]) -> Checkpoint | None:
    """The checkpoint to start from: of the same recipe and size, looking at the same cameras."""
    if command.start is None:
        return None
    found = load(command.start)
    design = found.design
    for what, before, now in (
        ("recipe", design.recipe, command.recipe),
        ("size", design.size, command.size),
        ("cameras", ", ".join(design.shapes.cameras), ", ".join(cameras)),
        ("action space", found.codec.spec.name, command.action),
    ):
        if before != now:
            raise TrainError(f"{command.start} has the {what} {before}, not {now}; give the same, or start afresh.")
    for part, options in command.options().items():
        for option, value in options.items():
            if design.options.get(part, {}).get(option) != value:
                raise TrainError(
                    f"{command.start} was not built with --set {part}.{option}; leave it out, or start afresh."
                )
    return found


def _as_before(view: BatchConfig, started: Checkpoint) -> BatchConfig:
    """What the model was built to look at, whatever the recipe or the command says now."""
    shapes = started.design.shapes
    return replace(
        view,
        chunk=shapes.chunk,
        history=shapes.history,
        history_step=started.design.history_step,
        before=shapes.before,
        shown=shapes.shown,
        key_frames=shapes.key_frames,
        frame=started.codec.frame,
    )


def checkpoint_of(prepared: Prepared, model: VLA, about: dict[str, Any]) -> Checkpoint:
    return Checkpoint(
        model=model, design=prepared.design, codec=prepared.codec, robot=prepared.taught.description, about=about
    )


def batch_config(command: TrainCommand, chosen: Recipe, cameras: tuple[str, ...]) -> BatchConfig:
    view = BatchConfig(
        action=command.action,
        cameras=cameras,
        frame=command.frame,
        phrases=command.phrases,
        truth=command.truth,
        ask=command.ask if command.ask is not None else chosen.ask,
        felt=command.felt,
    )
    view = replace(view, **chosen.batch, history_step=command.history_step)
    if command.action == "primitive":
        view = replace(view, frame="absolute", chunk=1)
    if command.chunk:
        view = replace(view, chunk=command.chunk)
    return replace(view, history=command.history) if command.history else view


def _with_defaults(command: TrainCommand, chosen: Recipe) -> TrainCommand:
    """The recipe's own settings where the command leaves them as they are."""
    usual = type(command.train)()
    changed = {
        name: value for name, value in chosen.train.items() if getattr(command.train, name) == getattr(usual, name)
    }
    if command.evaluate and not command.train.evaluate_every:
        changed["evaluate_every"] = EVALUATE
    return replace(command, train=replace(command.train, **changed))


def _say_kept(codec: Codec) -> None:
    kept = [*codec.states.kept, *codec.actions.kept]
    if kept:
        print(f"These hardly vary in the data and stay in their own unit: {', '.join(kept)}.", file=sys.stderr)


def described(command: TrainCommand) -> dict[str, Any]:
    """What was asked for, as JSON values, for the record."""
    values = {name: value for name, value in asdict(command).items() if name not in ("out", "resume")}
    return json.loads(json.dumps(values, default=str))
