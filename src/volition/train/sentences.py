"""What a frozen language encoder makes of sentences, kept on disk from one lesson to the next: they are said again.

    cache/sentences/<hash>/*.safetensors --Kept--> the encoder remembers them        Kept.add -> one file more of what is new;
    the oldest files go when there are more sentences than an encoder remembers

Reading a sentence costs as much as looking at a picture. The hash is of the encoder's weights and tokenizer, so nothing stale is
ever read.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from volition.cache import cache_dir
from volition.data.atomic import replacing
from volition.model.language.encoder import LanguageEncoder

LEAST = 1000  # new sentences that are worth a file
SHARE = 0.1  # of the free disk that a file may take at most


class Kept:
    """The sentences of one encoder, if it is frozen: what another makes of them changes while it learns."""

    def __init__(self, language: object) -> None:
        self._language = language if isinstance(language, LanguageEncoder) and language.frozen else None
        self._before = set[str]()
        if self._language is None:
            return
        language, files = self._language, list[dict[str, torch.Tensor]]()
        self._folder = cache_dir() / "sentences" / _hash(language)
        for path in sorted(self._folder.glob("*.safetensors"), key=lambda path: path.stat().st_mtime, reverse=True):
            if len(self._before) >= language.config.cached:
                path.unlink(missing_ok=True)  # the newest are as many as it can hold
                continue
            try:
                files.append(_read(path))
                self._before |= set(files[-1])
            except (OSError, SafetensorError, KeyError, ValueError) as error:
                print(f"{path} cannot be read ({error}); its sentences are read anew.", file=sys.stderr)
                path.unlink(missing_ok=True)
        for sentences in reversed(files):  # what it has known the longest it forgets first
            language.remember(sentences)

    def add(self) -> None:
        """Keeps what was read since, if it is much and there is room."""
        if self._language is None or not self._language.frozen:
            return
        new = {text: tokens for text, tokens in self._language.known.items() if text not in self._before}
        new = {text: tokens for text, tokens in new.items() if "\n" not in text}
        size = sum(tokens.nbytes for tokens in new.values())
        self._folder.mkdir(parents=True, exist_ok=True)
        if len(new) < LEAST or size > SHARE * shutil.disk_usage(self._folder).free:
            return
        texts = "\n".join(new).encode()
        parts = {
            "tokens": torch.cat(list(new.values())),
            "lengths": torch.tensor([len(tokens) for tokens in new.values()]),
            "texts": torch.frombuffer(bytearray(texts), dtype=torch.uint8),
        }
        with replacing(self._folder / f"{hashlib.sha256(texts).hexdigest()[:16]}.safetensors") as path:
            save_file(parts, path)
        self._before |= set(new)


def _read(path: Path) -> dict[str, torch.Tensor]:
    parts = load_file(path)
    texts = parts["texts"].numpy().tobytes().decode().split("\n")
    return dict(zip(texts, parts["tokens"].split(parts["lengths"].tolist()), strict=True))


def _hash(language: LanguageEncoder[Any]) -> str:
    digest = hashlib.sha256(language.tokenizer.to_str().encode())
    for name, tensor in language.encoder.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:32]
