"""What fills the slots of each skill, and its sentences as Templates, one list of them.

sentences -> TEMPLATES -> say (picks one), skeleton (looks one up)
"""

from __future__ import annotations

from dataclasses import dataclass

from volition.sim.language.sentences import COMMANDS, STATEMENTS
from volition.sim.things import KINDS, LOOSE

# What each skill can be told to use, by slot.
SLOTS: dict[str, dict[str, tuple[str, ...]]] = {
    "press_button": {"thing": ("button",)},
    "open_drawer": {"thing": ("drawer",)},
    "pick_and_place": {"thing": LOOSE, "place": ("plate", "tray", "bowl")},
    "pour": {"thing": ("cup",), "place": ("bowl",)},
    "wipe_surface": {"thing": ("patch",)},
    "go_to": {"thing": tuple(KINDS)},
}
HOLLOW = ("tray", "bowl")  # things are put in or into these, on or onto others


@dataclass(frozen=True, kw_only=True)
class Template:
    id: str  # "press_button.train.3"
    skill: str
    split: str
    text: str
    command: bool

    @property
    def verb(self) -> str:
        """Of a command: its first word."""
        return self.text.split()[0] if self.command else ""


def _build(table: dict[str, dict[str, tuple[str, ...]]], *, command: bool) -> list[Template]:
    kind = "" if command else "statement."
    return [
        Template(id=f"{skill}.{split}.{kind}{number}", skill=skill, split=split, text=text, command=command)
        for skill, splits in table.items()
        for split, texts in splits.items()
        for number, text in enumerate(texts)
    ]


TEMPLATES: tuple[Template, ...] = (*_build(COMMANDS, command=True), *_build(STATEMENTS, command=False))


def templates(skill: str, split: str, *, commands: bool = False) -> tuple[Template, ...]:
    """`commands`: no statements."""
    return tuple(t for t in TEMPLATES if t.skill == skill and t.split == split and (t.command or not commands))


def preposition(text: str, place_kind: str) -> str:
    """A template's text with its {on} and {onto} filled in."""
    on, onto = ("in", "into") if place_kind in HOLLOW else ("on", "onto")
    return text.replace("{on}", on).replace("{onto}", onto)
