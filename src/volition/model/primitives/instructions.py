"""A free instruction cut into steps in the order they are to happen, each with its amount. Plain text work: no torch.

    "wave before you turn left 45 degrees" -> [Step("wave"), Step("turn left", 45 degrees)]

What a step means is decided later (`classifier.py`); here only connectives, order, repetition and amounts
are read. "and" always separates, except inside numbers and a few pairs: a second action that went unseen inside
"walk forward and pick up the box" would be ignored, and half of an instruction must never be done silently.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from volition.errors import InstructionError
from volition.model.primitives.amounts import Amount, digits, extract, repetitions
from volition.model.primitives.spelling import repair
from volition.model.primitives.vocabulary import ARMS, BACKWARD, BASE_FORM, FILLERS, FORWARD, LEFT, RIGHT, VERBS

LONGEST = 500  # characters
MOST_STEPS = 20


@dataclass(frozen=True)
class Step:
    """One thing to do: its words as understood, those words without the amount, and the amount."""

    text: str
    action: str
    amount: Amount | None = None


_CONTRACTIONS = (
    (r"\b(do|does|did|is|are|must|should|would|could)n'?t\b", r"\1 not"),
    (r"\bcan'?t\b|\bcannot\b", "can not"),
    (r"\bwon't\b", "will not"),
    (r"\bi'?d like you to\b|\bi would like you to\b|\bi want you to\b|\bi need you to\b", ""),
    (r"\byou'?ve\b", "you have"),
    (r"\blet'?s\b", ""),
    (r"\bgonna\b", "going to"),
)
_POLITE = r"\b(?:(?:hi|hello|hey) (?:there )?robot|whoa|excuse me|right then|as (?:if|though) [^,.;]*|please|kindly|(?:could|can|would|will) you(?: please)?|hey|ok|okay|robot|would you mind|for me|if you can|just)\b"
_LEADING = r"^(?:(?:and|then|next|now|first(?:ly)?|second(?:ly)?|third(?:ly)?|last(?:ly)?|finally|afterwards?|to (?:begin|start)(?: with)?|(?:start|begin|finish|end) (?:by|with)|at last|in the end|also|after (?:that|this|which)|you (?:have )?(?:to |should |must )?|and)\b\s*)+"
_CONNECTIVE = re.compile(
    r"\s*(?P<joint>,?\s*\b(?:and )?(?:then|next|after (?:that|this|which)|afterwards?|followed by|finally|lastly)\b,?|,|\band\b)\s*"
)
# "and" that joins words of one action; written with "_" so that the connective does not see it.
_JOINED = (
    (r"\b(up|back|nice|still) and (down|forth|slow(?:ly)?|quiet|easy)\b", r"\1_and_\2"),
    (r"\band (hold|keep|leave) (it|them) (up|there|raised|high|in the air|in place|still)\b", ""),
    (r"\band (again|so on)\b", ""),
)
_TOGETHER = re.compile(
    r"\b(while|whilst|at the same time|simultaneously|at once|together)\b|\bas you\b|\bback_and_forth\b"
)
_CONDITION = re.compile(r"\b(if|unless|until|till|whenever|when|as soon as|in case|every time)\b")


def normalise(instruction: str, is_word: Callable[[str], bool] | None = None) -> str:
    """Lower case, plain punctuation, spelling of key words, numbers as digits, verbs in their base form."""
    text = instruction.lower().replace("’", "'").replace("&", " and ").replace("-", " ").replace("—", ", ")
    text = re.sub(r"[\"“”()\[\]]", " ", text)
    for pattern, replacement in _CONTRACTIONS:
        text = re.sub(pattern, replacement, text)
    text = re.sub(_POLITE, " ", text)
    text = re.sub(r"\bside (?=steps?\b)", "side", re.sub(r"\b(counter|anti) (?=clockwise)", r"\1", text))
    text = repair(re.sub(r"\s+", " ", text), is_word)
    # "right now", "all right": not the side.
    text = re.sub(
        r"\bright (?=there|here|now|away|after|before|behind|where)", "", re.sub(r"\ball right\b|\balright\b", "", text)
    )
    text = re.sub(r"[a-z]+", lambda match: BASE_FORM.get(match.group(), match.group()), text)
    return digits(text.strip())


def split(instruction: str, is_word: Callable[[str], bool] | None = None) -> list[Step]:
    """The steps of an instruction, in the order they are to be done. Raises InstructionError when there are none."""
    if not instruction.strip():
        raise InstructionError(
            "The instruction is empty; say what to do, for example: walk forward one metre, then wave."
        )
    if len(instruction) > LONGEST:
        raise InstructionError(f"The instruction has {len(instruction)} characters; at most {LONGEST} are allowed.")
    text = normalise(instruction, is_word)
    for pattern, replacement in _JOINED:
        text = re.sub(pattern, replacement, text)
    clauses: list[tuple[str, str]] = []  # (what joins it to the one before, its words)
    for sentence in re.split(r"[;!?\n]+|\.(?=\s|$)", text):
        clauses += _clauses(sentence.strip(" ,"))
    steps: list[Step] = []
    for clause in _complete(clauses):
        steps += _steps(clause.replace("_", " "))
    if not steps:
        raise InstructionError(f"{instruction!r} has no words to act on; say what to do.")
    if len(steps) > MOST_STEPS:
        raise InstructionError(f"The instruction has {len(steps)} steps; at most {MOST_STEPS} are allowed.")
    return steps


def _clauses(sentence: str) -> list[tuple[str, str]]:
    """One sentence's clauses in the order of doing, with their joints; "before" and "after" are put in order."""
    if not sentence:
        return []
    late = re.match(r"^before (?:you )?(?P<second>.+?), (?P<first>.+)$", sentence)
    early = re.match(
        r"^(?:(?:and )?(?:after|once|when) )(?!that\b|this\b)(?P<first>(?:you )?.+?), (?P<second>.+)$", sentence
    )
    if early and sentence.startswith("when") and not re.match(r"^when (?:you have|do)\b", sentence):
        early = None  # "when I clap, wave" is a condition
    if match := late or early:
        return [*_clauses(match["first"]), ("then", ""), *_clauses(match["second"])]
    if found := _TOGETHER.search(sentence):
        word = found.group().replace("_", " ")
        raise InstructionError(
            f"{sentence.replace('_', ' ')!r} asks for things at the same time ({word!r}); give one after the other."
        )
    if found := _CONDITION.search(sentence):
        raise InstructionError(
            f"{sentence!r} has a condition ({found.group()!r}); this policy cannot watch for it. Give a distance, an angle or seconds."
        )
    clauses, joint, start = [], "", 0
    for match in _CONNECTIVE.finditer(sentence):
        clauses.append((joint, sentence[start : match.start()]))
        joint, start = match["joint"].strip(), match.end()
    clauses.append((joint, sentence[start:]))
    ordered: list[tuple[str, str]] = []
    for joint, clause in clauses:
        swap = re.match(r"^(?P<second>.+?) (?:after|once) (?P<first>.+)$", clause)
        keep = re.match(r"^(?P<first>.+?) before (?P<second>.+)$", clause)
        parts = [(match := swap or keep)["first"], match["second"]] if (swap or keep) else [clause]  # type: ignore[index]
        for position, part in enumerate(parts):
            part = re.sub(_LEADING, "", part.strip()).strip(" ,.")
            ordered.append((joint if position == 0 else "then", part))
    return ordered


def _bare(clause: str) -> bool:
    """True for a fragment without an action of its own: "left", "two metres to the right", "your right arm"."""
    rest, _ = extract(repetitions(clause)[0])
    words = set(re.findall(r"[a-z]+", rest))
    return bool(words) and words <= (FILLERS | LEFT | RIGHT | FORWARD | (BACKWARD - VERBS) | {"back"} | ARMS)


def _complete(clauses: list[tuple[str, str]]) -> list[str]:
    """Clauses that stand alone: a fragment borrows the verb before it, or completes the clause it belongs to."""
    whole: list[str] = []
    for joint, clause in clauses:
        if not clause:
            continue
        if whole and _bare(clause):
            before = set(re.findall(r"[a-z]+", whole[-1]))
            sided = before & (LEFT | RIGHT)
            directed = sided or before & (FORWARD | BACKWARD)
            if joint == "," and not directed:
                whole[-1] += " " + clause  # "raise your arm, the right one"; "turn on the spot, to the left"
                continue
            verb = re.match(r"[a-z]+", whole[-1])
            if (
                verb
                and verb.group() in VERBS
                and set(re.findall(r"[a-z]+", clause)) & (LEFT | RIGHT | FORWARD | BACKWARD)
            ):
                clause = f"{verb.group()} {clause}"  # "turn right, then left"
        elif (
            whole
            and re.search(r"\b(it|them)\b", clause)
            and (held := re.search(r"(?:\b(?:left|right) )?\b(?:arms?|hands?)\b", whole[-1]))
        ):
            clause = re.sub(r"\b(it|them)\b", f"your {held.group()}", clause)  # "raise your left arm and put it down"
        whole.append(clause)
    return whole


def _steps(clause: str) -> list[Step]:
    once, times = repetitions(re.sub(r"\bagain\b", "", clause).strip())
    if times > 1 and re.match(r"^(?:sidestep|step|take step)\b", once) and not re.search(r"\d", once):
        once, times = f"{once} {times} steps", 1  # "step left twice": two steps, not twice the default distance
    action, amount = extract(once)
    return [Step(once, action, amount)] * times if action or amount else []
