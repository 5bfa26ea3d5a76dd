"""Every language encoder by name: `build("minilm")`, `build("small", width=64)`, `build(**asdict(encoder.alone))`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from volition.errors import ContractError
from volition.model.language import hub
from volition.model.language.encoder import LanguageEncoder
from volition.model.language.hub import HubConfig
from volition.model.language.small import SmallConfig, small

Builder = Callable[..., LanguageEncoder[Any]]


def _hub(family: str) -> Builder:
    def builder(**settings: Any) -> LanguageEncoder[HubConfig]:
        return hub.hub(HubConfig(**{**hub.DESIGNS[family].defaults, "family": family, **settings}))

    return builder


def _small(**settings: Any) -> LanguageEncoder[SmallConfig]:
    return small(SmallConfig(**settings))


FAMILIES: dict[str, Builder] = {
    "minilm": _hub("minilm"),  # all-MiniLM-L6-v2, 384 wide, from the installed package, frozen: the default
    "bert": _hub("bert"),  # 768 wide; pool="first" for the textbook's [CLS]
    "distilbert": _hub("distilbert"),  # 768 wide
    "t5": _hub("t5"),  # the encoder of T5; small is 512 wide
    "clip": _hub("clip"),  # CLIP's text side, 512 wide, pooled at the end of the text
    "small": _small,  # trained here over BPE, 128 wide
}


def build(family: str = "minilm", **settings: Any) -> LanguageEncoder[Any]:
    """The encoder of that name with its defaults, changed by what is given."""
    if family not in FAMILIES:
        raise ContractError(f"There is no language encoder {family!r}; choose from {', '.join(FAMILIES)}.")
    try:
        return FAMILIES[family](**settings)
    except TypeError as error:
        raise ContractError(f"The language encoder {family} does not take these settings: {error}.") from error
