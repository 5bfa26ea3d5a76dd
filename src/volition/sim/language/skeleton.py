"""Reads a skeleton, a text whose noun phrases are #: "could you first press # | then put # on #" -> its steps.

Every sentence of `sentences.py` is an entry of a dictionary; a text is cut where a join may stand, and each piece,
without the politeness around it, is looked up there. So a text takes about a millisecond, however many templates.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from volition.sim.language.manners import JOINS, MANNERS
from volition.sim.language.noun_phrase import MARK, PAUSE, any_of, normalise
from volition.sim.language.templates import TEMPLATES, Template
from volition.sim.language.words import COUNTS, MOST_STEPS, ORDINALS


@dataclass(frozen=True)
class Step:
    skill: str
    what: str  # a primitive, for "move"
    phrases: dict[str, int]  # slot -> which of the text's noun phrases


def _entries() -> dict[str, tuple[Template, tuple[str, ...]]]:
    """Skeleton -> template and its slots in the order they are said. Both "on" and "in" are read with any place."""
    found: dict[str, tuple[Template, tuple[str, ...]]] = {}
    for template in TEMPLATES:
        order = tuple(re.findall(r"\{(thing|place)\}", template.text))
        for on, onto in (("on", "onto"), ("in", "into")):
            bare = template.text.format(thing=MARK, place=MARK, on=on, onto=onto)
            found[normalise(bare)] = (template, order)
    return found


ENTRIES = _entries()

_IN_ORDER = [join for join in JOINS if not join.backwards]
_JOIN_WORDS = {normalise(words) for join in _IN_ORDER for words in (join.link, join.last) if "{" not in words} - {""}
_BACKWARDS = {normalise(join.link) for join in JOINS if join.backwards} - {""}
_PAUSE = re.escape(PAUSE)
_CUT = re.compile(rf" (?:{_PAUSE} )?(?:{any_of(_JOIN_WORDS)}) (?:{_PAUSE} )?| {_PAUSE} ")
_TURN = re.compile(rf" (?:{_PAUSE} )?(?:{any_of(_BACKWARDS)}) (?:{_PAUSE} )?")
_BEFORE = re.compile(rf"before you (?P<second>.+?) {_PAUSE} (?P<first>.+)")


def _around() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Whatever of manners and joins can stand before a step, and what behind it."""
    parts = [manner.text.rstrip("?").split("{}") for manner in MANNERS]
    before = {normalise(part[0]) for part in parts} | {normalise(join.lead) for join in JOINS if "{" not in join.lead}
    before |= {f"step {n}" for n in (*COUNTS[1:], *range(1, 10))} | {
        *ORDINALS[1:],
        "and",
        "then",
        "ok",
        "just",
        "hello",
    }
    before -= {"", "before you"}
    behind = ({normalise(part[1]) for part in parts} | {"thank you", "robot", "now", "for me", "then"}) - {""}
    return (
        re.compile(rf"(?:(?:(?:{any_of(before)})(?= |$)|{_PAUSE}) ?)+"),
        re.compile(rf"(?: (?:{any_of(behind)})(?= |$)| {_PAUSE})+$"),
    )


_LEADING, _TRAILING = _around()


def readings(skeleton: str) -> list[tuple[Step, ...]]:
    """Every way to read it as steps, in the order of doing."""
    whole = _strip(skeleton)
    found = _in_order(skeleton)
    if match := _BEFORE.fullmatch(whole):
        found += _two(
            match["first"], match["second"], later=skeleton.count(MARK) - match["first"].count(MARK), sooner=0
        )
    for match in _TURN.finditer(whole):
        second, first = whole[: match.start()], whole[match.end() :]
        found += _two(first, second, later=second.count(MARK), sooner=0)
    return found


def _two(first: str, second: str, *, later: int, sooner: int) -> list[tuple[Step, ...]]:
    """Two steps said in the other order: the phrases of what is done first are counted from `later`."""
    one, other = _step(first, later), _step(second, sooner)
    return [(one, other)] if one and other else []


def _in_order(text: str) -> list[tuple[Step, ...]]:
    cuts = [(match.start(), match.end()) for match in _CUT.finditer(text)]
    ends = [*(start for start, _ in cuts), len(text)]
    known: dict[int, list[tuple[Step, ...]]] = {len(text): [()]}
    # From the last beginning of a piece to the first: what can follow each is known by then.
    for begin, following in [(end, number + 1) for number, (_, end) in reversed(list(enumerate(cuts)))] + [(0, 0)]:
        known[begin] = []
        for number in range(following, len(ends)):
            step = _step(text[begin : ends[number]], text.count(MARK, 0, begin))
            if step is not None:
                rest = known[cuts[number][1]] if number < len(cuts) else [()]
                known[begin] += [(step, *more) for more in rest if len(more) < 2 * MOST_STEPS]
    return known[0]


def _strip(text: str) -> str:
    match = _LEADING.match(text)
    return _TRAILING.sub("", text[match.end() if match else 0 :])


def _step(text: str, before: int) -> Step | None:
    """One piece as a step; `before` noun phrases of the text stand before it."""
    entry = ENTRIES.get(text) or ENTRIES.get(_strip(text))
    if entry is None:
        return None
    template, order = entry
    return Step(template.skill, template.what, {slot: before + number for number, slot in enumerate(order)})
