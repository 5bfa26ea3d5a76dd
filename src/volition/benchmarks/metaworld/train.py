"""`volition bench metaworld train`: one policy for all tasks of the data, by our own trainer.

TrainConfig -> TrainCommand (task-balanced, every demonstration) -> eval.training.train -> OUT/last; OUT/cost.json
"""

from __future__ import annotations

import time
from pathlib import Path

from volition.benchmarks.metaworld.configs import TrainConfig
from volition.benchmarks.metaworld.errors import MetaWorldError
from volition.benchmarks.metaworld.robot import HAND, STATE
from volition.benchmarks.metaworld.words import sentences
from volition.data.atomic import read_json, write_json
from volition.data.feature import IMAGES
from volition.data.store import Dataset
from volition.eval import training
from volition.model.checkpoint import Design
from volition.model.language.bpe import train_bpe
from volition.model.recipes import recipe
from volition.model.shapes import Shapes
from volition.train import config as trainer
from volition.train.command import TrainCommand

MOST = 30_000_000  # parameters that learn
COST = "cost.json"


def train(config: TrainConfig) -> int:
    """Train on, or from the beginning; returns 0. What it cost is added up over the runs that ended by themselves."""
    command = command_of(config)
    many = trainable(command)
    if many > MOST:
        raise MetaWorldError(
            f"{config.recipe}, size {config.size}, has {many / 1e6:.1f} M parameters that learn; the benchmark allows "
            f"{MOST / 1e6:.0f} M, so choose a smaller size or freeze its encoders."
        )
    begin = time.process_time()
    code = training.train(command)
    _add_cost(config.out / COST, time.process_time() - begin)
    print(f"Next: volition bench metaworld eval {config.out / 'last'} --out {config.out.with_name('report')}")
    return code


def command_of(config: TrainConfig) -> TrainCommand:
    """Everything is trained on: what is held out are the seeds of evaluations."""
    return TrainCommand(
        recipe=config.recipe,
        size=config.size,  # pyright: ignore[reportArgumentType]  -- checked by configs.py
        data=config.data,
        weights=config.weights,
        out=config.out,
        action=HAND.name,
        batch=config.batch,
        chunk=config.chunk,
        history=config.history,
        cameras=config.cameras,
        shift=config.shift,
        colour=0.0,  # colours are what the words tell things by
        held_out=0.0,
        truth=config.truth,
        loaders=config.threads,
        start=config.start,
        set=config.set,
        resume=True,
        train=trainer.TrainConfig(
            steps=config.steps or trainer.TrainConfig.steps,
            minutes=None if config.steps else config.minutes,
            learning_rate=config.learning_rate,
            warmup_steps=min(200, config.steps // 10) if config.steps else 200,
            ema=config.ema,
            threads=config.threads,
            device=config.device,
            seed=config.seed,
            validate_every=0,
        ),
    )


def trainable(command: TrainCommand) -> int:
    """Parameters that learn, of the model as it will be built."""
    chosen, dataset = recipe(command.recipe), Dataset(command.data[0])
    cameras = command.cameras or tuple(name.removeprefix(IMAGES) for name in dataset.metadata.stored)
    view = training.batch_config(command, chosen, cameras)
    said = [text for words in sentences().values() for text in words.train]
    height, width = dataset.feature(IMAGES + cameras[0]).shape[:2]
    shapes = Shapes(
        cameras=cameras,
        picture=(height, width),
        state=len(STATE),
        actions=len(HAND.names),
        chunk=view.chunk,
        history=view.history,
        before=view.before,
        shown=view.shown,
        key_frames=view.key_frames,
        tasks=tuple(sorted(sentences())),
        tokenizer=train_bpe(said, training.VOCABULARY).to_str(),
    )
    design = Design(recipe=chosen.name, size=command.size, shapes=shapes, options=command.options())
    return sum(one.numel() for one in design.build().parameters() if one.requires_grad)


def _add_cost(path: Path, seconds: float) -> None:
    before = read_json(path)["core_hours"] if path.exists() else 0.0
    write_json(path, {"core_hours": round(before + seconds / 3600, 4)})
