"""What stands around and between the steps: politeness, and how several steps are joined. Add ways of either here.

steps ["press ...", "open ..."] --Join.put--> "first press ..., then open ..." --Manner--> "could you first ...?"
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from volition.sim.language.words import COUNTS, MOST_STEPS, ORDINALS


@dataclass(frozen=True, kw_only=True)
class Manner:
    """A way to ask, around the whole instruction."""

    id: str
    split: str
    text: str  # with {} for what is asked
    verbal: bool = False  # it needs a verb right behind it

    @property
    def question(self) -> bool:
        return self.text.endswith("?")


@dataclass(frozen=True, kw_only=True)
class Join:
    """A way to give several steps. {n} and {nth} count them in words."""

    id: str
    split: str
    link: str  # between two steps
    lead: str = ""  # before the first
    last: str = ""  # before the last, where that differs
    least: int = 2  # steps
    most: int = MOST_STEPS
    backwards: bool = False  # the step to do first is said last; two steps only

    @property
    def verb_first(self) -> bool:
        """What it makes can follow "could you"."""
        return self.lead in ("", "first ")

    @property
    def one_sentence(self) -> bool:
        return not any(mark in self.lead + self.link + self.last for mark in ".;:")

    def put(self, steps: Sequence[str]) -> str:
        steps = list(reversed(steps)) if self.backwards else list(steps)
        text = _count(self.lead, 1) + steps[0]
        for number, step in enumerate(steps[1:], start=2):
            link = self.last if self.last and number == len(steps) else self.link
            text += _count(link, number) + step
        return text


def _count(text: str, number: int) -> str:
    return text.replace("{nth}", ORDINALS[number]).replace("{n}", COUNTS[number])


MANNERS: tuple[Manner, ...] = (
    Manner(id="plain", split="train", text="{}"),
    Manner(id="please", split="train", text="please {}", verbal=True),
    Manner(id="please_last", split="train", text="{}, please"),
    Manner(id="could", split="train", text="could you {}?", verbal=True),
    Manner(id="can", split="train", text="can you {}?", verbal=True),
    Manner(id="would", split="train", text="would you please {}?", verbal=True),
    Manner(id="robot", split="train", text="robot, {}"),
    Manner(id="hey", split="train", text="hey robot, {}"),
    Manner(id="want", split="train", text="i want you to {}", verbal=True),
    Manner(id="need", split="train", text="i need you to {}", verbal=True),
    Manner(id="now", split="train", text="now {}", verbal=True),
    Manner(id="thanks", split="train", text="{}, thanks"),
    Manner(id="okay", split="train", text="okay, {}"),
    Manner(id="listen", split="train", text="listen, {}"),
    Manner(id="ready", split="train", text="when you are ready, {}"),
    Manner(id="trouble", split="train", text="if it is no trouble, {}"),
    Manner(id="sorry", split="train", text="sorry to ask, {}"),
    Manner(id="hurry", split="train", text="there is no hurry, {}"),
    Manner(id="here", split="train", text="here is what to do, {}"),
    Manner(id="help", split="train", text="it would help to {}", verbal=True),
    Manner(id="lets", split="train", text="let us see you {}", verbal=True),
    Manner(id="wish", split="train", text="my wish is that you {}", verbal=True),
    Manner(id="able", split="train", text="are you able to {}?", verbal=True),
    Manner(id="will", split="train", text="{}, will you?"),
    Manner(id="no_rush", split="train", text="{}, without haste"),
    Manner(id="good", split="train", text="{}, that would be good"),
    Manner(id="friend", split="train", text="{}, my friend"),
    Manner(id="waiting", split="train", text="{}, everybody is waiting"),
    Manner(id="possible", split="train", text="would it be possible to {}?", verbal=True),
    Manner(id="why", split="train", text="why not {}?", verbal=True),
    Manner(id="may", split="train", text="you may {}", verbal=True),
    Manner(id="free", split="train", text="feel free to {}", verbal=True),
    Manner(id="remember", split="train", text="remember to {}", verbal=True),
    Manner(id="asking", split="train", text="i am asking you to {}", verbal=True),
    Manner(id="request", split="train", text="a request, {}"),
    Manner(id="for_me", split="train", text="for me, {}"),
    Manner(id="all_right", split="train", text="all right, {}"),
    Manner(id="well", split="train", text="well, {}"),
    Manner(id="soon", split="train", text="{}, as soon as you can"),
    Manner(id="matters", split="train", text="{}, it matters to me"),
    Manner(id="glad", split="train", text="{}, and i am glad"),
    Manner(id="plain_held", split="phrasings", text="{}"),
    Manner(id="kind", split="phrasings", text="would you be so kind as to {}?", verbal=True),
    Manner(id="like", split="phrasings", text="i would like you to {}", verbal=True),
    Manner(id="kindly", split="phrasings", text="kindly {}", verbal=True),
    Manner(id="mind", split="phrasings", text="if you do not mind, {}"),
    Manner(id="favour", split="phrasings", text="do me a favour and {}", verbal=True),
    Manner(id="willing", split="phrasings", text="{}, if you would"),
    Manner(id="task", split="phrasings", text="your task is to {}", verbal=True),
    Manner(id="time", split="phrasings", text="it is time to {}", verbal=True),
    Manner(id="grateful", split="phrasings", text="{}, i would be grateful"),
)

JOINS: tuple[Join, ...] = (
    Join(id="then", split="train", link=", then "),
    Join(id="and_then", split="train", link=" and then "),
    Join(id="list", split="train", link=", ", last=" and "),
    Join(id="first_then", split="train", lead="first ", link=", then "),
    Join(id="first_after", split="train", lead="first ", link=" and after that "),
    Join(id="finally", split="train", lead="first ", link=", then ", last=", and finally ", least=3),
    Join(id="next", split="train", link=". next, "),
    Join(id="sentences", split="train", link=". then "),
    Join(id="after_that", split="train", link="; after that, "),
    Join(id="before", split="train", lead="before you ", link=", ", most=2, backwards=True),
    Join(id="done", split="phrasings", link="; when that is done, "),
    Join(id="begin", split="phrasings", lead="to begin with, ", link="; once finished, "),
    Join(id="steps", split="phrasings", lead="step {n}: ", link=". step {n}: "),
    Join(id="ordinals", split="phrasings", lead="{nth}, ", link="; {nth}, "),
    Join(id="subsequently", split="phrasings", link=" and subsequently "),
    Join(id="afterwards", split="phrasings", link=", afterwards "),
    Join(id="through", split="phrasings", link=". as soon as you are through, "),
    Join(id="but_first", split="phrasings", link=", but before that ", most=2, backwards=True),
)


def manners(split: str, join: Join | None, *, command: bool) -> tuple[Manner, ...]:
    """Those that fit around what a join has made, or around one step if there is no join."""
    verbal = command and (join is None or join.verb_first)
    asked = join is None or join.one_sentence
    return tuple(m for m in MANNERS if m.split == split and (verbal or not m.verbal) and (asked or not m.question))


def joins(split: str, steps: int) -> tuple[Join, ...]:
    return tuple(join for join in JOINS if join.split == split and join.least <= steps <= join.most)
