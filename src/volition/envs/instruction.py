"""The space of instructions: Gymnasium's Text of printable ASCII, mended so that it also passes between processes."""

from __future__ import annotations

import string
from typing import Any

from gymnasium.spaces import Text
from gymnasium.vector.utils.shared_memory import read_from_shared_memory

from volition.errors import ContractError

LONGEST = 300  # characters
LETTERS = string.ascii_letters + string.digits + string.punctuation + " "


class Instruction(Text):
    def __init__(self) -> None:
        super().__init__(LONGEST, charset=LETTERS)

    def check(self, text: object) -> str:
        if not isinstance(text, str) or text not in self:
            raise ContractError(
                f"The instruction is {text!r}; it must be 1 to {LONGEST} characters of printable ASCII."
            )
        return text


class _Texts:
    """What is in the shared memory now. Gymnasium 1.4 reads a Text once, when AsyncVectorEnv is built, and copies that for
    every observation: every text would be what was there before the first reset. The copy of this one is up to date."""

    def __init__(self, space: Text, memory: Any, count: int) -> None:
        self._arguments = (space, memory, count)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return read_from_shared_memory.dispatch(Text)(*self._arguments)


@read_from_shared_memory.register(Instruction)
def _read(space: Instruction, shared_memory: Any, n: int = 1) -> Any:
    return _Texts(space, shared_memory, n)
