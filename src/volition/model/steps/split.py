"""Cuts a command into the sentences of its steps, in the order of doing, from its words alone.

    "before you wipe the spot, pick up the can and put it on the tray"
        -> ("pick up the can and put it on the tray", "wipe the spot")

It knows no scene and none of the task suite's sentences, only ordinary English (`words.py`): a step begins where
something that joins is followed by a verb, unless that verb goes on with what the step before has begun. In doubt it
does not cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from volition.model.steps import words


def _any(patterns: Iterable[str]) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns)


_NUMBERED = re.compile(r"(?:^|\s)(?:step )?\d{1,2}[.)]\s")
_SENTENCE = re.compile(r"\s*[.;:!?\n]+(?:\s+|$)")
_JOINT = re.compile(
    r"(?:\s*,\s*|\s+)(?:and|then|followed by|before(?= you\b| \w+ing\b))\b\s*|\s*,\s*"
    rf"|(?<!\ba)(?<!\bthe)(?<!\byour)(?<!\bbut)\s+(?=(?:{_any((*words.BACKWARDS, *words.ORDER))})\s)"
)
_END = r"(?:\s*,\s*|\s+|$)"
_LEAD = re.compile(rf"(?:(?P<back>{_any(words.BACKWARDS)})|(?P<order>{_any(words.ORDER)})|{_any(words.POLITE)}){_END}")
_POLITE = re.compile(rf"\b(?:{_any(words.POLITE)})\b")
_TAIL = re.compile(rf"(?:(?:^|\s*,\s*|\s+)(?:{_any(words.BEHIND)}))+$")
_GUESS = re.compile(rf"[a-z]+ {words.BEHIND_VERB}\b")
_FIRST = re.compile(rf"[a-z]+ (?:(?:on|up|at|off|out|down|over|away|to) ){{0,2}}{words.BEHIND_VERB}\b")
_DOUBTFUL = re.compile(rf"[a-z]+ (?:{words.BEHIND_VERB}|left|right|to)\b")
_THING = re.compile(r"\b(?:the|a|an|your) ")
_WHERE = re.compile(r"\b(?:in|on|into|onto|to|from|next|near|beside|above|below|under|at|by|over)\b")
_SAYS = re.compile(r"\b(?:is|are|be|has|have|goes|go|should|must|stays?|belongs?)\b")  # a sentence, no thing
# "after pressing x, y", "once you have pressed x, y"; "before you press x, y"; "y after pressing x"
_AHEAD = re.compile(
    r"(?P<when>after|having|(?:once|when|as soon as)(?= you have )|before|prior to) (?:you )?(?:have |having )?(?P<one>.+?)\s*,\s*(?P<other>.+)"
)
_BEHIND = re.compile(r"(?P<other>.+?) (?:after|once) (?:you have |having )?(?P<one>[a-z]+(?:ing|ed|ne|en|ut|et) .+)")
# What depends on something, or says what not to do: nobody cuts that by its words alone.
_CONDITION = re.compile(
    r"\b(?:unless|otherwise|else|whenever|in case|while|if)\b|(?<=\w )before you (?:touch|reach|hit)\b|(?:^|, )(?:do not|never)\b"
)
_UNCLEAR = re.compile(r"(?:when|once|as soon as|after|before) ")


@dataclass(frozen=True)
class _Piece:
    joint: str  # what stood before it
    raw: str
    text: str = ""  # of it, what neither orders it nor is polite
    order: bool = False  # "then", "after that" ... stood before it
    back: bool = False  # "but before that" did: it is done before the piece before it


def split(text: str) -> tuple[str, ...]:
    """The steps' sentences. A command of one step comes back as it was given."""
    plain = _plain(text)
    steps: list[str] = []
    if not _CONDITION.search(_POLITE.sub("", plain)):
        pieces = [piece for sentence in _SENTENCE.split(plain) for piece in _pieces(sentence)]
        if not any(_UNCLEAR.match(piece.text) for piece in pieces):
            steps = _steps(pieces)
    return tuple(steps) if len(steps) > 1 else (text.strip(),)


def _plain(text: str) -> str:
    """Lower case, one blank between words, no contractions; numbers of a list as ends of sentences."""
    text = text.lower()
    for pattern, better in words.SPELLINGS:
        text = re.sub(pattern, better, text)
    return _NUMBERED.sub("; ", text).strip()


def _pieces(sentence: str) -> Iterator[_Piece]:
    """What stands between joints, in the order of doing as far as the sentence itself says it."""
    first = _stripped(_Piece(". ", sentence))
    if (match := _AHEAD.fullmatch(first.text)) and (one := _base(match["one"])):
        later = match["when"] in ("before", "prior to")
        if later:
            yield from _pieces(match["other"])
        yield replace(first, raw=one, text=one, order=first.order or later)
        if not later:
            yield from (replace(piece, order=True) for piece in _pieces(match["other"]))
        return
    begin, joint = 0, ". "
    for match in (*_JOINT.finditer(first.text), None):
        raw = first.text[begin : match.start() if match else None]
        piece = _stripped(_Piece(joint, raw, order=first.order and not begin, back=first.back and not begin))
        if (behind := _BEHIND.fullmatch(piece.text)) and (one := _base(behind["one"])):
            yield replace(piece, text=behind["other"])
            yield _Piece(" and ", one, one, order=True, back=True)
        elif piece.joint.strip(" ,") == "before":
            yield replace(piece, text=_base(piece.text.removeprefix("you ")) or piece.text, order=True)
        else:
            yield piece
        if match:
            begin, joint = match.end(), match[0]


def _stripped(piece: _Piece) -> _Piece:
    """Without what orders it, and without politeness, before and behind it."""
    text, order, back = piece.raw, piece.order or piece.joint.strip(" ,") == "then", piece.back
    while match := _LEAD.match(text):
        order, back = order or match["order"] not in (None, "and"), back or match["back"] is not None
        text = text[match.end() :]
    return replace(piece, text=_TAIL.sub("", text).strip(" ,"), order=order, back=back)


def _steps(pieces: list[_Piece]) -> list[str]:
    steps: list[str] = []
    at = 0  # the step that the last piece belongs to
    prefix, order, back = "", False, False  # of pieces that are nothing by themselves
    for number, piece in enumerate(pieces):
        order, back = order or piece.order, back or piece.back
        if not piece.text:
            continue
        piece = replace(piece, order=order, back=back)
        order = back = False
        likely = piece.order or (not steps and _FIRST.match(piece.text) is not None)
        verbal = _begins(piece.text) or (likely and _verb(piece.text) not in words.NO_VERB)
        text = _base(piece.text) or piece.text
        again = None if verbal or not steps else _again(steps[at], piece, pieces[number + 1 :])
        if not steps:
            steps += [prefix + text] if verbal else []
            prefix += f"{piece.raw}, "
        elif verbal and _goes_on(steps[at], piece):
            steps[at] += f" and {text}"
        elif verbal or again:
            at = at if piece.back else len(steps)
            steps.insert(at, again or text)
        else:
            steps[at] += piece.joint + piece.raw
    return [_TAIL.sub("", step) for step in steps]


def _verb(text: str) -> str:
    """The first word, without an adverb before it."""
    match = words.ADVERB.match(text)
    return text[match.end() if match else 0 :].partition(" ")[0].strip(",")


def _begins(text: str) -> bool:
    """Whether it can be a step of its own: it begins with a verb."""
    verb = _verb(text)
    rest = text[text.index(verb) :]
    if verb in words.DOUBTFUL:
        return _DOUBTFUL.match(rest) is not None
    if verb in words.VERBS or (verb.endswith("ing") and verb in words.BASE):
        return True
    return verb not in words.NO_VERB and _GUESS.match(rest) is not None


def _base(text: str) -> str | None:
    """ "pressing the button", "pressed the button" -> "press the button"; None if it does not begin with a verb."""
    verb = _verb(text)
    if verb in words.BASE and verb not in words.VERBS:
        return text.replace(verb, words.BASE[verb], 1)
    return text if _begins(text) else None


def _goes_on(before: str, piece: _Piece) -> bool:
    """Whether a piece with a verb belongs to the step before: "... and put it on the tray"."""
    verb, earlier = _verb(piece.text), _verb(before)
    pronoun = words.PRONOUN.match(piece.text[piece.text.index(verb) :]) is not None
    if pronoun and earlier in words.GRASPING:
        return True
    if piece.order or "and" not in piece.joint:
        return False
    return (
        words.LIGHT.fullmatch(before) is not None
        or words.BELONGS.match(piece.text) is not None
        or (verb == "wave" and words.HAND_UP.fullmatch(before) is not None)
        or (pronoun and verb in words.KEEPING)
        or (pronoun and verb == earlier and "again" not in piece.text)
        or (earlier in words.GRASPING and verb in words.WIPING and words.TOOL.search(before) is not None)
        or (
            verb in words.WITH_HANDLE
            and words.HANDLE.search(before) is not None
            and (piece.text == verb or before.endswith("handle"))
        )
    )


def _again(before: str, piece: _Piece, later: list[_Piece]) -> str | None:
    """ "press the red button and the blue one": the step with the verb of the one before; None if it is none."""
    thing = _THING.search(before)
    if thing is None or not _THING.match(piece.text) or not _begins(before) or "between" in before:
        return None
    own = before[thing.start() :]
    if own.split()[-1] in words.NO_VERB or _SAYS.search(piece.text) or _SAYS.search(own):
        return None  # "press the red and the blue button", "the cup stays where it is"
    if piece.joint.strip() == "," and not piece.order and not any("and" in one.joint for one in later):
        return None  # "raise your arm, the left one"
    placed, other = (_WHERE.search(one) is not None for one in (own, piece.text))
    if placed != other and (placed or _verb(before) in words.PLACING):
        return None  # "take the can and the cup to the tray"
    return before[: thing.start()] + piece.text
