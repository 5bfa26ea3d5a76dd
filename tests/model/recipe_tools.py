"""Every recipe at its smallest, and batches for it out of thin air: what the tests of recipes and checkpoints share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from volition.model.checkpoint import Design
from volition.model.inputs import Inputs, Shown, Targets, Truth
from volition.model.language.bpe import train_bpe
from volition.model.recipes import RECIPES
from volition.model.shapes import Shapes
from volition.model.vla import VLA

PIXELS, STATE, ACTIONS, CAMERAS, TASKS = 32, 7, 5, ("head", "left_wrist"), ("pour", "press_button")
SENTENCES = ("press the red button", "wave", "put the green box onto the purple tray, please")
TOKENIZER = train_bpe(SENTENCES, 300).to_str()


def shapes(name: str, **changes: Any) -> Shapes:
    """A recipe's own history, chunk and memory; the classifier's ten primitives."""
    batch, classifies = RECIPES[name].batch, name == "clip-classifier"
    return Shapes(
        **{
            "cameras": CAMERAS,
            "picture": (PIXELS, PIXELS),
            "state": STATE,
            "actions": 1 if classifies else ACTIONS,
            "chunk": 1 if classifies else int(batch.get("chunk", 5)),
            "history": int(batch.get("history", 1)),
            "before": int(batch.get("before", 0)),
            "shown": int(batch.get("shown", 0)),
            "key_frames": 2,
            "classes": 10 if classifies else None,
            "space": "robot/ee",
            "tasks": TASKS,
            "tokenizer": TOKENIZER,
            **changes,
        }
    )


def design(name: str, *, size: str = "test", options: dict[str, Any] | None = None, **changes: Any) -> Design:
    return Design(recipe=name, size=size, shapes=shapes(name, **changes), options=options or {})


def built(name: str, *, seed: int = 0, **more: Any) -> VLA:
    torch.manual_seed(seed)
    return design(name, **more).build()


def inputs(model: VLA, of: Shapes, sentences: list[str], *, seed: int = 0) -> Inputs:
    rng, samples = torch.Generator().manual_seed(seed), len(sentences)
    picture = (samples, of.history, *of.picture, 3)
    seen = torch.ones(samples, of.history, dtype=torch.bool)
    seen[0, : of.history - 1] = False  # an episode's first moment
    return Inputs(
        images={name: torch.randint(0, 256, picture, generator=rng, dtype=torch.uint8) for name in of.cameras},
        state=torch.randn(samples, of.history, of.state, generator=rng),
        seen=seen,
        sentences=model.read(sentences),
        done=torch.randn(samples, of.before, of.actions, generator=rng) if of.before else None,
        done_mask=torch.ones(samples, of.before, dtype=torch.bool) if of.before else None,
        shown=shown(of, samples, rng) if of.shown else None,
    )


def shown(of: Shapes, samples: int, rng: torch.Generator) -> Shown:
    lead = (samples, of.shown, of.key_frames)
    mask = torch.ones(samples, of.shown, dtype=torch.bool)
    mask[0, 1:] = False
    return Shown(
        images=torch.randint(0, 256, (*lead, *of.picture, 3), generator=rng, dtype=torch.uint8),
        state=torch.randn(*lead, of.state, generator=rng),
        actions=torch.randn(*lead, of.actions, generator=rng),
        mask=mask,
    )


def targets(model: VLA, of: Shapes, samples: int, *, seed: int = 1) -> Targets:
    rng = torch.Generator().manual_seed(seed)
    cameras, real = len(of.cameras), torch.ones(samples, of.chunk, dtype=torch.bool)
    real[0, of.chunk - 1 :] = of.chunk == 1
    if of.classes:
        actions = torch.randint(0, of.classes, (samples, of.chunk, 1), generator=rng).float()
    else:
        actions = torch.rand(samples, of.chunk, of.actions, generator=rng) * 1.8 - 0.9
    return Targets(
        actions=actions,
        real=real,
        task=torch.arange(samples) % len(of.tasks),
        reasoning=model.read(["pour: red cup", "press button", ""][:samples]),
        truth=Truth(
            positions=torch.rand(samples, 3, 3, generator=rng),
            points=torch.rand(samples, cameras, 3, 2, generator=rng),
            present=torch.ones(samples, 3, dtype=torch.bool),
            visible=torch.ones(samples, cameras, 3, dtype=torch.bool),
            masks=(torch.rand(samples, cameras, 16, 16, generator=rng) > 0.8).float(),
            finished=torch.tensor([0.0, 1.0, 0.0][:samples]),
        ),
    )


def act(model: VLA, seen: Inputs, *, seed: int = 0) -> Tensor:
    with torch.no_grad():
        return model.eval().act(seen, rng=torch.Generator().manual_seed(seed))


def fit(model: VLA, seen: Inputs, wanted: Targets, *, updates: int, rate: float = 3e-3) -> list[float]:
    """The losses of so many updates, with the same draws of noise in each."""
    model.train()
    optimiser = torch.optim.Adam([one for one in model.parameters() if one.requires_grad], rate)
    losses = []
    for _ in range(updates):
        loss = torch.stack(list(model.losses(seen, wanted, rng=torch.Generator().manual_seed(3)).values())).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses
