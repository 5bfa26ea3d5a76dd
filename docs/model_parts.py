"""What the family's page says of a recipe, read from the built model itself: its boxes, with their lines and sizes.

RECIPES -> a model each, size small, random weights -> Drawn -> model_diagrams.py
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import nn

from volition.model.auxiliaries.contrast import Contrast
from volition.model.auxiliaries.grounding import Grounding
from volition.model.auxiliaries.segmentation import Segmentation
from volition.model.fusion.cross import CrossFusion
from volition.model.fusion.film import FilmFusion
from volition.model.fusion.grounding import GroundingFusion
from volition.model.fusion.joint import JointFusion
from volition.model.fusion.pooled import PooledFusion
from volition.model.fusion.spots import SpotsFusion
from volition.model.heads.act import Act
from volition.model.heads.autoregressive import Autoregressive
from volition.model.heads.classes import Classes
from volition.model.heads.diffusion import Diffusion
from volition.model.heads.flow import Flow
from volition.model.heads.parallel_bins import ParallelBins
from volition.model.heads.reasoning import Reasoning
from volition.model.heads.regression import Regression
from volition.model.heads.robots import PerRobot
from volition.model.heads.tasks import PerTask
from volition.model.language.bpe import train_bpe
from volition.model.language.small import SmallConfig
from volition.model.maker import Maker
from volition.model.recipes import Recipe
from volition.model.shapes import Shapes
from volition.model.table import SENTENCE, Line, cells, shapes_for
from volition.model.vision.conv import ConvVision
from volition.model.vision.hub import HubVision
from volition.model.vision.mobilenet import MobileNetVision
from volition.model.vision.pixels import PixelsVision
from volition.model.vision.token_learner import TokenLearner
from volition.model.vla import VLA

SIZE, PIXELS = "small", 128
VISION = {"resnet": "ResNet", "vit": "ViT", "clip": "CLIP's ViT", "dinov2": "DINOv2", "siglip": "SigLIP"}
LANGUAGE = {
    "minilm": "MiniLM",
    "bert": "BERT",
    "distilbert": "DistilBERT",
    "t5": "T5's encoder",
    "clip": "CLIP's text side",
    "small": "Transformer over BPE",
}
POOLS = {"mean": "pooled: mean of the words", "first": "pooled: the [CLS] token", "end": "pooled: the end of the text"}


@dataclass(frozen=True, kw_only=True)
class Box:
    name: str
    lines: tuple[str, ...]
    size: str = ""  # its parameters


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One recipe's picture. Labels are shapes without the batch."""

    name: str
    size: str
    pictures: Box
    sentence: Box
    body: Box
    vision: Box
    language: Box
    state: Box
    fusion: Box
    head: Box
    auxiliaries: tuple[Box, ...]
    gives: Box
    seen: str
    told: str
    felt: str
    context: str
    film: bool
    row: tuple[str, ...] = field(default=())  # of the family's table


def drawn(one: Recipe) -> Drawn:
    shapes = shapes_for(one, PIXELS, tokenizer=train_bpe([SENTENCE], 300).to_str())
    model = one.build(Maker(shapes, SIZE)).eval()
    everything = sum(parameter.numel() for parameter in model.parameters())
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    sizes: Any = _sizes(model.fusion)
    line = Line(recipe=one, parameters=everything, trainable=trained, decision_ms=0.0, shapes=shapes)
    return Drawn(
        name=one.name,
        size=f"size {SIZE}: {_count(everything)} parameters, {_count(trained)} trained",
        pictures=_pictures(shapes),
        sentence=Box(name="sentence", lines=("what was said",)),
        body=_body(shapes),
        vision=_vision(model, shapes, sizes.patches),
        language=_language(model),
        state=Box(
            name="ShownState" if shapes.shown else "StateEncoder",
            lines=_state(shapes, sizes.steps, sizes.state),
            size=_learned(model.state),
        ),
        fusion=_fusion(model.fusion),
        head=_head(model.head, shapes),
        auxiliaries=tuple(_auxiliary(part) for part in model.auxiliaries.values()),
        gives=_gives(model, shapes),
        seen=f"{sizes.patches} x {sizes.vision}",
        told=f"words x {sizes.words}",
        felt=f"{sizes.steps} x {sizes.state}",
        context=f"{_kept(model.fusion, sizes.patches + sizes.steps)} x {model.fusion.width}",
        film=_film(model.views.encoders()[0]),
        row=tuple(cells(line)[:-1]),
    )


def _pictures(shapes: Shapes) -> Box:
    height, width = shapes.picture
    lines = [f"{height} x {width}, RGB"]
    lines += [f"the last {shapes.history} of each"] if shapes.history > 1 else []
    return Box(name=_plural(len(shapes.cameras), "camera"), lines=tuple(lines))


def _state(shapes: Shapes, tokens: int, width: int) -> tuple[str, ...]:
    if shapes.shown:
        return (f"{shapes.shown} x {shapes.key_frames} frames shown: {tokens} tokens",)
    return (f"an MLP a step: {_plural(tokens, 'token')}, {width} wide",)


def _body(shapes: Shapes) -> Box:
    numbers = f"{shapes.state} numbers" + (f", {shapes.history} steps" if shapes.history > 1 else "")
    before = (f"{shapes.before} actions before",) if shapes.before else ()
    return Box(name="state", lines=(numbers, *before))


def _vision(model: VLA, shapes: Shapes, patches: int) -> Box:
    first, *aside = model.views.encoders()
    name, lines = _encoder(first)
    if aside:
        lines.append("wrists: the same, coarser")
    pictures = len(shapes.cameras) * shapes.history
    each = patches // pictures
    lines.append(f"{_plural(each, 'token')} a picture, {model.views.width} wide")
    if len(model.views.cross):
        lines.append(f"{_plural(len(model.views.cross), 'layer')} across the cameras")
    return Box(name=name, lines=tuple(lines), size=_learned(model.views))


def _encoder(encoder: Any) -> tuple[str, list[str]]:
    match encoder:
        case ConvVision():
            channels = ", ".join(map(str, encoder.config.widths))
            lines = [f"residual blocks: {channels} channels"]
            lines += [f"{encoder.config.maps} maps, spatial softmax"] if encoder.config.output == "points" else []
            return "Convolutions", lines
        case TokenLearner():
            name, lines = _encoder(encoder.encoder)
            return f"{name}, TokenLearner", [*lines, "a map for each learned token"]
        case PixelsVision():
            side = encoder.config.side
            return "Pixels", [f"{side} x {side} pixels, one linear layer"]
        case MobileNetVision():
            return "MobileNetV2", [f"a cell for {encoder.config.stride} pixels"]
        case HubVision():
            settings: Any = encoder.network.config
            give = {"grid": "a token a cell", "mean": "the mean of all cells", "class": "the class token"}
            if encoder.config.family == "resnet":
                depths = ", ".join(map(str, settings.depths))
                lines = [f"stages of {depths} blocks"]
            else:
                lines = [
                    f"{settings.num_hidden_layers} layers, {settings.num_attention_heads} heads, patch {settings.patch_size}"
                ]
            return VISION[encoder.config.family], [*lines, give[encoder.config.give]]
    raise TypeError(f"model_parts.py does not know {type(encoder).__name__}; teach it what to say.")


def _film(encoder: Any) -> bool:
    inner = encoder.encoder if isinstance(encoder, TokenLearner) else encoder
    return isinstance(inner, ConvVision) and inner.config.film


def _language(model: VLA) -> Box:
    encoder: Any = model.language
    config, settings = encoder.config, getattr(encoder.encoder, "config", None)
    if isinstance(config, SmallConfig):
        layers = config.layers
    else:
        layers = next(getattr(settings, name) for name in ("num_hidden_layers", "n_layers", "num_layers") if hasattr(settings, name))  # fmt: skip
    lines = [f"{_plural(layers, 'layer')}, {encoder.width} wide", POOLS[config.pool]]
    size = _learned(encoder)
    if model.reader is not None:
        lines.append(f"then a reader, {_learned(model.reader)}")
    return Box(name=LANGUAGE[config.family], lines=tuple(lines), size=size)


def _fusion(fusion: Any) -> Box:
    config = fusion.config
    match fusion:
        case PooledFusion():
            seen = "all tokens" if config.flatten else "mean of the tokens"
            hidden = " to ".join(map(str, (*config.hidden, config.width)))
            lines = (f"pictures: {seen},", f"linear to {config.vision}", f"words: linear to {config.words}",
                     f"state: linear to {config.state}", "side by side, then an", f"MLP: {hidden}" if config.hidden else f"linear to {config.width}")  # fmt: skip
        case SpotsFusion():
            hidden = " to ".join(map(str, (*config.hidden, config.width)))
            named = ("each cell: kind and colour;", "where words agree:") if config.kinds else ()
            free = () if config.hands else (f"{config.free} that actions need:",)
            where = ("each in metres, by rays;",) if config.places else ()
            ways = (
                ("places, words, state, and", f"no picture: MLP {hidden}")
                if config.hands
                else ("words, state, then an", f"MLP: {hidden}")
            )
            lines = (*named, f"{config.things} spots the words mean,", *free, "point, how sure, what is", "there, in each picture;",
                     *where, f"{_plural(config.rounds, 'round')} of relations;", *ways)  # fmt: skip
        case FilmFusion():
            lines = (f"{_plural(config.rounds, 'round')} of FiLM", "then pooled")
        case CrossFusion():
            lines = (*_transformer(config), "picture and state tokens", "look at each other,", "then at the words", "readout: one question")  # fmt: skip
        case GroundingFusion():
            lines = (f"{_plural(config.rounds, 'round')}, {config.heads} heads, {config.width} wide",
                     "words look at pictures,", "pictures look at words", "readout: one question")  # fmt: skip
        case JointFusion():
            lines = (*_transformer(config), "all tokens look at all", "readout: a token of its own")
        case _:
            raise TypeError(f"model_parts.py does not know {type(fusion).__name__}; teach it what to say.")
    return Box(name=type(fusion).__name__, lines=lines, size=_learned(fusion))


def _head(head: Any, shapes: Shapes) -> Box:
    return Box(name=type(head).__name__, lines=tuple(_acts(head, shapes)), size=_learned(head))


def _acts(head: Any, shapes: Shapes) -> list[str]:
    config = getattr(head, "config", None)
    match head:
        case Regression():
            between = "".join(f"{one} to " for one in config.hidden)
            return [
                f"{'MLP:' if config.hidden else 'linear to'} {between}{config.steps} x {config.actions}",
                f"loss: {config.loss.upper()}",
            ]
        case Classes():
            between = "".join(f"{one} to " for one in config.hidden)
            return [f"MLP: {between}{config.classes} primitives", "loss: cross-entropy"]
        case Act():
            style = ["style by a CVAE"] if config.variational else []
            return [
                f"{_plural(config.steps, 'learned query', 'learned queries')}",
                *_transformer(config),
                *style,
                "loss: L1",
            ]
        case ParallelBins():
            return [
                f"{config.steps} x {config.actions} queries, all at once",
                *_transformer(config),
                f"{config.bins} bins a number",
            ]
        case Autoregressive():
            count = config.steps * config.actions
            return [f"{count} tokens, one by one, causal", *_transformer(config), f"{config.bins} bins a number"]
        case Diffusion():
            return [
                "takes noise from a chunk",
                *_transformer(config),
                f"taught {config.strengths} strengths",
                f"runs {config.rounds} rounds (DDIM)",
            ]
        case Flow():
            return ["straight from noise to action", *_transformer(config), f"runs {config.rounds} rounds (Euler)"]
        case Reasoning():
            return [f"writes up to {config.longest} tokens, causal", *_transformer(config),
                    f"then {type(head.head).__name__}, told by them:", *_acts(head.head, shapes)]  # fmt: skip
        case PerTask():
            first: Any = next(iter(head.heads.values()))
            return [
                f"a classifier of {len(head.tasks)} tasks",
                f"a {type(first).__name__} a task:",
                *_acts(first, shapes),
            ]
        case PerRobot():
            each = [f"{name}: {one.config.actions}" for name, one in head.heads.items()]
            first = next(iter(head.heads.values()))
            return [f"a head a robot ({type(first).__name__}):", *each, *_transformer(first.config)]
    raise TypeError(f"model_parts.py does not know {type(head).__name__}; teach it what to say.")


def _auxiliary(part: nn.Module) -> Box:
    match part:
        case Grounding():
            where = "in the pelvis frame" + (", in pictures" if part.heat is not None else "")
            lines = ("where what is meant stands:", where)
        case Contrast():
            lines = ("which words belong to a picture",)
        case Segmentation():
            lines = ("which cells the thing covers",)
        case _:
            lines = ("asked when running too",)
    return Box(name=type(part).__name__, lines=lines, size=_learned(part))


def _gives(model: VLA, shapes: Shapes) -> Box:
    lines = ["a primitive's id"] if shapes.classes is not None else [f"{shapes.chunk} x {shapes.actions}"]
    lines += ["and its words"] if isinstance(model.head, Reasoning) else []
    return Box(name="actions", lines=tuple(lines))


def _sizes(fusion: Any) -> Any:
    return fusion.sizes if hasattr(fusion, "sizes") else fusion.entrance.sizes


def _kept(fusion: Any, tokens: int) -> str:
    """How many tokens a fusion hands on."""
    match fusion:
        case PooledFusion() | FilmFusion() | SpotsFusion():
            return "1"
        case CrossFusion():  # the words are looked at and not kept
            return str(tokens)
    return f"({tokens} + words)"


def _transformer(config: Any) -> tuple[str, ...]:
    return (f"{_plural(config.layers, 'layer')}, {config.heads} heads, {config.width} wide",)


def _learned(part: nn.Module) -> str:
    parameters = list(part.parameters())
    count = sum(one.numel() for one in parameters)
    trained = sum(one.numel() for one in parameters if one.requires_grad)
    return _count(count) + ("" if trained == count else ", frozen" if not trained else f", {_count(trained)} trained")


def _count(number: int) -> str:
    return f"{number / 1e6:.2f} M" if number >= 100_000 else f"{number / 1e3:.0f} k"


def _plural(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
