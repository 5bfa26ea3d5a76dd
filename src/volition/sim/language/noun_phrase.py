"""Finds the noun phrases in a text and reads each as a Reference: "the small red can next to the plate".

    "press the red button" --lift--> "press #", ["the red button"] --parse--> Reference

What is left, with a # for each phrase, is looked up among the templates. A phrase is

    determiner? adjective* noun (place after the noun | relation noun-phrase)?

with the words of `words.py`. It may lack a determiner, except where its noun is also another word ("can").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from volition.sim.language.reference import Reference
from volition.sim.language.words import COLOUR_WORDS, NOUNS, ONE, PLACES, RELATIONS, SHAPES, SIZES

MARK = "#"  # a noun phrase, in a skeleton
PAUSE = "|"  # any punctuation, in a normalised text
SET_PHRASES = ("on the spot",)  # whose noun is no thing: "turn left on the spot"
_SPELLINGS = {"i'd": "i would", "don't": "do not", "meter": "metre", "counterclockwise": "anticlockwise"}


def normalise(text: str) -> str:
    """Lower case, one blank between words, and every comma, period or the like as a PAUSE of its own."""
    text = text.lower()
    for other, ours in _SPELLINGS.items():
        text = text.replace(other, ours)
    text = re.sub(r"[-–—_]", " ", text)
    text = re.sub(rf"[^a-z0-9{MARK}.,;:!?\s]", "", text)
    text = re.sub(r"[.,;:!?]+", f" {PAUSE} ", text)
    text = re.sub(rf"(?:{re.escape(PAUSE)}\s*)+", f"{PAUSE} ", re.sub(r"\s+", " ", text))
    return text.strip(f" {PAUSE}")


def any_of(words: Iterable[str]) -> str:
    """A regular expression for any of these, the longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_ADJECTIVES: dict[str, tuple[str, str]] = {word: ("colour", word) for word in COLOUR_WORDS}
_AFTER: dict[str, str] = {}  # places said after the noun
for _field, _table in (("size", SIZES), ("place", PLACES)):
    for _value, _ways in _table.items():
        for _way in _ways.all:
            _word = normalise(_way.replace("{}", ""))
            if _way.startswith("{}"):
                _AFTER[_word] = _value
            else:
                _ADJECTIVES[_word] = (_field, _value)
_RELATIONS = {word: relation for relation, ways in RELATIONS.items() for word in ways.all}
_NOUNS = {word: noun for noun, words in NOUNS.items() for word in words}
_NEVER_ALONE = {"can", "push button", *NOUNS[ONE]}  # "can you", "push button 2", "step one"

_ADJECTIVE, _NOUN = rf"(?:{any_of(_ADJECTIVES)})", rf"(?:{any_of(_NOUNS)})"
_HEAD = (
    rf"(?:(?:the|a|an|that|this|your) (?:{_ADJECTIVE} )*{_NOUN}"
    rf"|(?:{_ADJECTIVE} )+{_NOUN}"
    rf"|(?:{any_of(set(_NOUNS) - _NEVER_ALONE)}))\b"
)
# In "the can on the left plate" the place belongs to the plate: no adjective or noun may follow it.
_TAIL = rf"(?: (?:{any_of(_AFTER)})(?! (?:{_ADJECTIVE}|{_NOUN}|side|hand|corner|of)\b))"
_PHRASE = re.compile(
    rf"\b(?:{any_of(SET_PHRASES)})\b"
    rf"|(?P<phrase>\b{_HEAD}(?: (?:{any_of(_RELATIONS)}) {_HEAD}{_TAIL}?|{_TAIL})?(?![a-z]))"
)
_PARTS = re.compile(
    rf"(?:(?:the|a|an|that|this|your) )?(?P<adjectives>(?:{_ADJECTIVE} )*)(?P<noun>{_NOUN})"
    rf"(?: (?P<after>{any_of(_AFTER)})| (?P<relation>{any_of(_RELATIONS)}) (?P<landmark>.+))?"
)
_ONE_ADJECTIVE = re.compile(rf"{_ADJECTIVE}(?= )")


def lift(text: str) -> tuple[str, list[str]]:
    """A normalised text with a # for each noun phrase, and the phrases in their order."""
    phrases: list[str] = []

    def mark(match: re.Match[str]) -> str:
        if match["phrase"] is None:
            return match[0]
        phrases.append(match["phrase"])
        return MARK

    return _PHRASE.sub(mark, text), phrases


def parse(words: str, kinds: Sequence[str]) -> Reference | None:
    """What a phrase says, where "one" may be any of `kinds`. None if it contradicts itself: "the red blue can"."""
    match = _PARTS.fullmatch(words)
    if match is None:
        return None
    said: dict[str, set[str]] = {"colour": set(), "size": set(), "place": set()}
    for word in _ONE_ADJECTIVE.findall(match["adjectives"]):
        field, value = _ADJECTIVES[word]
        said[field].add(value)
    if match["after"]:
        said["place"].add(_AFTER[match["after"]])
    place = _place(said["place"])
    if place is None or len(said["colour"]) > 1 or len(said["size"]) > 1:
        return None
    noun = _NOUNS[match["noun"]]
    landmark = parse(match["landmark"], ()) if match["landmark"] else None
    if match["landmark"] and landmark is None:
        return None
    own = tuple(kinds) if noun == ONE else (SHAPES.get(noun, noun),)
    return Reference(
        kinds=own or tuple(kind for kind in NOUNS if kind not in (*SHAPES, ONE)),
        noun=noun,
        colour="".join(said["colour"]),
        size="".join(said["size"]),
        place=place,
        relation=_RELATIONS[match["relation"]] if match["relation"] else "",
        landmark=landmark,
    )


def _place(said: set[str]) -> str | None:
    """ "top" and "left" are one place; "left" and "right" are none."""
    words = {word for place in said for word in place.split()}
    if len(words) <= 1:
        return "".join(words)
    for place in PLACES:
        if set(place.split()) == words:
            return place
    return None
