"""What a policy looks at when it decides: a weight for every part of its pictures, and one for every word.

Inputs of one decision -> Look. Pictures, by the first that the model has: where it believes the things to be (spots),
attention of words or of the readout over the cells, the points of a spatial softmax, else how much each pixel moves the
answer (input gradients). Words, for every model: how far the actions move when the word is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from volition.model.attention import Attention
from volition.model.fusion.cross import CrossFusion
from volition.model.fusion.grounding import GroundingFusion
from volition.model.fusion.joint import JointFusion
from volition.model.inputs import Inputs, to
from volition.model.vision.conv import ConvVision, spatial_softmax
from volition.model.vision.token_learner import TokenLearner
from volition.model.vla import VLA, Thought

SPOTS = "where the policy believes the things to be that the words mean"
GROUNDED = "attention of the words over the picture, mean of rounds, heads and words"
READOUT = "attention of the readout over the picture, mean of heads"
ROLLOUT = "attention of the readout, followed back through all layers (rollout)"
LEARNED = "where the token learner looks, mean of its tokens"
POINTS = "points of the spatial softmax, larger where they move the actions more"
GRADIENT = "input gradients: how much each pixel moves the actions"
WORDS = "how far the actions move when the word is left out"
_CELLS = 16  # a side, of gradients


@dataclass(frozen=True, kw_only=True)
class Look:
    """Of the newest pictures. A picture has weights (h, w) or points (M, 3): x, y from 0 to 1, and weight."""

    how: str
    words: tuple[tuple[str, float], ...]  # 1 for the word that matters most
    weights: dict[str, Tensor] = field(default_factory=dict)
    points: dict[str, Tensor] = field(default_factory=dict)


def look(model: VLA, inputs: Inputs, instruction: str) -> Look:
    """Of one decision: a batch of one."""
    return replace(_pictures(model, inputs), words=_words(model, inputs, instruction))


def _words(model: VLA, inputs: Inputs, instruction: str) -> tuple[tuple[str, float], ...]:
    words = instruction.split()
    whole = _acts(model, inputs, instruction)
    moves = [
        float((_acts(model, inputs, " ".join(words[:place] + words[place + 1 :])) - whole).square().mean().sqrt())
        for place in range(len(words))
    ]
    most = max(moves, default=0.0) or 1.0
    return tuple((word, move / most) for word, move in zip(words, moves, strict=True))


@torch.inference_mode()
def _acts(model: VLA, inputs: Inputs, instruction: str) -> Tensor:
    told = to(model.read([instruction]), inputs.state.device)
    return model.act(replace(inputs, sentences=told), rng=_same(inputs)).float()


def _same(inputs: Inputs) -> torch.Generator:
    """The same draws every time, for heads that draw."""
    return torch.Generator(device=inputs.state.device).manual_seed(0)


def _pictures(model: VLA, inputs: Inputs) -> Look:
    cameras, cells, fusion = model.views.config.cameras, model.views.cells, model.fusion
    with torch.inference_mode(), _weights_of(model) as seen, _learners(model) as learned:
        thought = model.think(inputs)
    found = None
    if cells is not None and thought.context.spots is not None:
        heat = thought.context.spots.heat[0].softmax(-1)[..., 1:].amax(1)  # (U, P): of all things
        found = SPOTS, heat.flatten()
    elif cells is not None and isinstance(fusion, GroundingFusion):
        found = GROUNDED, _grounded(fusion, thought)
    elif seen and isinstance(fusion, CrossFusion) and cells is not None:
        found = READOUT, seen[0][0]
    elif seen and isinstance(fusion, JointFusion) and cells is not None:
        found = ROLLOUT, _rollout(seen)
    if found is not None and cells is not None:
        count = thought.vision.shape[1]
        newest = found[1][:count][-len(cameras) * cells[0] * cells[1] :].float()
        return Look(how=found[0], words=(), weights=dict(zip(cameras, newest.view(-1, *cells), strict=True)))
    if learned:
        return Look(how=LEARNED, words=(), weights=_newest(torch.cat(learned), model))
    if all(isinstance(one, ConvVision) and one.config.output == "points" for one in model.views.encoders()):
        return Look(how=POINTS, words=(), points=_points(model, inputs))
    return Look(how=GRADIENT, words=(), weights=_gradients(model, inputs))


def _grounded(fusion: GroundingFusion, thought: Thought) -> Tensor:
    """(N,)"""
    weights = fusion.attention(thought.vision, thought.words, thought.state)[0].mean((0, 1))  # (L, N)
    return weights[thought.words.mask[0]].mean(0)


def _rollout(layers: list[Tensor]) -> Tensor:
    """(N + M + L,): the readout's row through all layers (Abnar and Zuidema 2020), half of each is what was there."""
    row = torch.zeros_like(layers[0][0])
    row[0] = 1.0
    for weight in reversed(layers):
        row = (row + row @ weight) / 2
    return row[1:]


@contextmanager
def _weights_of(model: VLA) -> Iterator[list[Tensor]]:
    """Of the attentions that lead from the tokens to the readout, (queries, keys), mean of heads, in their order."""
    if isinstance(model.fusion, CrossFusion):
        watched = [model.fusion.readout.attention]
    elif isinstance(model.fusion, JointFusion):
        watched = [block.self_attention for block in model.fusion.blocks]
    else:
        watched = []
    found: list[Tensor] = []

    def note(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any], _: Any) -> None:
        assert isinstance(module, Attention), "only these are watched"
        found.append(module.weights(*given, **named)[0].mean(0))

    with _hooked([one.register_forward_hook(note, with_kwargs=True) for one in watched if isinstance(one, nn.Module)]):
        yield found


@contextmanager
def _learners(model: VLA) -> Iterator[list[Tensor]]:
    """Where token learners look in each picture, (pictures, rows, columns), mean of their tokens."""
    found: list[Tensor] = []
    height, width = model.views.config.size
    handles = []
    for one in model.views.encoders():
        if isinstance(one, TokenLearner) and (cells := one.encoder.cells(height, width)) is not None:  # pyright: ignore

            def note(_: nn.Module, __: Any, given: Tensor, cells: tuple[int, int] = cells) -> None:
                found.append(given.softmax(1).mean(-1).unflatten(1, cells))  # given: (pictures, P, tokens)

            handles.append(one.look.register_forward_hook(note))
    with _hooked(handles):
        yield found


def _points(model: VLA, inputs: Inputs) -> dict[str, Tensor]:
    maps: list[Tensor] = []
    encoders = [one for one in model.views.encoders() if isinstance(one, ConvVision)]
    with (
        torch.enable_grad(),
        _hooked([one.maps.register_forward_hook(lambda *given: maps.append(given[2])) for one in encoders]),
    ):
        moved = _moved(model, inputs, maps)
    known = [given.detach() for given in maps]
    weight = torch.cat([(slope * given).flatten(2).norm(dim=-1) for slope, given in zip(moved, known, strict=True)])
    where = torch.cat([spatial_softmax(given) for given in known])  # (pictures, M, 2)
    return _newest(torch.cat([where, weight[..., None] / weight.max().clamp(min=1e-12)], dim=-1), model)


def _gradients(model: VLA, inputs: Inputs) -> dict[str, Tensor]:
    pictures: list[Tensor] = []

    def begin(_: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        first = given[0]
        leaf = (first.float() / 255 if first.dtype == torch.uint8 else first.detach().clone()).requires_grad_()
        pictures.append(leaf)
        return (leaf, *given[1:])

    with torch.enable_grad(), _hooked([one.register_forward_pre_hook(begin) for one in model.views.encoders()]):
        moved = _moved(model, inputs, pictures)
    slopes = torch.cat([one.abs().sum(1) for one in moved])  # (pictures, H, W)
    small = nn.functional.adaptive_avg_pool2d(slopes[:, None], _CELLS)[:, 0]
    return _newest(small, model)


def _moved(model: VLA, inputs: Inputs, of: list[Tensor]) -> tuple[Tensor, ...]:
    """How the answer changes with each of these, which the model fills as it runs; a choice has no slope, its ground has."""
    answer = model.act(inputs, rng=_same(inputs))
    if not answer.requires_grad:
        of.clear()
        answer = model.think(inputs).context.pooled
    return torch.autograd.grad(answer.float().norm(), of)


def _newest(each: Tensor, model: VLA) -> dict[str, Tensor]:
    """Of every picture, cameras first and then steps, as encoders are given them: those of the last step."""
    cameras = model.views.config.cameras
    return dict(zip(cameras, each.unflatten(0, (len(cameras), -1))[:, -1].float(), strict=True))


@contextmanager
def _hooked(handles: list[Any]) -> Iterator[None]:
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
