"""Tokenizers made here: byte-level BPE trained in memory on a list of sentences, or plain bytes where there is none.

sentences --train_bpe--> Tokenizer --to_str--> the JSON text in an encoder's config, so a checkpoint deploys alone.

As in GPT-2, words are split before spaces and any text can be written, letter by letter if need be: nothing is ever
unknown. Unlike GPT-2, each sentence stands between a start and an end, so even an empty one has tokens to pool.
"""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from volition.errors import ContractError

SPECIAL = ("<|pad|>", "<|start|>", "<|end|>")  # their ids are their places
PAD, START, END = range(3)
_LETTERS = 256


def train_bpe(sentences: Iterable[str], vocabulary: int = 2048, *, fold: bool = True) -> Tokenizer:
    """A tokenizer of at most `vocabulary` tokens, learned from these sentences; the same sentences give the same one.

    `fold` makes capitals small and joins what Unicode writes in two ways ("Wave" and "wave" are one word to a policy);
    without it decoding gives back every character.
    """
    if vocabulary < _LETTERS + len(SPECIAL):
        raise ContractError(
            f"A vocabulary of {vocabulary} is too small: the {_LETTERS} bytes and {len(SPECIAL)} special tokens are always in it."
        )
    sentences = [sentences] if isinstance(sentences, str) else list(sentences)
    tokenizer = Tokenizer(models.BPE())
    if fold:
        tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip()])  # pyright: ignore
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sentences, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(  # pyright: ignore
        single=f"{SPECIAL[START]} $A {SPECIAL[END]}",
        special_tokens=[(SPECIAL[START], START), (SPECIAL[END], END)],
    )
    return tokenizer


def bytes_only(*, fold: bool = True) -> Tokenizer:
    """The tokenizer of an encoder that was given none: a token a byte, nothing learned. Long, but works at once."""
    return train_bpe([], _LETTERS + len(SPECIAL), fold=fold)
