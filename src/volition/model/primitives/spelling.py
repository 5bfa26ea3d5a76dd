"""One-letter slips in the words that count, put right before an instruction is read ("trun left", "wlak forward")."""

from __future__ import annotations

import re
from collections.abc import Callable

from volition.model.primitives.vocabulary import BASE_FORM, KEY_WORDS


def one_slip(word: str, target: str) -> bool:
    """True if one swap of neighbours, one wrong, one missing or one extra letter turns `word` into `target`."""
    if word == target or abs(len(word) - len(target)) > 1:
        return False
    at = next((i for i, (a, b) in enumerate(zip(word, target, strict=False)) if a != b), min(len(word), len(target)))
    if len(word) == len(target):
        swapped = word[:at] + word[at : at + 2][::-1] + word[at + 2 :]
        return swapped == target or word[at + 1 :] == target[at + 1 :]
    return word[at + 1 :] == target[at:] if len(word) > len(target) else word[at:] == target[at + 1 :]


def swapped_neighbours(word: str, target: str) -> bool:
    return len(word) == len(target) and sorted(word) == sorted(target) and one_slip(word, target)


def repair(text: str, is_word: Callable[[str], bool] | None = None) -> str:
    """The text with misspelt key words restored. A word that exists is never touched: "talk" must not become "walk".

    `is_word` knows English (the encoder's own vocabulary does); without it only swapped neighbours are repaired,
    a slip that almost never makes another word. Two equally near key words: left alone.
    """

    def fix(match: re.Match[str]) -> str:
        word = match.group()
        if word in KEY_WORDS or len(word) < 4 or (is_word is not None and is_word(word)):
            return word
        near = sorted(key for key in KEY_WORDS if swapped_neighbours(word, key))
        if not near and is_word is not None:
            # The first letter is almost always right; asking for it keeps rare words ("knelt") from being bent.
            near = [key for key in KEY_WORDS if key[0] == word[0] and one_slip(word, key)]
            near = sorted({BASE_FORM.get(key, key) for key in near})  # "walk" and "walks" are one answer
        return near[0] if len(near) == 1 else word

    return re.sub(r"[a-z]+", fix, text)
