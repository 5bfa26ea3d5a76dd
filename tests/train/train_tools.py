"""A model of a few layers with everything a trainer can trip over, made-up batches, and runs in a forked process."""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from volition.data.share import WHOLE, Share
from volition.model.inputs import Inputs, Sentences, Targets, rows
from volition.train.config import TrainConfig
from volition.train.contracts import Batch
from volition.train.state import named_tensors
from volition.train.trainer import Trainer

K, A, S, WORDS = 3, 4, 6, 11


class TinyModel(nn.Module):
    """Words and state to actions; `noise` and `dropout` draw from the two sources of randomness."""

    def __init__(self, *, noise: float = 0.0, dropout: float = 0.0, norm: bool = False, blocks: int = 1) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.noise = noise
        self.language = nn.Embedding(WORDS, 8)
        self.position = nn.Parameter(torch.randn(1, 8) * 0.1)
        self.vision = nn.Sequential(nn.Linear(S, 8), nn.BatchNorm1d(8) if norm else nn.Identity())
        self.blocks = nn.ModuleList(nn.Linear(16, 16) for _ in range(blocks))
        self.norm = nn.LayerNorm(16)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(16, K * A)

    def losses(self, inputs: Inputs, targets: Targets, *, rng: torch.Generator | None) -> dict[str, Tensor]:
        made = self._actions(inputs)
        made = made + self.noise * torch.randn(made.shape, generator=rng)
        error = (made - targets.actions).square().mean(-1)  # (B, K)
        mean = (error * targets.real).sum() / targets.real.sum()
        return {"action": mean, "size": 1e-3 * (made.square().mean(-1) * targets.real).sum() / targets.real.sum()}

    def act(self, inputs: Inputs, *, rng: torch.Generator | None) -> Tensor:
        return self._actions(inputs)

    def _actions(self, inputs: Inputs) -> Tensor:
        seen = self.vision(inputs.state[:, -1]) + self.position
        told = self.language(inputs.sentences.ids).mean(1)
        hidden = torch.cat([seen, told], -1)
        for block in self.blocks:
            hidden = block(hidden).tanh()
        return self.head(self.dropout(self.norm(hidden))).view(-1, K, A)


class TinyData:
    """Batch `index` of epoch `number` is a function of both and the seed; `made` counts what was computed."""

    def __init__(self, *, rows: int = 8, batches: int = 5, seed: int = 0, words: int = 4, mark: float = 0.0) -> None:
        self.rows, self.batches, self.seed, self.words, self.mark = rows, batches, seed, words, mark
        self.made: list[tuple[int, int]] = []
        self.padded = True
        self.spoil: Callable[[int, int], bool] = lambda number, index: False
        self.before: Callable[[], None] = lambda: None

    def __len__(self) -> int:
        return self.batches

    def epoch(self, number: int, *, skip: int = 0, share: Share = WHOLE) -> Iterator[Batch]:
        for index in range(skip, self.batches):
            self.made.append((number, index))
            self.before()
            inputs, targets = self.batch(number, index)
            own = share.among(index * self.rows, inputs.size)
            own = slice(own.start, own.stop, own.step)
            yield rows(inputs, own), rows(targets, own)

    def batch(self, number: int, index: int) -> Batch:
        rng = np.random.default_rng([self.seed, number, index])
        state = torch.from_numpy(rng.normal(size=(self.rows, 2, S))).float()
        ids = torch.from_numpy(rng.integers(0, WORDS, (self.rows, self.words)))
        real = torch.arange(K) < torch.from_numpy(rng.integers(1, K + 1, (self.rows, 1)))
        if not self.padded:
            real = torch.ones_like(real)
        actions = state[:, -1, :A].unsqueeze(1) * torch.arange(1, K + 1).view(1, K, 1) / K + self.mark
        if self.spoil(number, index):
            actions = actions * torch.nan
        sentences = Sentences(ids=ids, mask=torch.ones_like(ids, dtype=torch.bool))
        inputs = Inputs(images={}, state=state, seen=torch.ones(self.rows, 2, dtype=torch.bool), sentences=sentences)
        return inputs, Targets(actions=actions, real=real)


BASE = TrainConfig(
    steps=12, warmup_steps=2, learning_rate=1e-2, precision="float32", device="cpu", log_every=1, save_every=5, ema=0.9,
    validate_every=0,
)  # fmt: skip


def trained(out: Path, model: nn.Module, data: Any = None, *, resume: bool = False, **changes: Any) -> Trainer:
    """A run to its end."""
    trainer = Trainer(model, data or TinyData(), replace(BASE, **changes), out, resume=resume)
    trainer.run()
    return trainer


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in named_tensors(model).items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def forked(function: Callable[..., Any], *args: Any, env: dict[str, str] | None = None) -> Any:
    """Runs beside, with torch already imported; a new interpreter would spend seconds on that."""

    def run() -> None:
        os.environ.update(env or {})
        torch.set_num_threads(1)
        function(*args)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    return process


def torchrun(world: int, function: Callable[..., Any], *args: Any) -> None:
    """`function` in `world` processes that find each other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    env = {"WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    ranks = [{"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(world)]
    processes = [forked(function, *args, env=env | rank) for rank in ranks]
    for process in processes:
        process.join(120)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    assert codes == [0] * world
