"""Language encoders others designed, through transformers: MiniLM, BERT, DistilBERT, T5's encoder, CLIP's text side.

    HubConfig: source -> a folder, a hub name or the installed MiniLM, with its own tokenizer and weights
               size or shape -> the same network with random weights, for training here, tests, and loading a state

Weights are of the networks as they stand: BERT without its pooler, CLIP without its projection to the common space.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from torch import nn

from volition.errors import AssetError, ContractError
from volition.model.language.bpe import END, PAD, SPECIAL, START
from volition.model.language.encoder import LanguageEncoder, Reading, tokenizer_of
from volition.model.pretrained import folder_of, load_pretrained
from volition.model.sentence import PACKAGE, encoder_folder

_NEEDED = ("config.json", "model.safetensors", "tokenizer.json")


@dataclass(frozen=True, kw_only=True)
class Design:
    """One design: where transformers keeps it, its sizes in transformers' own names, and what differs in our defaults."""

    module: str
    network: str
    settings: str  # the class of its configuration
    sizes: Mapping[str, Mapping[str, Any]]  # the first is the default
    defaults: Mapping[str, Any] = field(default_factory=dict)  # of HubConfig
    options: Mapping[str, Any] = field(default_factory=dict)  # of the network


def _bert(width: int, layers: int, heads: int) -> dict[str, int]:
    return {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 4 * width,
    }


def _distilbert(width: int, layers: int, heads: int) -> dict[str, int]:
    return {"dim": width, "n_layers": layers, "n_heads": heads, "hidden_dim": 4 * width}


def _t5(width: int, layers: int, heads: int) -> dict[str, int]:
    return {"d_model": width, "num_layers": layers, "num_heads": heads, "d_kv": width // heads, "d_ff": 4 * width}


DESIGNS: dict[str, Design] = {
    "minilm": Design(
        module="bert",
        network="BertModel",
        settings="BertConfig",
        sizes={"l6": _bert(384, 6, 12), "l12": _bert(384, 12, 12), "tiny": _bert(32, 2, 2)},
        defaults={"source": PACKAGE, "frozen": True},
        options={"add_pooling_layer": False},
    ),
    "bert": Design(
        module="bert",
        network="BertModel",
        settings="BertConfig",
        sizes={"base": _bert(768, 12, 12), "large": _bert(1024, 24, 16), "tiny": _bert(32, 2, 2)},
        options={"add_pooling_layer": False},
    ),
    "distilbert": Design(
        module="distilbert",
        network="DistilBertModel",
        settings="DistilBertConfig",
        sizes={"base": _distilbert(768, 6, 12), "tiny": _distilbert(32, 2, 2)},
    ),
    "t5": Design(
        module="t5",
        network="T5EncoderModel",
        settings="T5Config",
        sizes={"small": _t5(512, 6, 8), "base": _t5(768, 12, 12), "tiny": _t5(32, 2, 2)},
    ),
    "clip": Design(
        module="clip",
        network="CLIPTextModel",
        settings="CLIPTextConfig",
        sizes={"base": _bert(512, 12, 8), "large": _bert(768, 12, 12), "tiny": _bert(32, 2, 2)},
        defaults={"pool": "end", "longest": 77},
    ),
}


@dataclass(frozen=True, kw_only=True)
class HubConfig(Reading):
    """Which design, and either where its weights are or what size it has."""

    family: str
    source: str | None = (
        None  # a folder, a name in the local hub cache, or the installed package's; None: random weights
    )
    size: str | None = None  # of random weights; None: the family's first
    shape: Mapping[str, Any] = field(default_factory=dict)  # over the size, in transformers' own names
    frozen: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.family not in DESIGNS:
            raise ContractError(f"There is no language family {self.family!r}; choose from {', '.join(DESIGNS)}.")
        sizes = DESIGNS[self.family].sizes
        if self.size is not None and self.size not in sizes:
            raise ContractError(f"{self.family} has no size {self.size!r}; choose from {', '.join(sizes)}.")
        if self.source is not None and (self.size is not None or self.shape):
            raise ContractError(
                f"Weights from {self.source!r} have their own size; leave out size and shape, or give source=None for "
                "random weights."
            )


def hub(config: HubConfig) -> LanguageEncoder[HubConfig]:
    """The encoder a config describes."""
    design = DESIGNS[config.family]
    try:
        module = (
            f"transformers.models.{design.module}"  # not the top level, which walks its whole registry (sentence.py)
        )
        network_class = getattr(import_module(f"{module}.modeling_{design.module}"), design.network)
        settings_class = getattr(import_module(f"{module}.configuration_{design.module}"), design.settings)
    except (ImportError, AttributeError) as error:
        raise AssetError(
            f"{config.family} needs transformers ({error}); install it: pip install 'volition[learn]'."
        ) from error
    if config.source is None:
        tokenizer = tokenizer_of(config.tokenizer)
        encoder = _random(config, design, network_class, settings_class, tokenizer)
    else:
        installed = config.source == PACKAGE
        folder = encoder_folder() if installed else folder_of(config.source, needed=_NEEDED)
        tokenizer = _tokenizer(folder) if config.tokenizer is None else tokenizer_of(config.tokenizer)
        encoder = load_pretrained(network_class, folder, **design.options)
    settings: Any = encoder.config
    if tokenizer.get_vocab_size() > settings.vocab_size:
        raise ContractError(
            f"The tokenizer has {tokenizer.get_vocab_size()} tokens and the encoder knows {settings.vocab_size}; "
            "give the tokenizer it was trained with."
        )
    places = getattr(settings, "max_position_embeddings", None)
    if places is not None and config.longest > places:
        raise ContractError(
            f"{config.family} has places for {places} tokens, not for {config.longest}; give longest={places} or less."
        )
    pad = settings.pad_token_id
    return LanguageEncoder(
        encoder.requires_grad_(not config.frozen),
        tokenizer,
        config,
        width=int(settings.hidden_size),
        pad=pad if isinstance(pad, int) and 0 <= pad < settings.vocab_size else 0,
        own={"source": None, "size": None, "shape": _shape(settings)},
    )


def _random(config: HubConfig, design: Design, network: Any, settings: Any, tokenizer: Tokenizer) -> nn.Module:
    size = config.size or next(iter(design.sizes))
    ours = {name: place for place, name in ((PAD, "pad"), (START, "bos"), (END, "eos"))}
    special = {
        f"{name}_token_id": place for name, place in ours.items() if tokenizer.token_to_id(SPECIAL[place]) == place
    }
    shape = {"vocab_size": tokenizer.get_vocab_size(), **special, **design.sizes[size], **config.shape}
    try:
        return network(settings(**shape), **design.options)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        raise ContractError(
            f"{config.family} cannot be built with {dict(config.shape)} over {size} ({error})."
        ) from error


def _shape(settings: Any) -> dict[str, Any]:
    """The numbers that rebuild a network, in transformers' own names; not where and when it was made."""
    made = {"transformers_version", "architectures", "model_type", "dtype", "torch_dtype", "gradient_checkpointing"}
    return {name: value for name, value in settings.to_diff_dict().items() if name not in made and name[0] != "_"}


def _tokenizer(folder: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # tokenizers raises Exception itself
        raise AssetError(
            f"The tokenizer in {folder} cannot be read ({error}); it must be a tokenizer.json, as fast tokenizers save it."
        ) from error
