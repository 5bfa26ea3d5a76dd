"""One language encoder around any transformer: it reads, remembers what a frozen transformer said, and pools.

    text --read--> ids, mask (and, frozen, what they mean, once a sentence) --forward--> Words: tokens, mask, pooled

An encoder is frozen while none of its parameters asks for gradients, so `requires_grad_` and low-rank adaptation by name
switch it over; the transformer keeps its own parameter names below `encoder.`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from volition.errors import ContractError, InstructionError
from volition.model.attention import fits
from volition.model.inputs import Sentences, Words
from volition.model.language.bpe import bytes_only

Pool = Literal["mean", "first", "end"]
POOLS: tuple[Pool, ...] = ("mean", "first", "end")
_BATCH = 64  # sentences a frozen encoder is asked at once


class Hidden(NamedTuple):
    """What a transformer returns, by the name that transformers' models have for it."""

    last_hidden_state: Tensor  # (B, L, W)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How sentences become tokens and tokens one vector: what every language encoder's config can say."""

    tokenizer: str | None = None  # its JSON; None: the pretrained encoder's own, or a token a byte
    pool: Pool = "mean"  # of the real tokens; or the first (BERT's [CLS]); or the last real one (CLIP's end of text)
    longest: int = 128  # tokens, the start and end among them
    cut: bool = False  # a longer sentence loses its end; else it is refused: "but not the glass" is often at the end
    cached: int = (
        50_000  # sentences to remember: half a gigabyte. Training says 800 episodes in 33,000 ways, again and again
    )

    def __post_init__(self) -> None:
        if self.pool not in POOLS:
            raise ContractError(f"Words cannot be pooled by {self.pool!r}; choose from {', '.join(POOLS)}.")
        if self.longest < 3 or self.cached < 1:
            raise ContractError(
                f"An encoder that reads {self.longest} tokens and remembers {self.cached} sentences cannot be built; "
                "give at least 3 and 1."
            )


Config = TypeVar("Config", bound=Reading)


class LanguageEncoder(nn.Module, Generic[Config]):
    """A transformer (ids, mask -> last_hidden_state) as a Language; made by the builders that `families.py` lists."""

    def __init__(
        self,
        encoder: nn.Module,
        tokenizer: Tokenizer,
        config: Config,
        *,
        width: int,
        pad: int = 0,
        own: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.config = config
        self.width = width
        self._pad = pad
        self._own = dict(own or {})
        tokenizer.no_padding()  # files ask for 128 tokens always, eight times the work; padding is done here
        if config.cut:
            tokenizer.enable_truncation(config.longest)
        else:
            tokenizer.no_truncation()
        self.tokenizer = tokenizer
        self._ids: dict[str, list[int]] = {}
        self._known: dict[str, Tensor] = {}  # sentence -> (its tokens, W), of a frozen encoder, float16
        self.register_load_state_dict_post_hook(_forget)

    @property
    def alone(self) -> Config:
        """The config that, with a state, rebuilds this encoder where its source is not: what a checkpoint keeps."""
        return replace(self.config, tokenizer=self.tokenizer.to_str(), **self._own)

    @property
    def frozen(self) -> bool:
        return not any(parameter.requires_grad for parameter in self.encoder.parameters())

    def forget(self) -> None:
        """Call it after changing weights by hand; loading a state and training do it by themselves."""
        self._known.clear()

    @property
    def known(self) -> Mapping[str, Tensor]:
        """What a frozen encoder made of the sentences that it remembers: (its tokens, W) of each, float16."""
        return self._known

    def remember(self, sentences: Mapping[str, Tensor]) -> None:
        """As if it had read them, one after the other."""
        for sentence, tokens in sentences.items():
            _remember(self._known, sentence, tokens, self.config.cached)

    def read(self, sentences: Sequence[str]) -> Sentences:
        """Tokens of sentences, padded to the longest of them, on the CPU; and, when frozen, what they mean."""
        if isinstance(sentences, str):
            raise ContractError(f"read takes a list of sentences, not one sentence; give [{sentences!r}].")
        rows = [self._tokens(sentence) for sentence in sentences]
        ids, mask = self._padded(rows)
        if not self.frozen:
            return Sentences(ids=ids, mask=mask)
        embedded = torch.zeros(*ids.shape, self.width)  # (B, L, W)
        meanings = self._meanings(dict(zip(sentences, rows, strict=True)))
        for row, sentence in enumerate(sentences):
            embedded[row, : len(rows[row])] = meanings[sentence]
        return Sentences(ids=ids, mask=mask, embedded=embedded)

    def forward(self, sentences: Sentences) -> Words:
        mask = sentences.mask
        if not self.frozen:
            self.forget()  # whoever asks for gradients is about to change the weights
            tokens = self._hidden(sentences.ids, mask)
        elif sentences.embedded is None:
            self.encoder.eval()
            tokens = self._hidden(sentences.ids, mask)
        else:
            tokens = fits("What was embedded of the sentences", sentences.embedded, self.width)
        tokens = tokens.masked_fill(~mask.unsqueeze(-1), 0)  # nobody can read padding by mistake
        return Words(tokens=tokens, mask=mask, pooled=self._pooled(tokens, mask))

    def train(self, mode: bool = True) -> LanguageEncoder:
        super().train(mode)
        if self.frozen:
            self.encoder.eval()  # no dropout in what is computed once and remembered
        return self

    def _tokens(self, sentence: str) -> list[int]:
        if sentence not in self._ids:
            row = self.tokenizer.encode(sentence).ids
            if not row:
                raise ContractError(
                    f"The tokenizer makes no token of {sentence!r}; it must add a start or an end to every sentence."
                )
            if len(row) > self.config.longest:
                raise InstructionError(
                    f"The sentence {sentence[:60]!r}... has {len(row)} tokens and this encoder reads {self.config.longest}; "
                    "say it shorter, or build the encoder with a larger `longest`, or with `cut=True` to lose its end."
                )
            _remember(self._ids, sentence, row, self.config.cached)
            return row
        return self._ids[sentence]

    def _padded(self, rows: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
        length = max(map(len, rows), default=0)
        ids = torch.full((len(rows), length), self._pad)  # (B, L)
        mask = torch.zeros(len(rows), length, dtype=torch.bool)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = torch.tensor(row)
            mask[number, : len(row)] = True
        return ids, mask

    def _meanings(self, rows: dict[str, list[int]]) -> dict[str, Tensor]:
        """What a frozen transformer makes of each sentence, (its tokens, W): computed once, then remembered. In half the
        bits, the first time too: a sentence is the same whether it was remembered or not."""
        found = {sentence: self._known[sentence] for sentence in rows if sentence in self._known}
        new = sorted(rows.keys() - found.keys(), key=lambda sentence: (len(rows[sentence]), sentence))
        if new:
            self.encoder.eval()
        device = next(self.encoder.parameters()).device

        def mean(batch: Sequence[str]) -> Tensor:
            ids, mask = self._padded([rows[sentence] for sentence in batch])
            with torch.no_grad():
                return self._hidden(ids.to(device), mask.to(device)).half().cpu()

        # Alike lengths together: less padding to compute. A thread a batch: one batch is hardly faster on all cores.
        with _one_thread() as threads, ThreadPoolExecutor(threads) as pool:
            size = max(1, min(_BATCH, -(-len(new) // threads)))
            batches = [new[start : start + size] for start in range(0, len(new), size)]
            for batch, hidden in zip(batches, pool.map(mean, batches), strict=True):
                for sentence, tokens in zip(batch, hidden, strict=True):
                    found[sentence] = tokens[: len(rows[sentence])].clone()  # not a view that keeps the whole batch
                    _remember(self._known, sentence, found[sentence], self.config.cached)
        return found

    def _hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        # A row without a word looks at its padding: `forward` makes it zero afterwards, and it is NaN on no version.
        mask = mask | ~mask.any(1, keepdim=True)
        return self.encoder(input_ids=ids, attention_mask=mask.long()).last_hidden_state

    def _pooled(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """(B, W). Padding is zero already, so what counts is how many tokens the sum is divided by."""
        if self.config.pool == "first":
            return tokens[:, 0]
        count = mask.sum(1).clamp(min=1)
        if self.config.pool == "end":
            return tokens[torch.arange(tokens.shape[0], device=tokens.device), count - 1]
        return tokens.sum(1) / count.unsqueeze(-1)


def tokenizer_of(text: str | None) -> Tokenizer:
    """The tokenizer that a config carries as JSON text; the one of plain bytes where it carries none."""
    if text is None:
        return bytes_only()
    try:
        return Tokenizer.from_str(text)
    except Exception as error:  # tokenizers raises Exception itself
        raise ContractError(
            f"The tokenizer in this config cannot be read ({error}); it must be the text that to_str gives."
        ) from error


def _forget(encoder: nn.Module, _: Any) -> None:
    """After loading a state. A function of the module it is given, so that a deep copy of an encoder forgets its own."""
    if isinstance(encoder, LanguageEncoder):
        encoder.forget()


def _remember(store: dict[str, Any], key: str, value: Any, most: int) -> None:
    """The oldest goes when there are too many."""
    store[key] = value
    while len(store) > most:
        del store[next(iter(store))]


@contextmanager
def _one_thread() -> Iterator[int]:
    """Sentences are too short to gain from more threads, which on a busy machine wait for each other (`sentence.py`).
    Gives how many there are else."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)
