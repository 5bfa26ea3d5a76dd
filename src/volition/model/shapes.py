"""What data and robot decide about a model before a recipe does: pictures, numbers, steps, words. Saved with its weights.

robot, data set, BatchConfig -> Shapes --recipe--> VLA
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from volition.errors import ContractError


@dataclass(frozen=True, kw_only=True)
class Shapes:
    cameras: tuple[str, ...]
    picture: tuple[int, int]  # height and width of every camera's, pixels
    state: int  # S
    actions: int  # A
    chunk: int  # K
    history: int = 1  # T
    before: int = 0  # H, actions done before
    classes: int | None = None  # the action is one id of so many
    space: str = ""  # robot/action, for heads by robot
    speeds: tuple[int, ...] = ()  # which actions are speeds
    tasks: tuple[str, ...] = ()
    shown: int = 0  # E, demonstrations shown at most
    key_frames: int = 4  # F, of each
    tokenizer: str | None = None  # JSON of the BPE tokenizer for language that is trained here

    def __post_init__(self) -> None:
        for name in ("state", "actions", "chunk", "history"):
            if getattr(self, name) < 1:
                raise ContractError(f"Shapes.{name} is {getattr(self, name)}; it must be at least 1.")
        if not self.cameras:
            raise ContractError("Shapes.cameras is empty; a policy needs at least one.")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def shapes_from_json(values: Mapping[str, Any]) -> Shapes:
    try:
        lists = {name: tuple(values[name]) for name in ("cameras", "picture", "tasks", "speeds") if name in values}
        return Shapes(**{**values, **lists})  # pyright: ignore[reportArgumentType]
    except (KeyError, TypeError) as error:
        raise ContractError(f"These are not a model's shapes: {error}.") from error
