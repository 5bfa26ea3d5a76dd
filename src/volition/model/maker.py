"""Makes a recipe's parts fit each other: widths from part to part, sizes from the data, options from the user.

    Shapes + size + options --Maker--> language, views, state, fusion, head -> VLA

Three sizes of every recipe: `standard` is what its inventors or the textbook describe; `small` has the same parts, made
for training on two CPU cores; `test` is as small as it gets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import torch
from torch import nn

from volition.errors import ContractError
from volition.model.auxiliaries.contrast import ContrastConfig
from volition.model.auxiliaries.families import AuxiliariesConfig, build_auxiliaries
from volition.model.auxiliaries.finished import FinishedConfig
from volition.model.auxiliaries.grounding import GroundingConfig
from volition.model.auxiliaries.parts import Sizes as AuxiliarySizes
from volition.model.auxiliaries.segmentation import SegmentationConfig
from volition.model.fusion import families as fusions
from volition.model.fusion.sizes import Sizes
from volition.model.fusion.spots import SpotsFusion
from volition.model.heads import families as heads
from volition.model.heads.robots import Space
from volition.model.language.encoder import LanguageEncoder
from volition.model.language.families import build as build_language
from volition.model.language.reader import Reader, ReaderConfig
from volition.model.shapes import Shapes
from volition.model.shown import ShownConfig, ShownState
from volition.model.state import StateConfig, StateEncoder
from volition.model.vision.families import build_vision, vision_config
from volition.model.vision.views import Views, ViewsConfig
from volition.model.vla import VLA, Choice

SIZES = ("standard", "small", "test")
PARTS = ("vision", "views", "language", "reader", "state", "fusion", "head", "auxiliaries")
Settings = Mapping[str, Any]
Config = TypeVar("Config")
# Encoders that others designed, cut down to what two cores train: a patch of 16 of 128 pixels gives 64 tokens.
_VIT = {"hidden_size": 192, "num_hidden_layers": 4, "num_attention_heads": 3, "image_size": 128, "patch_size": 16}
_HUB_SMALL: dict[str, Settings] = {
    "resnet18": {},
    "resnet50": {"size": "18"},
    "vit": {"size": "tiny", "architecture": {**_VIT, "intermediate_size": 768}},
    "clip": {"architecture": {**_VIT, "intermediate_size": 768}},
    "siglip": {"architecture": {**_VIT, "intermediate_size": 768}},
    "dinov2": {"architecture": _VIT},
}
_LANGUAGE_SMALL: dict[str, Settings] = {
    "bert": {"shape": {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 512}},
    "distilbert": {"shape": {"dim": 128, "n_layers": 2, "n_heads": 4, "hidden_dim": 512}},
    "t5": {"shape": {"d_model": 128, "num_layers": 2, "num_heads": 4, "d_kv": 32, "d_ff": 512}},
    "clip": {"shape": {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 512}},
    "small": {"width": 128, "layers": 2, "heads": 4},
}


@dataclass(frozen=True)
class Width:
    """How wide and deep transformers and layers of a recipe are."""

    width: int
    heads: int
    layers: int  # a recipe's own count is cut to this

    def deep(self, layers: int) -> int:
        return min(layers, self.layers)


AUXILIARIES = {
    "contrast": ContrastConfig,
    "grounding": GroundingConfig,
    "segmentation": SegmentationConfig,
    "finished": FinishedConfig,
}
WIDTHS = {"standard": Width(512, 8, 12), "small": Width(128, 4, 3), "test": Width(32, 2, 1)}


class Maker:
    """One model's parts. `options` are changes by part: `{"vision": {"source": "folder"}, "head": {"loss": "l1"}}`."""

    def __init__(self, shapes: Shapes, size: str, options: Mapping[str, Settings] | None = None) -> None:
        if size not in SIZES:
            raise ContractError(f"There is no size {size!r}; a recipe comes in {', '.join(SIZES)}.")
        for part in options or {}:
            if part not in PARTS:
                raise ContractError(f"A model has no part {part!r}; its parts are {', '.join(PARTS)}.")
        self.shapes, self.size, self._options = shapes, size, dict(options or {})
        self.width = WIDTHS[size]
        self._words = 0  # width of the words that the views look for

    def language(self, family: str, **settings: Any) -> LanguageEncoder[Any]:
        asked = self._options.get("language", {})
        if "tokenizer" in asked and "family" in asked:  # a checkpoint's: everything is said
            return build_language(**asked)
        if asked.get("family", family) != family:
            family, settings = asked["family"], {}
        own: dict[str, Any] = {}
        if "source" in asked:
            pass  # it has its own sizes
        elif family == "minilm":
            if self.size == "test":
                own = {"source": None, "size": "tiny", "frozen": False, "tokenizer": self.shapes.tokenizer}
        else:
            own = {"tokenizer": self.shapes.tokenizer}
            if self.size == "small":
                own |= _LANGUAGE_SMALL.get(family, {})
            elif self.size == "test":
                own |= {"width": 32, "layers": 1, "heads": 2} if family == "small" else {"size": "tiny"}
        return build_language(**{**own, **settings, **asked, "family": family})

    def asks(self, part: str) -> bool:
        """Whether the options say anything of this part."""
        return part in self._options

    def reader(self, language: LanguageEncoder[Any], **settings: Any) -> Reader:
        """What learns to read on top of an encoder; the parts after it are made for its width."""
        cut = {"width": 8, "heads": 2, "questions": 2, "lexicon": 64} if self.size == "test" else {}
        return Reader(self._config(ReaderConfig, "reader", {**cut, **settings}), words=language.width)

    def views(
        self,
        name: str,
        *,
        words: int | None = None,
        cross_view: int = 0,
        aside: Settings | None = None,
        **settings: Any,
    ) -> Views:
        """Pictures by a named encoder; `words` is the language's width where the encoder looks for what it is told.

        `aside`: what differs in the encoder of all cameras but the first, which is then another one.
        """
        self._words = words or 0
        asked = dict(self._options.get("vision", {}))
        if asked.get("family", name) != name:
            settings, aside = _taken(settings, vision_config(asked["family"])), None
        name = asked.pop("family", name)
        settings = {**self._cut(name, asked), **settings, **asked}
        sizes = {
            "cameras": self.shapes.cameras,
            "size": self.shapes.picture,
            "history": self.shapes.history,
            "cross_view": cross_view if len(self.shapes.cameras) > 1 else 0,
        }
        views = self._config(ViewsConfig, "views", sizes)
        encoder = build_vision(vision_config(name, **settings), words=words)
        if not aside:
            return Views(views, encoder=encoder)
        other = build_vision(vision_config(name, **{**settings, **aside}), words=words)
        return Views(views, encoder=dict.fromkeys(views.cameras, other) | {views.cameras[0]: encoder})

    def _cut(self, name: str, asked: Settings) -> dict[str, Any]:
        """A named encoder's settings at this size."""
        if name in _HUB_SMALL:
            if "source" in asked:
                return {"freeze": True}
            if self.size == "test":
                return {"size": "test"}
            return dict(_HUB_SMALL[name]) if self.size == "small" else {}
        if self.size != "test":
            return {}
        return {
            "conv": {"widths": (16,), "stem": 16},
            "points": {"widths": (16,), "stem": 16, "blocks": 1, "maps": 8, "width": 32},
            "pixels": {"side": 8, "width": 16},
            "mobilenet": {"stride": 8},
        }.get(name, {})

    def state(self, **settings: Any) -> StateEncoder:
        shapes, width = self.shapes, min(self.width.width, 128)
        sizes: dict[str, Any] = {"state": shapes.state, "history": shapes.history, "width": width, "hidden": width}
        if shapes.before:
            sizes |= {"actions": shapes.actions, "done": shapes.before}
        return StateEncoder(self._config(StateConfig, "state", {**sizes, **settings}))

    def shown(self, state: StateEncoder) -> ShownState:
        """A state encoder that is shown demonstrations too; their pictures have a small encoder of their own."""
        shapes = self.shapes
        config = vision_config("points", **self._cut("points", {}))
        return ShownState(
            ShownConfig(episodes=max(shapes.shown, 1), frames=shapes.key_frames),
            state,
            encoder=build_vision(config),
            numbers=shapes.state,
            actions=shapes.actions,
        )

    def fusion(
        self,
        name: str,
        views: Views,
        language: LanguageEncoder[Any] | Reader,
        state: StateEncoder | ShownState,
        /,
        **settings: Any,
    ) -> Any:
        asked = dict(self._options.get("fusion", {}))
        if asked.get("family", name) != name:
            name, settings = asked["family"], self._usual(fusions.FAMILIES, asked["family"])
        asked.pop("family", None)
        sizes = Sizes(
            vision=views.width,
            words=language.words if isinstance(language, Reader) else language.width,
            pooled=language.width,
            state=state.width,
            patches=self._tokens(views),
            cameras=len(views.config.cameras),
            steps=state.tokens,
            numbers=self.shapes.state,
            cells=views.cells,
        )
        return fusions.build(name, sizes, **{**settings, **asked})

    def head(self, name: str, context: int, **settings: Any) -> nn.Module:
        """A head for these shapes; an action that is one id of several is always told by classes."""
        shapes = self.shapes
        if shapes.classes is not None:
            hidden = settings.get("hidden", (self.width.width,))
            return heads.build("classes", context=context, classes=shapes.classes, steps=shapes.chunk, hidden=hidden)
        name, settings = self._head(name, settings)
        sizes: dict[str, Any] = {"actions": shapes.actions, "steps": shapes.chunk}
        if name == "regression":
            sizes["speeds"] = shapes.speeds
        return heads.build(name, context=context, **{**sizes, **settings})

    def head_per_robot(self, name: str, context: int, robots: Mapping[str, Space], **settings: Any) -> nn.Module:
        """A head for each of these action spaces, and for the one of these shapes."""
        shapes = self.shapes
        name, settings = self._head(name, settings)
        own = Space(actions=shapes.actions, classes=shapes.classes)
        return heads.per_robot(name, {**robots, shapes.space: own}, context=context, steps=shapes.chunk, **settings)

    def _head(self, name: str, settings: Settings) -> tuple[str, dict[str, Any]]:
        """A head's family and settings, as asked for; the recipe's own settings are of its own family."""
        asked = dict(self._options.get("head", {}))
        if asked.get("family", name) != name:
            name, settings = asked["family"], self._usual(heads.FAMILIES, asked["family"])
        asked.pop("family", None)
        return name, {**settings, **asked}

    def _usual(self, families: Mapping[str, Any], name: str) -> dict[str, Any]:
        """Settings at this size of a fusion or head that is not the recipe's own."""
        if name not in families:
            return {}  # the error comes when it is built
        deep = {"rounds": self.width.deep(4)} if families is fusions.FAMILIES else {}  # a head's are of denoising
        usual = {**self.transformer(4), **deep, "hidden": (self.width.width,)}
        return _taken(usual, families[name].config)

    def _config(self, config: Callable[..., Config], part: str, settings: Settings) -> Config:
        try:
            return config(**{**settings, **self._options.get(part, {})})
        except TypeError as error:
            raise ContractError(f"The part {part} does not take these settings: {error}.") from error

    def _tokens(self, views: Views) -> int:
        """How many tokens all pictures of a sample become: found out by showing it grey ones."""
        height, width = self.shapes.picture
        pictures = torch.full((1, self.shapes.history, height, width, 3), 128, dtype=torch.uint8)
        seen = torch.ones(1, self.shapes.history, dtype=torch.bool)
        training = views.training
        with torch.no_grad():
            words = torch.zeros(1, self._words) if self._words else None
            count = views.eval()(dict.fromkeys(self.shapes.cameras, pictures), seen, words).shape[1]
        views.train(training)
        return count

    def transformer(self, layers: int) -> dict[str, int]:
        """Settings of a part that is a transformer with so many layers."""
        return {"width": self.width.width, "heads": self.width.heads, "layers": self.width.deep(layers)}

    def join(
        self,
        *,
        views: Views,
        language: LanguageEncoder[Any],
        state: StateEncoder | ShownState,
        fusion: Any,
        head: Any,
        reader: Reader | None = None,
        auxiliaries: Mapping[str, Settings] | None = None,
        choice: Choice = "none",
    ) -> VLA:
        """The model, with the auxiliaries that the recipe has and the options add or, with None, take away."""
        asked: dict[str, Settings | None] = {**(auxiliaries or {}), **self._options.get("auxiliaries", {})}
        chosen: dict[str, Any] = {"grounding": None, "finished": None}
        for name, settings in asked.items():
            if name not in AUXILIARIES:
                raise ContractError(f"There is no auxiliary {name!r}; there are {', '.join(AUXILIARIES)}.")
            try:
                chosen[name] = None if settings is None else AUXILIARIES[name](**settings)
            except TypeError as error:
                raise ContractError(f"The auxiliary {name} does not take these settings: {error}.") from error
        sizes = AuxiliarySizes(
            vision=views.width,
            words=language.width if reader is None else reader.width,
            context=fusion.width,
            views=len(self.shapes.cameras),
            cells=views.cells,
            history=self.shapes.history,
            spots=isinstance(fusion, SpotsFusion),
        )
        return VLA(
            views=views,
            language=language,
            state=state,
            fusion=fusion,
            head=head,
            reader=reader,
            auxiliaries=build_auxiliaries(AuxiliariesConfig(**chosen), sizes=sizes),
            choice=choice,
            robot=self.shapes.space,
        )


def _taken(settings: Settings, config: Any) -> dict[str, Any]:
    """Those of the settings that a configuration has."""
    known = {one.name for one in fields(config)}
    return {name: value for name, value in settings.items() if name in known}
