"""What each task is called in words: our own sentences, some of which training never hears.

sentences.toml --words_of(task)--> Words: the first sentence is the task's own; `held_out` are for evaluation only

Things and colours are named as the camera shows them, and no two tasks share a sentence: push and push-back do in the
data set that most others train on.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from volition.benchmarks.metaworld.errors import MetaWorldError

SENTENCES = Path(__file__).with_name("sentences.toml")


@dataclass(frozen=True, kw_only=True)
class Words:
    train: tuple[str, ...]
    held_out: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The one that an evaluation says."""
        return self.train[0]


@cache
def sentences() -> dict[str, Words]:
    values = tomllib.loads(SENTENCES.read_text(encoding="utf-8"))
    return {task: Words(train=tuple(one["train"]), held_out=tuple(one["held_out"])) for task, one in values.items()}


def words_of(task: str) -> Words:
    if task not in sentences():
        raise MetaWorldError(f"There are no sentences for {task!r}; there are for {', '.join(sentences())}.")
    return sentences()[task]
