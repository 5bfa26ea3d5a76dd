"""What a fusion is built for: how wide and how many the tokens are that it is given. Every fusion takes one.

Words are as many as a sentence has; their number is not here.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from volition.errors import ContractError
from volition.model.attention import fits
from volition.model.inputs import Words


@dataclass(frozen=True, kw_only=True)
class Sizes:
    vision: int  # width of a picture's token
    words: int  # width of a word
    pooled: int  # width of all words pooled
    state: int  # width of a state's token
    patches: int  # N: tokens of all pictures, cameras and steps together
    cameras: int = 1
    steps: int = 1  # M: tokens of the state
    numbers: int = 1  # that the robot feels of itself, before any encoder
    cells: tuple[int, int] | None = None  # rows and columns of a picture's tokens; None where they are no grid

    def __post_init__(self) -> None:
        if (
            min(self.vision, self.words, self.pooled, self.state, self.patches, self.cameras, self.steps, self.numbers)
            < 1
        ):
            raise ContractError(f"{self} is not what a fusion can be built for; every width and number is at least 1.")

    def check(self, vision: Tensor, words: Words, state: Tensor) -> None:
        """Refuses tokens of another width or number: nothing is broadcast to fit."""
        fits("What is seen", vision, self.vision)
        fits("What is felt", state, self.state)
        fits("What is told", words.tokens, self.words)
        for name, value, count in (("seen", vision, self.patches), ("felt", state, self.steps)):
            if value.shape[1] != count:
                raise ContractError(
                    f"What is {name} has {value.shape[1]} tokens and this fusion was built for {count}; build it with "
                    "the number of tokens that the encoder gives."
                )
        rows = vision.shape[0]  # not len(), which fixes the batch when a model is exported
        alike = state.shape[0] == rows and words.tokens.shape[0] == rows and words.mask.shape == words.tokens.shape[:2]
        if not alike or words.pooled.shape != (rows, self.pooled):
            raise ContractError(
                f"Vision {tuple(vision.shape)}, words {tuple(words.tokens.shape)} with a mask {tuple(words.mask.shape)} and "
                f"{tuple(words.pooled.shape)} pooled, and state {tuple(state.shape)} are not of one batch."
            )
