"""What fills the slots of each skill, and its sentences as Templates, one list of them.

sentences, movements -> TEMPLATES -> say (picks one), skeleton (looks one up)
"""

from __future__ import annotations

from dataclasses import dataclass

from volition.robots.primitives import NAMES
from volition.sim.language import movements
from volition.sim.language.sentences import COMMANDS, STATEMENTS
from volition.sim.things import KINDS

# What each skill can be told to use, by slot. A copy of what the skills say themselves, so that words need no physics;
# a test compares them.
SLOTS: dict[str, dict[str, tuple[str, ...]]] = {
    "press_button": {"thing": ("button",)},
    "open_drawer": {"thing": ("drawer",)},
    "pick_and_place": {"thing": ("can", "box"), "place": ("plate", "tray", "bowl")},
    "pour": {"thing": ("cup",), "place": ("bowl",)},
    "wipe_surface": {"thing": ("patch",)},
    "go_to": {"thing": tuple(KINDS)},
    "move": {},
}
MOVEMENTS = {"move": NAMES}  # what skills that take no thing can be told instead: a goal's `what`
HOLLOW = ("tray", "bowl")  # things are put in or into these, on or onto others


@dataclass(frozen=True, kw_only=True)
class Template:
    id: str  # "press_button.train.3"
    skill: str
    what: str  # a primitive, for "move"
    split: str
    text: str
    command: bool

    @property
    def verb(self) -> str:
        """Of a command: its first word."""
        return self.text.split()[0] if self.command else ""


def _build(splits: dict[str, tuple[str, ...]], skill: str, what: str, *, command: bool) -> list[Template]:
    kind = (what and f"{what}.") + ("" if command else "statement.")
    return [
        Template(id=f"{skill}.{split}.{kind}{number}", skill=skill, what=what, split=split, text=text, command=command)
        for split, texts in splits.items()
        for number, text in enumerate(texts)
    ]


def _all() -> list[Template]:
    found: list[Template] = []
    for command, skills, moves in (
        (True, COMMANDS, movements.COMMANDS),
        (False, STATEMENTS, movements.STATEMENTS),
    ):
        for skill, splits in skills.items():
            found += _build(splits, skill, "", command=command)
        for what, splits in moves.items():
            found += _build(splits, "move", what, command=command)
    return found


TEMPLATES: tuple[Template, ...] = tuple(_all())


def templates(skill: str, split: str, *, what: str = "", commands: bool = False) -> tuple[Template, ...]:
    """`what`: the primitive, for "move"; `commands`: no statements."""
    return tuple(
        t for t in TEMPLATES if (t.skill, t.what, t.split) == (skill, what, split) and (t.command or not commands)
    )


def preposition(text: str, place_kind: str) -> str:
    """A template's text with its {on} and {onto} filled in."""
    on, onto = ("in", "into") if place_kind in HOLLOW else ("on", "onto")
    return text.replace("{on}", on).replace("{onto}", onto)
