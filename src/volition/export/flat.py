"""A VLA as two networks of plain tensors, which is all that exporters know: one for words, one for a decision.

Spoken: token ids (1, L) -> (1, L, W);  Decided: pictures, state, words, ... (1, ...) -> chunk (1, K, A), finished (1,)

A batch of one; a sentence of any length. What draws noise is given it as an input.
"""

from __future__ import annotations

import copy
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from volition.body.course import COURSE
from volition.body.memory import IMAGE
from volition.body.whereabouts import KNOWN, ROLES
from volition.errors import VolitionError
from volition.export.engines import NOISE, WORDS
from volition.model.checkpoint import Checkpoint
from volition.model.heads.diffusion import Diffusion
from volition.model.heads.flow import Flow
from volition.model.heads.reasoning import Reasoning
from volition.model.inputs import Inputs, Sentences
from volition.model.language.encoder import LanguageEncoder
from volition.model.policy import found_in, looks_of
from volition.model.vla import VLA

LENGTHS = (7, 11)  # words of the sentences that a network is traced with, and tried with
# Recipes whose graph is not the same for every observation, or that need more than an observation.
_NOT: dict[str, str] = {
    "few-shot": "it must be shown demonstrations of the task each time, which are chosen while it runs",
}


class ExportError(VolitionError):
    """A policy cannot be written in the format that was asked for, or differs from the original in it."""


class Spoken(nn.Module):
    def __init__(self, language: LanguageEncoder[Any]) -> None:
        super().__init__()
        self.encoder = language.encoder

    def forward(self, ids: Tensor) -> Tensor:
        return self.encoder(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state


class Decided(nn.Module):
    """`names` are of its inputs, in order."""

    def __init__(self, model: VLA, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.model = model
        shapes = checkpoint.design.shapes
        self.names = [*(IMAGE + camera for camera in shapes.cameras), "state", "seen", WORDS]
        self.names += ["done", "done_mask"] if shapes.before else []
        self.looks = looks_of(checkpoint)
        self.names += ["expected"] if self.looks.places else []
        self.names += ["course"] if self.looks.course else []
        self.noise = (shapes.chunk, shapes.actions) if draws(model) else None
        self.names += [NOISE] if self.noise else []

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        named = dict(zip(self.names, given, strict=True))
        words, noise = named[WORDS], named.get(NOISE)
        mask = torch.ones_like(words[:, :, 0], dtype=torch.bool)
        inputs = Inputs(
            images={name.removeprefix(IMAGE): value for name, value in named.items() if name.startswith(IMAGE)},
            state=named["state"],
            seen=named["seen"],
            sentences=Sentences(ids=mask.long(), mask=mask, embedded=words),
            done=named.get("done"),
            done_mask=named.get("done_mask"),
            expected=named.get("expected"),
            course=named.get("course"),
        )
        return decided(self.model, inputs, noise)

    def example(self, checkpoint: Checkpoint, words: int, seed: int) -> tuple[Tensor, ...]:
        """Inputs of the right shapes."""
        shapes, random = checkpoint.design.shapes, torch.Generator().manual_seed(seed)

        def normal(*size: int) -> Tensor:
            return torch.randn(size, generator=random)

        picture = (1, shapes.history, *shapes.picture, 3)
        made: dict[str, Tensor] = {
            IMAGE + camera: torch.randint(0, 256, picture, generator=random, dtype=torch.uint8)
            for camera in shapes.cameras
        }
        made |= {"state": normal(1, shapes.history, shapes.state), WORDS: normal(1, words, self.model.language.width)}
        made["seen"] = torch.ones(1, shapes.history, dtype=torch.bool)
        if shapes.before:
            made["done"] = normal(1, shapes.before, shapes.actions)
            made["done_mask"] = torch.ones(1, shapes.before, dtype=torch.bool)
        if self.looks.places:
            made["expected"] = normal(1, ROLES, KNOWN)
        if self.looks.course:
            made["course"] = normal(1, COURSE)
        if self.noise:
            made[NOISE] = normal(1, *self.noise)
        return tuple(made[name] for name in self.names)


def decided(model: VLA, inputs: Inputs, noise: Tensor | None) -> tuple[Tensor, ...]:
    """All that a decision gives (`engines.decision`)."""
    context = model.think(inputs).context
    chunk, finished = model.conclude(context, inputs, rng=cast(Any, noise))
    places = found_in(context) if model.feels else ()
    return (chunk, *(() if finished is None else (finished,)), *places)


def flat(checkpoint: Checkpoint) -> tuple[Spoken, Decided]:
    """Copies, so that the checkpoint's own model stays as it is; refuses what no format can hold."""
    refuse(checkpoint)
    model = copy.deepcopy(checkpoint.model).eval().requires_grad_(False)  # frozen: words are an input
    language = model.language
    if not isinstance(language, LanguageEncoder):
        raise ExportError(f"The language {type(language).__name__} cannot be exported.")
    spoken = Spoken(language).eval()
    language.encoder = nn.Identity()  # its weights are in the other file
    return spoken, Decided(model, checkpoint).eval()


def refuse(checkpoint: Checkpoint) -> None:
    recipe, model = checkpoint.design.recipe, checkpoint.model
    why = _NOT.get(recipe)
    if any(isinstance(part, Reasoning) for part in model.modules()):
        why = "it writes text first, word after word until its end, and no format keeps that loop"
    if model.choice == "task":
        why = "which of its heads acts is decided while it runs, and a graph has one way through"
    if why is not None:
        raise ExportError(f"The recipe {recipe} cannot be exported: {why}. Run the checkpoint itself.")
    if prune.is_pruned(model):
        raise ExportError(
            "Masks of torch.nn.utils.prune are still attached to this model: what would be written is the weights "
            "without them. Make them permanent first (torch.nn.utils.prune.remove)."
        )


def draws(model: VLA) -> bool:
    return any(isinstance(part, Diffusion | Flow) for part in model.modules())
