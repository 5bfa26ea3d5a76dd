"""Weights that others trained, from a folder or from the local cache of the Hugging Face hub: whole or not at all.

source (folder or hub name) -> folder_of -> load_pretrained -> a network of transformers. Encoders of pictures and
of language read their weights here. Nothing is fetched unless VOLITION_ONLINE=1 is set, and nothing is unpickled.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from volition.errors import AssetError

ONLINE = "VOLITION_ONLINE"
WEIGHTS = "model.safetensors"
_PIECES = "model.safetensors.index.json"  # beside weights that are cut into several files
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_FETCHED = ("*.json", "*.txt", "*.model")  # beside what is needed: tokenizers and processors come in these
_SHOWN = 4  # names of weights in an error


def folder_of(source: str | Path, *, needed: tuple[str, ...] = ("config.json", WEIGHTS)) -> Path:
    """The folder with the needed files: `source` itself, or what the local hub cache has under that name."""
    folder = Path(source).expanduser()
    wanted = " and ".join(needed)
    if folder.is_dir():
        missing = _missing(folder, needed)
        if missing:
            raise AssetError(
                f"The folder {folder} lacks {' and '.join(missing)}; it must hold {wanted} as save_pretrained writes "
                f"them. Weights in a .bin or .pt file are never read: convert them to safetensors."
            )
        return folder
    if isinstance(source, Path) or not _HUB_NAME.fullmatch(source):
        raise AssetError(f"There is no folder {folder}; give a folder with {wanted}, or a hub name such as owner/name.")
    found = _cached(source, needed)
    if found is None and os.environ.get(ONLINE) == "1":
        found = _fetched(source, needed)
    if found is None:
        raise AssetError(
            f"{source!r} is neither a folder here nor a model in the local Hugging Face cache with {wanted}; "
            f"set {ONLINE}=1 to let it be fetched, or give the folder you have it in."
        )
    return found


def load_pretrained(model_class: Any, source: str | Path, **config_overrides: Any) -> nn.Module:
    """The network with all its weights from `source`, in float32 and evaluation mode; else an AssetError.

    `model_class` is one of transformers' own; overrides go to its configuration or its constructor. Weights in the
    file that the network has no place for (another task's head) are left; a place without its weight is refused.
    """
    folder = folder_of(source)
    try:
        with _quiet():
            network, report = model_class.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                ignore_mismatched_sizes=True,  # so that they come in the report, for the error below
                output_loading_info=True,
                **config_overrides,
            )
    except Exception as error:  # transformers, safetensors and the hub raise eight unrelated types for a bad file
        raise AssetError(
            f"{model_class.__name__} cannot be read from {folder} ({type(error).__name__}: {_first_line(error)}); "
            f"it needs a config.json and weights that belong to this class."
        ) from error
    wrong = [f"{name} (missing)" for name in sorted(report["missing_keys"])]
    wrong += [
        f"{name} (is {tuple(there)}, must be {tuple(here)})" for name, there, here in sorted(report["mismatched_keys"])
    ]
    wrong += [_first_line(text) for text in report.get("error_msgs", ())]
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise AssetError(
            f"The weights in {folder} are not those of a {model_class.__name__}: {', '.join(wrong[:_SHOWN])}{more}; "
            f"give a folder that was saved from a {model_class.__name__}, without other sizes."
        )
    return network.float()  # a checkpoint in half precision is ten times slower on a CPU


def _missing(folder: Path, needed: tuple[str, ...]) -> list[str]:
    def there(name: str) -> bool:
        return (folder / name).is_file() or (name == WEIGHTS and (folder / _PIECES).is_file())

    return [name for name in needed if not there(name)]


def _cached(name: str, needed: tuple[str, ...]) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    for file in (*needed, _PIECES):
        path = try_to_load_from_cache(name, file)
        if isinstance(path, str):
            folder = Path(path).parents[len(Path(file).parts) - 1]
            return None if _missing(folder, needed) else folder
    return None


def _fetched(name: str, needed: tuple[str, ...]) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import EntryNotFoundError

    patterns = [*needed, *_FETCHED, *(["model-*.safetensors"] if WEIGHTS in needed else [])]
    try:
        folder = Path(snapshot_download(name, allow_patterns=patterns))
    except (OSError, ValueError, EntryNotFoundError) as error:  # the hub's errors of network, name and access
        raise AssetError(
            f"{name!r} could not be fetched ({_first_line(error)}); check the name, the network and your access, "
            f"or give the folder you have it in."
        ) from error
    missing = _missing(folder, needed)
    if missing:
        raise AssetError(f"{name!r} on the hub lacks {' and '.join(missing)}; choose a model that has them.")
    return folder


def _first_line(error: object) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """transformers prints a progress bar and a report; both say less than the error above. Put back as they were."""
    from logging import CRITICAL

    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
